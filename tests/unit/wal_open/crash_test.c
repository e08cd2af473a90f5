/* SPDX-License-Identifier: MIT
 *
 * crash_test.c: a short life of a log, cut short everywhere.
 *
 * A script of calls; each is noted before and after. What a crash leaves must be the state after
 * the last call that returned, or, of the one that was under way, a part that it may leave.
 */
#include <stele/wal.h>

#include "lib/check.h"
#include "sim/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum call {
    APPEND,   /* n records in one call */
    TRUNCATE, /* to id n */
    TRIM,     /* up to id n */
    REOPEN,
    MIGRATE, /* to format n, and reopen */
    RECOVER  /* and reopen */
};

struct step {
    enum call call;
    uint64_t n;
};

struct script {
    stele_wal_format format;
    const struct step *steps;
    size_t count;
};

enum {
    STEP = 1,  /* notes: a step of the script, counted from 1 */
    EXTRA = 2, /* check() appends from this id on */
    EXTRAS = 3,
    BY_CHECK = 99,
    DATA_MAX = 1400,
    IDS_MAX = 128
};

/* Which step wrote the record with an id, and what may be there. */
struct model {
    uint64_t first_min; /* first id is from here ... */
    uint64_t first_max; /* ... to here, unless the log is empty */
    uint64_t last_min;  /* last id likewise; last < first_max: may be empty */
    uint64_t last_max;
    size_t by[IDS_MAX];
};

static stele_bytes data_of(uint64_t id, size_t step, uint8_t *out)
{
    size_t len = (size_t)(id * 211 + step * 17) % DATA_MAX;

    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(id * 7 + step * 31 + i);
    }
    return stele_bytes_of(out, len);
}

static stele_code append(stele_wal *wal, uint64_t first, uint64_t n, size_t step, stele_error *err)
{
    static uint8_t data[8][DATA_MAX];
    stele_wal_record records[8];

    for (uint64_t i = 0; i < n; i++) {
        records[i].id = first + i;
        records[i].data = data_of(first + i, step, data[i]);
    }
    return stele_wal_append(wal, records, n, err);
}

static void options_of(const struct script *s, struct sim_world *w, stele_wal_options *opts)
{
    stele_wal_options_init(opts);
    opts->env = &w->env;
    opts->format = s->format;
    opts->create_dirs = true;
    opts->no_background = true;
    opts->segment_size = 4096;
}

static uint64_t next_of(stele_wal *wal)
{
    uint64_t next = 0;
    bool any = false;

    return stele_wal_next_id(wal, &next, &any, NULL) == STELE_OK ? next : 0;
}

static stele_code do_step(const struct script *s, size_t i, stele_wal **wal, const char *dir,
        const stele_wal_options *opts, stele_error *err)
{
    const struct step *step = &s->steps[i];
    stele_wal *old = *wal;
    stele_code rc;

    switch (step->call) {
    case APPEND:
        return append(old, next_of(old), step->n, i, err);
    case TRUNCATE:
        return stele_wal_truncate(old, step->n, err);
    case TRIM:
        return stele_wal_trim(old, step->n, err);
    case REOPEN:
    case MIGRATE:
    case RECOVER:
    default:
        *wal = NULL;
        rc = stele_wal_close(old, err);
        if (rc == STELE_OK && step->call == MIGRATE) {
            rc = stele_wal_migrate_dir(dir, opts, (stele_wal_format)step->n, NULL, NULL, err);
        } else if (rc == STELE_OK && step->call == RECOVER) {
            rc = stele_wal_recover_dir(dir, opts, NULL, NULL, err);
        }
        return rc != STELE_OK ? rc : stele_wal_open(wal, dir, opts, err);
    }
}

static int run(void *arg, struct sim_world *w)
{
    const struct script *s = arg;
    stele_wal_options opts;
    stele_wal *wal = NULL;
    stele_error err;
    stele_code rc;

    options_of(s, w, &opts);
    rc = stele_wal_open(&wal, "/log", &opts, &err);
    for (size_t i = 0; i < s->count && rc == STELE_OK; i++) {
        sim_note_intent(w, STEP, i + 1);
        rc = do_step(s, i, &wal, "/log", &opts, &err);
        if (rc == STELE_OK) {
            sim_note_ack(w, STEP, i + 1);
        }
    }
    (void)stele_wal_close(wal, NULL);
    return rc;
}

/* Carry one call out on a model; with `begun` alone, allow for any part of it. */
static void advance(struct model *m, const struct step *step, size_t i, bool done)
{
    uint64_t next = m->last_max + 1;

    switch (step->call) {
    case APPEND:
        for (uint64_t id = next; id < next + step->n; id++) {
            m->by[id] = i;
        }
        m->last_max += step->n;
        m->last_min = done ? m->last_max : m->last_min;
        break;
    case TRUNCATE:
        if (step->n < m->last_min) {
            m->last_min = step->n;
            m->last_max = done ? step->n : m->last_max;
        }
        break;
    case TRIM:
        m->first_max = step->n + 1 > m->first_max ? step->n + 1 : m->first_max;
        break;
    case REOPEN:
    case MIGRATE:
    case RECOVER:
    default:
        break;
    }
}

