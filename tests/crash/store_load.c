/* SPDX-License-Identifier: MIT
 *
 * store_load.c: writers and readers of a store that is about to be ended.
 */
#include "crash/store_load.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    WRITERS = 4,
    READERS = 2,
    INTERVAL_MS = 3,
    LIMIT = 60,
    WRONG = 3
};

struct worker {
    struct store_load *load;
    stele_store *s;
    unsigned id;
    bool may_fail;
};

struct store_load *store_load_new(void)
{
    struct store_load *load =
            mmap(NULL, sizeof *load, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (load == MAP_FAILED) {
        abort();
    }
    return load;
}

void store_load_free(struct store_load *load)
{
    (void)munmap(load, sizeof *load);
}

char store_load_kind(uint64_t number)
{
    static const char kinds[] = {'s', 's', 's', 'b', 's', 'l', 's', 'm', 's', 'R', 's', 's', 'r'};

    return kinds[number % sizeof kinds];
}

static void complain(struct store_load *load, const char *what, const char *text)
{
    if (atomic_fetch_add(&load->wrong, 1) == 0) {
        (void)snprintf(load->why, sizeof load->why, "%s: %.300s", what, text);
    }
    _exit(WRONG);
}

static void refused(struct worker *w, const char *what, const stele_error *err)
{
    if (!w->may_fail) {
        complain(w->load, what, err->message);
    }
    atomic_fetch_add(&w->load->refused, 1);
    (void)usleep(1000);
}

static void acknowledge(struct store_load *load, uint64_t number)
{
    uint64_t before = atomic_load(&load->acked);

    while (before < number && !atomic_compare_exchange_weak(&load->acked, &before, number)) {
    }
}

static char end_of(const struct worker *w, uint64_t turn)
{
    if (turn % 13 == 5) {
        return '-';
    }
    if (turn % 29 == 7) {
        return '+';
    }
    return w->id % 2 == 0 || turn % 5 == 0 ? '!' : '.';
}

/* The number is that of the right to write: it counts while the batch is open. */
static void write_one(struct worker *w, uint64_t turn)
{
    stele_store_batch *batch = NULL;
    char end = end_of(w, turn);
    uint64_t number;
    stele_error err;
    stele_code code = stele_store_batch_begin(&batch, w->s, NULL, &err);

    if (code != STELE_OK) {
        refused(w, "begin", &err);
        return;
    }
    number = atomic_load(&w->load->number) + 1;
    code = store_batch_fill(batch, store_load_kind(number), number, &err);
    if (code != STELE_OK || end == '-') {
        stele_store_batch_abort(batch);
        if (code != STELE_OK) {
            refused(w, "write", &err);
        }
        return;
    }
    atomic_store(&w->load->number, number);
    code = store_batch_finish(batch, end, &err);
    if (code != STELE_OK) {
        refused(w, "end", &err);
        return;
    }
    if (end != '.') {
        acknowledge(w->load, number);
    }
    atomic_fetch_add(&w->load->ends, 1);
}

static void *run_writer(void *arg)
{
    struct worker *w = arg;

    for (uint64_t turn = w->id; atomic_load(&w->load->wrong) == 0; turn++) {
        write_one(w, turn);
    }
    return NULL;
}

/* What a read sees stays as it is. */
static void *run_reader(void *arg)
{
    struct worker *w = arg;

    while (atomic_load(&w->load->wrong) == 0) {
        stele_store_read *r = NULL;
        uint32_t first = 0;
        uint32_t second = 0;
        stele_error err;
        stele_code code = stele_store_read_begin(&r, w->s, &err);

        code = code == STELE_OK ? stele_store_read_hash(r, NULL, &first, &err) : code;
        (void)usleep(100);
        code = code == STELE_OK ? stele_store_read_hash(r, NULL, &second, &err) : code;
        stele_store_read_end(r);
        if (code != STELE_OK) {
            refused(w, "read", &err);
        } else if (first != second) {
            complain(w->load, "read", "what it saw has changed");
        }
        atomic_fetch_add(&w->load->reads, 1);
    }
    return NULL;
}

_Noreturn void store_load_run(struct store_load *load, const char *dir, bool may_fail)
{
    struct worker workers[WRITERS + READERS];
    pthread_t threads[WRITERS + READERS];
    stele_store_options options;
    stele_store *s = NULL;
    stele_error err;

    stele_store_options_init(&options);
    options.batch_interval_ms = INTERVAL_MS;
    options.batch_limit = LIMIT;
    options.readers_max = 64;
    if (stele_store_open(&s, dir, &options, &err) != STELE_OK) {
        if (!may_fail) {
            complain(load, "open", err.message);
        }
        (void)pause();
    }
    for (unsigned i = 0; i < WRITERS + READERS; i++) {
        workers[i] = (struct worker){load, s, i, may_fail};
        if (pthread_create(&threads[i], NULL, i < WRITERS ? run_writer : run_reader, &workers[i]) !=
                0) {
            complain(load, "thread", "cannot be had");
        }
    }
    for (;;) {
        (void)pause();
    }
}

bool store_load_judge(struct store_load *load, const char *dir, struct store_why *why)
{
    struct store_bounds bounds = {.kind_of = store_load_kind};
    stele_store *s = NULL;
    uint64_t last = 0;
    stele_error err;
    bool ok;

    bounds.acked = atomic_load(&load->acked);
    bounds.issued = atomic_load(&load->number);
    if (atomic_load(&load->wrong) != 0) {
        return store_wrong(why, "%s", load->why);
    }
    if (stele_store_open(&s, dir, NULL, &err) != STELE_OK) {
        return store_wrong(why, "it cannot be opened: %s", err.message);
    }
    ok = store_judge(s, &bounds, &last, why);
    if (ok && store_batch(s, store_load_kind(last + 1), '!', last + 1, &err) != STELE_OK) {
        ok = store_wrong(why, "writing on: %s", err.message);
    }
    bounds.acked = bounds.issued = last + 1;
    ok = ok && store_judge(s, &bounds, &last, why);
    if (stele_store_close(s, &err) != STELE_OK && ok) {
        ok = store_wrong(why, "close: %s", err.message);
    }
    atomic_store(&load->number, last);
    atomic_store(&load->acked, last);
    return ok && store_check_files(dir, why);
}
