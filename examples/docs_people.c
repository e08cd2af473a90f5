/* People as JSON documents: found by mail however it is written, and by when they were born. */
#include <stele/stele.h>

#include <stdio.h>
#include <stdlib.h>

static stele_docs *db;
static stele_error err;

static void must(stele_code code)
{
    if (code != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
}

static void show(const stele_docs_search *search)
{
    stele_docs_iter *it = NULL;
    stele_bytes id;
    stele_bytes json;
    stele_code code;

    must(stele_docs_search_begin(&it, db, search, &err));
    while ((code = stele_docs_iter_next(it, &id, &json, &err)) == STELE_OK) {
        printf("%.*s: %.*s\n", (int)id.len, (const char *)id.data, (int)json.len,
                (const char *)json.data);
    }
    if (code != STELE_END) {
        must(code);
    }
    stele_docs_iter_end(it);
}

int main(void)
{
    stele_docs_options opts;
    stele_docs_search search;

    stele_docs_options_init(&opts);
    opts.create_dirs = true;
    must(stele_docs_open(&db, "people", &opts, &err));
    must(stele_docs_register(db,
            stele_str(
                    "{\"name\":\"person\",\"keys\":["
                    "{\"name\":\"mail\",\"fields\":[\"mail\"],\"method\":\"utf8\",\"unique\":true},"
                    "{\"name\":\"born\",\"fields\":[\"born\"],\"method\":\"time\"}],"
                    "\"version\":1}"),
            &err));
    must(stele_docs_set(db, stele_str("ada"),
            stele_str("{\"@type\":\"person\",\"mail\":\"Ada@Example.org\","
                      "\"born\":\"1815-12-10T00:00:00Z\"}"),
            NULL, &err));
    must(stele_docs_set(db, stele_str("alan"),
            stele_str("{\"@type\":\"person\",\"mail\":\"alan@example.org\","
                      "\"born\":\"1912-06-23T00:00:00Z\"}"),
            NULL, &err));
    if (stele_docs_set(db, stele_str("other"),
                stele_str("{\"@type\":\"person\",\"mail\":\"ADA@example.org\"}"), NULL,
                &err) == STELE_ECONFLICT) {
        printf("not set: %s\n", err.message);
    }

    stele_docs_search_init(&search);
    search.type = "person";
    search.match = stele_str("{\"mail\":\"ada@example.org\"}");
    show(&search);

    stele_docs_search_init(&search);
    search.type = "person";
    search.bound_field = "born";
    search.low = stele_str("\"1900-01-01T00:00:00Z\"");
    show(&search);
    must(stele_docs_close(db, &err));
    return 0;
}