static int verify(stele_wal *wal, const struct model *m, uint64_t *first, uint64_t *last, char *why,
        size_t why_len)
{
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    stele_error err;
    uint64_t id = 0;
    uint64_t begin = 0;
    stele_code rc = stele_wal_iter_open(&it, wal, 0, &err);

    while (rc == STELE_OK && (rc = stele_wal_iter_next(it, &record, &err)) == STELE_OK) {
        uint8_t data[DATA_MAX];
        stele_bytes expected;

        if (begin == 0) {
            begin = record.id;
            id = begin;
        }
        if (record.id != id || id > m->last_max) {
            (void)snprintf(why, why_len, "record %" PRIu64 " instead of %" PRIu64, record.id, id);
            (void)stele_wal_iter_close(it, NULL);
            return 1;
        }
        expected = data_of(id, m->by[id], data);
        if (record.data.len != expected.len ||
                memcmp(record.data.data, expected.data, expected.len) != 0) {
            (void)snprintf(why, why_len, "record %" PRIu64 " has other data", id);
            (void)stele_wal_iter_close(it, NULL);
            return 1;
        }
        id++;
    }
    (void)stele_wal_iter_close(it, NULL);
    if (rc != STELE_END) {
        (void)snprintf(why, why_len, "%s", err.message);
        return rc;
    }
    if (begin == 0 ? m->last_min >= m->first_max
                   : begin < m->first_min || begin > m->first_max || id - 1 < m->last_min) {
        (void)snprintf(why, why_len,
                "records %" PRIu64 " to %" PRIu64 ", expected first %" PRIu64 "..%" PRIu64
                ", last %" PRIu64 "..%" PRIu64,
                begin, id - 1, m->first_min, m->first_max, m->last_min, m->last_max);
        return 1;
    }
    *first = begin;
    *last = begin == 0 ? 0 : id - 1;
    return 0;
}

static void extend(struct model *m, uint64_t id, bool done)
{
    for (uint64_t i = 0; i < EXTRAS; i++) {
        m->by[id + i] = BY_CHECK;
    }
    m->last_max = id + EXTRAS - 1;
    m->last_min = done ? m->last_max : id - 1;
}

/* What an earlier check() appended, on what had been left then. */
static void add_extras(struct model *m, const struct sim_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (notes->list[i].what == EXTRA) {
            extend(m, notes->list[i].value, notes->list[i].kind == SIM_ACK);
        }
    }
}

static int check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    const struct script *s = arg;
    struct model m = {.first_min = 1, .first_max = 1};
    stele_wal_options opts;
    stele_wal *wal = NULL;
    stele_error err;
    uint64_t acked = 0;
    uint64_t begun = 0;
    uint64_t first = 0;
    uint64_t last = 0;
    int rc;

    (void)at_op;
    (void)sim_notes_max(notes, SIM_ACK, STEP, &acked);
    (void)sim_notes_max(notes, SIM_INTENT, STEP, &begun);
    for (size_t i = 0; i < acked; i++) {
        advance(&m, &s->steps[i], i, true);
    }
    if (begun > acked) {
        advance(&m, &s->steps[acked], acked, false);
    }
    add_extras(&m, notes);
    options_of(s, w, &opts);
    rc = stele_wal_open(&wal, "/log", &opts, &err);
    if (rc != STELE_OK) {
        (void)snprintf(why, why_len, "%s", err.message);
        return rc;
    }
    rc = verify(wal, &m, &first, &last, why, why_len);
    sim_note_recovered(w);
    if (rc == 0 && last > 0) {
        /* It goes on from there, and nothing of what was cut comes back. */
        sim_note_intent(w, EXTRA, last + 1);
        rc = append(wal, last + 1, EXTRAS, BY_CHECK, &err);
        if (rc != STELE_OK) {
            (void)snprintf(why, why_len, "%s", err.message);
        } else {
            sim_note_ack(w, EXTRA, last + 1);
        }
        m.first_min = m.first_max = first;
        extend(&m, last + 1, true);
        rc = rc != 0 ? rc : verify(wal, &m, &first, &last, why, why_len);
    }
    if (stele_wal_close(wal, &err) != STELE_OK && rc == 0) {
        (void)snprintf(why, why_len, "%s", err.message);
        rc = err.code;
    }
    if (rc == 0 && m.by[m.last_max] == BY_CHECK) {
        rc = stele_wal_open(&wal, "/log", &opts, &err);
        if (rc != STELE_OK) {
            (void)snprintf(why, why_len, "%s", err.message);
            return rc;
        }
        rc = verify(wal, &m, &first, &last, why, why_len);
        (void)stele_wal_close(wal, NULL);
    }
    return rc;
}

