#include <stele/stele.h>

#include <stdio.h>

int main(void)
{
    const stele_bytes lamp = stele_str("{\"@type\":\"lamp\",\"room\":\"Küche\"}");
    stele_docs_options opts;
    stele_docs_search search;
    stele_docs *db = NULL;
    stele_buf id;
    stele_error err;

    stele_docs_options_init(&opts);
    opts.create_dirs = true;
    stele_docs_search_init(&search);
    search.type = "lamp";
    search.match = stele_str("{\"room\":\"KUCHE\"}");
    stele_buf_init(&id, SIZE_MAX);
    if (stele_docs_open(&db, "hello.docs", &opts, &err) != STELE_OK ||
            stele_docs_register(db,
                    stele_str("{\"name\":\"lamp\",\"keys\":["
                              "{\"name\":\"room\",\"fields\":[\"room\"],\"method\":\"utf8\"}]}"),
                    &err) != STELE_OK ||
            stele_docs_set(db, stele_str("lamp1"), lamp, NULL, &err) != STELE_OK || /* survives */
            stele_docs_search_first(db, &search, &id, NULL, &err) != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%.*s\n", (int)id.len, (const char *)id.data);
    stele_buf_free(&id);
    return stele_docs_close(db, NULL) != STELE_OK;
}
