/* SPDX-License-Identifier: MIT
 *
 * docs_load.c: writers and readers of documents that are about to be ended.
 */
#include "crash/docs_load.h"

#include <stele/docs.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DOCUMENTS = 5, /* of one writer, and its sum */
    WRONG = 3,
    TEXT_SIZE = 200
};

#define TYPE(method, version)                                                                    \
    "{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":\"" method          \
    "\",\"unique\":true},{\"name\":\"n\",\"fields\":[\"n\"],\"method\":\"number\"},{\"name\":"   \
    "\"tags\",\"fields\":[\"tags\"],\"method\":\"binary\",\"array\":true}],\"version\":" version \
    "}"

static const char *const types[] = {TYPE("utf8", "1"), TYPE("binary", "2")};

struct worker {
    struct docs_load *load;
    stele_docs *db;
    unsigned number;
    bool may_fail;
};

struct docs_load *docs_load_new(void)
{
    struct docs_load *load =
            mmap(NULL, sizeof *load, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (load == MAP_FAILED) {
        abort();
    }
    return load;
}

void docs_load_free(struct docs_load *load)
{
    (void)munmap(load, sizeof *load);
}

void docs_load_begin_anew(struct docs_load *load)
{
    for (unsigned i = 0; i < DOCS_LOAD_WRITERS; i++) {
        atomic_store(&load->begun[i], 0);
        atomic_store(&load->acked[i], 0);
    }
}

/* ---- What is written. ---- */

static bool is_delete(uint64_t change)
{
    return change % 11 == 10;
}

static stele_bytes id_of(unsigned writer, uint64_t document, char out[32])
{
    (void)snprintf(out, 32, "w%u-%" PRIu64, writer, document);
    return stele_str(out);
}

static stele_bytes text_of(unsigned writer, uint64_t document, uint64_t change, char out[TEXT_SIZE])
{
    (void)snprintf(out, TEXT_SIZE,
            "{\"@type\":\"t\",\"u\":\"%u/%" PRIu64 "\",\"n\":%" PRIu64 ",\"tags\":[%u,\"%u\"]}",
            writer, document, change, (unsigned)(change % 7), (unsigned)(change % 3));
    return stele_str(out);
}

/* One document, and the sum that says so, in one batch. */
static stele_code change(struct worker *w, uint64_t number, stele_error *err)
{
    uint64_t document = number % DOCUMENTS;
    stele_docs_batch *batch = NULL;
    char id[32];
    char text[TEXT_SIZE];
    stele_code rc = stele_docs_batch_begin(&batch, w->db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    (void)id_of(w->number, document, id);
    rc = is_delete(number) ? stele_docs_batch_delete(batch, stele_str(id), NULL, NULL, err)
                           : stele_docs_batch_set(batch, stele_str(id),
                                     text_of(w->number, document, number, text), NULL, NULL, err);
    if (rc == STELE_OK) {
        rc = stele_docs_batch_set(batch, id_of(w->number, DOCUMENTS, id),
                text_of(w->number, DOCUMENTS, number, text), NULL, NULL, err);
    }
    if (rc != STELE_OK) {
        stele_docs_batch_abort(batch);
        return rc;
    }
    return stele_docs_batch_end(batch, err);
}

/* ---- The process that is ended. ---- */

static _Noreturn void give_up(struct worker *w, const char *what, const stele_error *err)
{
    atomic_fetch_add(&w->load->refused, 1);
    while (w->may_fail) {
        (void)pause();
    }
    (void)snprintf(w->load->why, sizeof w->load->why, "%.60s: %.200s", what, err->message);
    _exit(WRONG);
}

static void *run_writer(void *arg)
{
    struct worker *w = arg;

    for (uint64_t number = atomic_load(&w->load->acked[w->number]) + 1;; number++) {
        stele_error err;

        atomic_store(&w->load->begun[w->number], number);
        if (change(w, number, &err) != STELE_OK) {
            give_up(w, "change", &err);
        }
        atomic_store(&w->load->acked[w->number], number);
        atomic_fetch_add(&w->load->done, 1);
    }
    return NULL;
}

static stele_code swallow(void *arg, const void *data, size_t len, stele_error *err)
{
    (void)arg;
    (void)data;
    (void)len;
    (void)err;
    return STELE_OK;
}

static void *run_reader(void *arg)
{
    struct worker *w = arg;

    for (unsigned turn = 0;; turn++) {
        stele_docs_iter *it = NULL;
        stele_docs_search search;
        stele_error err;
        stele_code rc;

        stele_docs_search_init(&search);
        search.type = "t";
        search.bound_field = "n";
        search.low = stele_str("3");
        rc = stele_docs_search_begin(&it, w->db, &search, &err);
        while (rc == STELE_OK) {
            rc = stele_docs_iter_next(it, NULL, NULL, &err);
        }
        stele_docs_iter_end(it);
        if (rc == STELE_END) {
            rc = turn % 2 == 0 ? stele_docs_backup(w->db, NULL, swallow, NULL, NULL, &err)
                               : stele_docs_register(w->db, stele_str(types[turn / 2 % 2]), &err);
        }
        if (rc == STELE_OK && turn % 8 == 5) {
            rc = stele_docs_reindex(w->db, &err);
        }
        if (rc != STELE_OK) {
            give_up(w, "read", &err);
        }
        atomic_fetch_add(&w->load->reads, 1);
        (void)usleep(500);
    }
    return NULL;
}

_Noreturn void docs_load_run(struct docs_load *load, const char *dir, bool may_fail)
{
    struct worker workers[DOCS_LOAD_WRITERS + 1];
    pthread_t threads[DOCS_LOAD_WRITERS + 1];
    stele_docs_options options;
    stele_bytes type = stele_str(types[0]);
    stele_docs *db = NULL;
    stele_error err;

    stele_docs_options_init(&options);
    options.types = &type;
    options.type_count = 1;
    if (stele_docs_open(&db, dir, &options, &err) != STELE_OK) {
        give_up(&(struct worker){.load = load, .may_fail = may_fail}, "open", &err);
    }
    for (unsigned i = 0; i <= DOCS_LOAD_WRITERS; i++) {
        workers[i] = (struct worker){load, db, i, may_fail};
        if (pthread_create(&threads[i], NULL, i < DOCS_LOAD_WRITERS ? run_writer : run_reader,
                    &workers[i]) != 0) {
            _exit(WRONG);
        }
    }
    for (;;) {
        (void)pause();
    }
}

/* ---- What is left. ---- */

bool docs_load_wait(struct docs_load *load, pid_t child, uint64_t count)
{
    uint64_t until = atomic_load(&load->done) + count;

    while (atomic_load(&load->done) < until) {
        (void)usleep(100);
        if (waitpid(child, NULL, WNOHANG) != 0) {
            return false;
        }
    }
    return true;
}

/* The last change that the documents of a writer hold. */
static bool last_change(struct docs_load *load, stele_docs *db, unsigned writer, uint64_t *last,
        struct store_why *why)
{
    static const stele_docs_field field = {.pointer = "/n", .kind = STELE_DOCS_FIELD_INT64};
    uint64_t acked = atomic_load(&load->acked[writer]);
    uint64_t begun = atomic_load(&load->begun[writer]);
    int64_t n = 0;
    char id[32];
    stele_error err;
    stele_code rc = stele_docs_get_into(db, id_of(writer, DOCUMENTS, id), &field, 1, &n, &err);

    if (rc != STELE_OK && rc != STELE_ENOTFOUND) {
        return store_wrong(why, "sum: %s", err.message);
    }
    *last = (uint64_t)n;
    return (*last >= acked && *last <= begun) ||
           store_wrong(why,
                   "writer %u is at %" PRIu64 "; %" PRIu64 " was acknowledged, %" PRIu64 " begun",
                   writer, *last, acked, begun);
}

static bool judge_document(
        stele_docs *db, unsigned writer, uint64_t document, uint64_t last, struct store_why *why)
{
    uint64_t number = last < document ? 0 : last - (last - document) % DOCUMENTS;
    bool live = number > 0 && !is_delete(number);
    char id[32];
    char text[TEXT_SIZE];
    stele_buf json;
    stele_error err;
    stele_code rc;
    bool ok;

    stele_buf_init(&json, SIZE_MAX);
    rc = stele_docs_get(db, id_of(writer, document, id), &json, &err);
    ok = live ? rc == STELE_OK && stele_bytes_equal(stele_buf_view(&json),
                                          text_of(writer, document, number, text))
              : rc == STELE_ENOTFOUND;
    stele_buf_free(&json);
    return ok || store_wrong(why, "document %s is not that of change %" PRIu64, id, number);
}

static bool judge_writer(
        struct docs_load *load, stele_docs *db, unsigned writer, struct store_why *why)
{
    uint64_t last = 0;
    bool ok = last_change(load, db, writer, &last, why);

    for (uint64_t i = 0; i < DOCUMENTS && ok; i++) {
        ok = judge_document(db, writer, i, last, why);
    }
    atomic_store(&load->acked[writer], last);
    atomic_store(&load->begun[writer], last);
    return ok;
}

bool docs_load_judge(struct docs_load *load, const char *dir, struct store_why *why)
{
    stele_docs *db = NULL;
    stele_error err;
    bool ok = true;

    if (stele_docs_open(&db, dir, NULL, &err) != STELE_OK) {
        return store_wrong(why, "it cannot be opened: %s", err.message);
    }
    for (unsigned i = 0; i < DOCS_LOAD_WRITERS && ok; i++) {
        ok = judge_writer(load, db, i, why);
    }
    if (ok && stele_docs_validate(db, NULL, NULL, NULL, &err) != STELE_OK) {
        ok = store_wrong(why, "validation: %s", err.message);
    }
    if (stele_docs_close(db, &err) != STELE_OK && ok) {
        ok = store_wrong(why, "close: %s", err.message);
    }
    return ok && store_check_files(dir, why);
}