/* All that the whole script leaves, read by a writer. */
static enum sim_probe probe(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    const struct script *s = arg;
    struct model m = {.first_min = 1, .first_max = 1};
    stele_wal_options opts;
    stele_wal *wal = NULL;
    stele_error err;
    uint64_t first = 0;
    uint64_t last = 0;
    int rc;

    (void)notes;
    for (size_t i = 0; i < s->count; i++) {
        advance(&m, &s->steps[i], i, true);
    }
    options_of(s, w, &opts);
    if (stele_wal_open(&wal, "/log", &opts, &err) != STELE_OK) {
        return SIM_PROBE_REPORTED;
    }
    rc = verify(wal, &m, &first, &last, why, why_len);
    (void)stele_wal_close(wal, NULL);
    return rc == 0 ? SIM_PROBE_RIGHT : rc < 0 ? SIM_PROBE_REPORTED : SIM_PROBE_SILENT;
}

static const struct step life[] = {{APPEND, 1}, {APPEND, 3}, {APPEND, 4}, {APPEND, 2}, {REOPEN, 0},
        {APPEND, 5}, {TRIM, 6}, {APPEND, 4}, {TRUNCATE, 17}, {APPEND, 3}, {REOPEN, 0}, {APPEND, 6},
        {TRIM, 20}, {APPEND, 4}, {TRUNCATE, 24}, {APPEND, 2}, {APPEND, 6}};

static void explore(stele_wal_format format)
{
    struct script script = {format, life, sizeof life / sizeof life[0]};
    struct sim_workload workload = {.arg = &script, .run = run, .check = check};
    struct sim_explore_options options;
    struct sim_report report;

    workload.name = format == STELE_WAL_BLB ? "wal_open_blb" : "wal_open_stele";
    sim_explore_options_init(&options);
    if (getenv("STELE_FULL") == NULL) {
        options.opened_max = 1000;
    }
    for (unsigned i = 0; i < 2; i++) {
        options.sector_size = i == 0 ? 512 : 4096;
        assert_true(sim_explore(&workload, &options, &report));
    }
}

static void test_stele(void **state)
{
    (void)state;
    explore(STELE_WAL_STELE);
}

/* From one format into the other and back. */
static const struct step travels[] = {{APPEND, 4}, {APPEND, 6}, {MIGRATE, STELE_WAL_BLB},
        {APPEND, 3}, {MIGRATE, STELE_WAL_STELE}, {APPEND, 3}, {TRUNCATE, 14}, {RECOVER, 0},
        {APPEND, 2}};

static void test_migration(void **state)
{
    struct script script = {STELE_WAL_ANY, travels, sizeof travels / sizeof travels[0]};
    struct sim_workload workload = {
            .name = "wal_migration", .arg = &script, .run = run, .check = check};
    struct sim_explore_options options;
    struct sim_loop_options loop;
    struct sim_report report;

    (void)state;
    sim_explore_options_init(&options);
    options.opened_max = getenv("STELE_FULL") == NULL ? 2000 : options.opened_max;
    assert_true(sim_explore(&workload, &options, &report));
    sim_loop_options_init(&loop);
    loop.stride = getenv("STELE_FULL") != NULL ? 1 : 5;
    assert_true(sim_fault_loop(&workload, &loop, &report));
    assert_true(sim_alloc_loop(&workload, &loop, &report));
}

static void test_blb(void **state)
{
    (void)state;
    explore(STELE_WAL_BLB);
}

static void disturb(stele_wal_format format)
{
    struct script script = {format, life, sizeof life / sizeof life[0]};
    struct sim_workload workload = {.arg = &script, .run = run, .check = check, .probe = probe};
    struct sim_loop_options options;
    struct sim_report report;
    struct sim_spans silent = {.count = 0};

    workload.name = format == STELE_WAL_BLB ? "wal_open_blb" : "wal_open_stele";
    sim_loop_options_init(&options);
    /* In seconds, unless all is asked for. */
    options.stride = getenv("STELE_FULL") != NULL ? 1 : 11;
    assert_true(sim_fault_loop(&workload, &options, &report));
    assert_true(sim_alloc_loop(&workload, &options, &report));
    assert_true(sim_recovery_fault_loop(&workload, &options, &report));
    assert_true(sim_bit_loop(&workload, &options, &silent, &report));
    for (size_t i = 0; i < silent.count; i++) {
        fail_msg("%s: bits of bytes %" PRIu64 " to %" PRIu64 " go unnoticed", silent.list[i].name,
                silent.list[i].from, silent.list[i].to);
    }
    assert_true(sim_cut_loop(&workload, &options, &silent, &report));
    for (size_t i = 0; i < silent.count; i++) {
        fail_msg("%s: cuts at %" PRIu64 " to %" PRIu64 " go unnoticed", silent.list[i].name,
                silent.list[i].from, silent.list[i].to);
    }
}

static void test_stele_disturbed(void **state)
{
    (void)state;
    disturb(STELE_WAL_STELE);
}

static void test_blb_disturbed(void **state)
{
    (void)state;
    disturb(STELE_WAL_BLB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_stele),
            cmocka_unit_test(test_blb),
            cmocka_unit_test(test_migration),
            cmocka_unit_test(test_stele_disturbed),
            cmocka_unit_test(test_blb_disturbed),
    };

    return cmocka_run_group_tests_name("wal crashes", tests, NULL, NULL);
}
