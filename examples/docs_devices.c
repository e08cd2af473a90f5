/* A register of devices: found by a part of their names, however they are written; and an alarm
 * that follows the register in a thread of its own, and could go on after a restart from the place
 * that it keeps. */
#include <stele/stele.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static stele_docs *db;

static void must(stele_code code, const stele_error *err)
{
    if (code != STELE_OK) {
        fprintf(stderr, "%s\n", err->message);
        abort();
    }
}

static void set(const char *id, const char *json)
{
    stele_error err;

    must(stele_docs_set(db, stele_str(id), stele_str(json), NULL, &err), &err);
}

static void find(const char *name)
{
    stele_docs_search search;
    stele_docs_iter *it = NULL;
    stele_bytes id;
    stele_error err;
    stele_code code;

    stele_docs_search_init(&search);
    search.type = "device";
    search.bound_field = "name";
    search.prefix = stele_str(name);
    must(stele_docs_search_begin(&it, db, &search, &err), &err);
    printf("%s:", name);
    while ((code = stele_docs_iter_next(it, &id, NULL, &err)) == STELE_OK) {
        printf(" %.*s", (int)id.len, (const char *)id.data);
    }
    must(code == STELE_END ? STELE_OK : code, &err);
    printf("\n");
    stele_docs_iter_end(it);
}

/* ---- The alarm. ---- */

struct reading {
    bool on;
    double celsius;
};

struct alarm {
    uint64_t place; /* of what was seen last: kept somewhere, it is where a next run goes on */
    bool ended;
};

static stele_code see(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    static const stele_docs_field fields[] = {
            {"/on", STELE_DOCS_FIELD_BOOL, offsetof(struct reading, on), true},
            {"/celsius", STELE_DOCS_FIELD_DOUBLE, offsetof(struct reading, celsius), true},
    };
    struct alarm *alarm = arg;
    struct reading r = {false, 0};
    stele_code code = STELE_OK;

    if (entry->is_delete) {
        printf("alarm: %.*s is gone\n", (int)entry->id.len, (const char *)entry->id.data);
        alarm->ended = true;
    } else {
        code = stele_docs_fill(entry->json, fields, 2, &r, err);
        if (code == STELE_OK && r.on && r.celsius > 60) {
            printf("alarm: %.*s has %.1f degrees\n", (int)entry->id.len,
                    (const char *)entry->id.data, r.celsius);
        }
    }
    alarm->place = entry->seq;
    return code;
}

static void *follow(void *arg)
{
    struct alarm *alarm = arg;
    stele_error err;

    while (!alarm->ended) {
        must(stele_docs_feed_wait(db, alarm->place, NULL, &err), &err);
        must(stele_docs_feed(db, alarm->place, see, alarm, &err), &err);
    }
    return NULL;
}

int main(void)
{
    struct alarm alarm = {.ended = false};
    stele_docs_options opts;
    stele_bytes type =
            stele_str("{\"name\":\"device\",\"keys\":[{\"name\":\"name\",\"fields\":[\"name\"],"
                      "\"method\":\"utf8\"}],\"version\":1}");
    stele_error err;
    pthread_t thread;

    stele_docs_options_init(&opts);
    opts.create_dirs = true;
    opts.types = &type;
    opts.type_count = 1;
    must(stele_docs_open(&db, "devices", &opts, &err), &err);
    if (pthread_create(&thread, NULL, follow, &alarm) != 0) {
        abort();
    }
    set("d1", "{\"@type\":\"device\",\"name\":\"Kühler links\",\"on\":true,\"celsius\":4.5}");
    set("d2", "{\"@type\":\"device\",\"name\":\"KUHLER rechts\",\"on\":true,\"celsius\":5}");
    set("d3", "{\"@type\":\"device\",\"name\":\"Ofen\",\"on\":false,\"celsius\":80}");
    must(stele_docs_patch(
                 db, stele_str("d3"), stele_str("{\"on\":true,\"celsius\":81.5}"), NULL, &err),
            &err);
    must(stele_docs_delete(db, stele_str("d2"), NULL, &err), &err);
    (void)pthread_join(thread, NULL);
    find("kuhler");
    find("OFE");
    must(stele_docs_close(db, &err), &err);
    return 0;
}
