/* SPDX-License-Identifier: MIT
 *
 * wal_model.c: see wal_model.h.
 */
#include "model/wal_model.h"

#include "lib/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    COUNT_MAX = 8,    /* records of an append */
    LONG_SIZE = 5120, /* now and then */
    RECORD_MAX = 8192,
    KEPT = 400, /* records that a log has at most, before it is trimmed */
    PATTERN_SIZE = 16384,
    HISTORY = 16, /* calls that are remembered for a failure */
    /* What a trim may leave although it was allowed to go: less than a segment
     * and an append that is longer than one. */
    LEFT_MAX = 16384 + COUNT_MAX * (LONG_SIZE + 24)
};

struct model {
    const struct wal_model_setup *setup;
    struct wal_model_sums *sums;
    uint64_t random;
    stele_wal_options opts;
    stele_wal *files;
    stele_wal *memory;
    /* Both logs have an iterator that lives on, or neither. */
    stele_wal_iter *files_iter;
    stele_wal_iter *memory_iter;
    /* A reader beside the writer, or NULL, with the id up to which it has read. */
    stele_wal *reader;
    stele_wal_iter *reader_iter;
    uint64_t reader_next;

    /* As the last look found them. */
    bool empty;
    uint64_t first;
    uint64_t last;
    uint64_t next;
    bool any;

    uint64_t serial; /* counts records that were made */
    uint8_t pattern[PATTERN_SIZE];
    uint8_t data[COUNT_MAX][RECORD_MAX + 1];
    stele_wal_record records[COUNT_MAX];

    uint64_t number; /* of the call */
    char history[HISTORY][96];
};

/* ---- Randomness and reports. ---- */

static uint64_t draw(struct model *m)
{
    uint64_t z = m->random += 0x9e3779b97f4a7c15U;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static uint64_t below(struct model *m, uint64_t limit)
{
    return draw(m) % limit;
}

/* Every n-th time. */
static bool one_in(struct model *m, uint64_t n)
{
    return below(m, n) == 0;
}

static void note(struct model *m, const char *format, ...) STELE_PRINTF(2, 3);

static void note(struct model *m, const char *format, ...)
{
    char *line = m->history[m->number % HISTORY];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(line, sizeof m->history[0], format, ap);
    va_end(ap);
}

_Noreturn static void differ(struct model *m, const char *what, const stele_error *err)
{
    const uint64_t from = m->number < HISTORY ? 0 : m->number - HISTORY + 1;

    print_error("wal model: seed %" PRIu64 ", format %d, call %" PRIu64 ": %s\n", m->setup->seed,
            (int)m->setup->format, m->number, what);
    if (err != NULL) {
        print_error("  message: %s\n", err->message);
    }
    print_error("  expected: %s, ids %" PRIu64 " to %" PRIu64 ", next %" PRIu64 "%s\n",
            m->empty ? "empty" : "records", m->first, m->last, m->next, m->any ? " (any)" : "");
    print_error("  options: segments of %" PRIu64 "%s%s%s\n", m->opts.segment_size,
            m->opts.no_background ? ", no_background" : "", m->opts.no_map ? ", no_map" : "",
            m->opts.no_recycle ? ", no_recycle" : "");
    for (uint64_t i = from; i <= m->number; i++) {
        print_error("  %" PRIu64 ": %s\n", i, m->history[i % HISTORY]);
    }
    fail();
    abort(); /* fail() does not return, but does not say so */
}

static void must(struct model *m, stele_code code, const char *what, const stele_error *err)
{
    if (code != STELE_OK) {
        differ(m, what, err);
    }
}

static void must_be(struct model *m, bool ok, const char *what)
{
    if (!ok) {
        differ(m, what, NULL);
    }
}

/* The result on files has to be that in memory. */
static void same_code(
        struct model *m, stele_code files, stele_code memory, const char *what, stele_error *err)
{
    char text[128];

    if (files != memory) {
        (void)snprintf(text, sizeof text, "%s: %s on files, %s in memory", what,
                stele_code_name(files), stele_code_name(memory));
        if (files == STELE_OK) {
            err->message[0] = '\0';
        }
        differ(m, text, err);
    }
}

static void same_record(struct model *m, const stele_wal_record *files,
        const stele_wal_record *memory, const char *what)
{
    char text[160];

    if (files->id != memory->id || files->data.len != memory->data.len ||
            (files->data.len > 0 &&
                    memcmp(files->data.data, memory->data.data, files->data.len) != 0)) {
        (void)snprintf(text, sizeof text,
                "%s: id %" PRIu64 " with %zu bytes on files, id %" PRIu64 " with %zu in memory",
                what, files->id, files->data.len, memory->id, memory->data.len);
        differ(m, text, NULL);
    }
    m->sums->read++;
}

/* ---- The bounds. ---- */

static void look(struct model *m)
{
    stele_error err;

    must(m, stele_wal_first_id(m->memory, &m->first, &m->empty, &err), "first id", &err);
    must(m, stele_wal_last_id(m->memory, &m->last, &m->empty, &err), "last id", &err);
    must(m, stele_wal_next_id(m->memory, &m->next, &m->any, &err), "next id", &err);
}

static void bounds(struct model *m, stele_wal *w, bool writer, const char *what)
{
    uint64_t first = m->first;
    uint64_t last = m->last;
    uint64_t next = m->next;
    bool empty = false;
    bool also = false;
    bool any = m->any;
    stele_error err;

    must(m, stele_wal_first_id(w, &first, &empty, &err), "first id", &err);
    must(m, stele_wal_last_id(w, &last, &also, &err), "last id", &err);
    if (writer) {
        must(m, stele_wal_next_id(w, &next, &any, &err), "next id", &err);
    }
    if (empty != m->empty || also != m->empty || any != m->any || next != m->next ||
            (!empty && (first != m->first || last != m->last))) {
        char text[160];

        (void)snprintf(text, sizeof text,
                "%s: %s, ids %" PRIu64 " to %" PRIu64 ", next %" PRIu64 "%s", what,
                empty ? "empty" : "records", first, last, next, any ? " (any)" : "");
        differ(m, text, NULL);
    }
}

static void look_and_compare(struct model *m)
{
    look(m);
    bounds(m, m->files, true, "on files");
}

/* ---- Appending. ---- */

static size_t random_len(struct model *m)
{
    if (one_in(m, 64)) {
        return LONG_SIZE;
    }
    return one_in(m, 16) ? 0 : (size_t)below(m, 601);
}

static void make_record(struct model *m, size_t i, uint64_t id, size_t len)
{
    const uint64_t serial = ++m->serial;
    uint8_t *data = m->data[i];

    memcpy(data, m->pattern + serial % (PATTERN_SIZE - RECORD_MAX - 1), len);
    if (len >= sizeof serial) {
        memcpy(data, &serial, sizeof serial);
    } else if (len > 0) {
        data[0] = (uint8_t)serial;
    }
    m->records[i].id = id;
    m->records[i].data = len == 0 && serial % 2 == 0 ? stele_nil() : stele_bytes_of(data, len);
}

static size_t make_records(struct model *m, uint64_t id)
{
    const size_t count = 1 + (size_t)below(m, COUNT_MAX);

    for (size_t i = 0; i < count; i++) {
        make_record(m, i, id + i, random_len(m));
    }
    m->sums->records += count;
    return count;
}

/* An empty log takes any id, larger and smaller ones than it had. */
static uint64_t choose_first(struct model *m)
{
    if (!m->any) {
        return m->next;
    }
    switch (below(m, 4)) {
    case 0:
        return below(m, 3);
    case 1:
        return m->last > 500 ? m->last - below(m, 500) : 1;
    case 2:
        return m->last + below(m, 1000);
    default:
        return m->next;
    }
}

static void append(struct model *m)
{
    const uint64_t id = choose_first(m);
    const size_t count = make_records(m, id);
    stele_error err;

    note(m, "append %" PRIu64 ", %zu records", id, count);
    must(m, stele_wal_append(m->files, m->records, count, &err), "append", &err);
    must(m, stele_wal_append(m->memory, m->records, count, &err), "append in memory", &err);
}

static void append_next(struct model *m)
{
    const size_t count = make_records(m, 0);
    stele_bytes data[COUNT_MAX];
    uint64_t files = 0;
    uint64_t memory = 0;
    stele_error err;

    note(m, "append_next, %zu records", count);
    for (size_t i = 0; i < count; i++) {
        data[i] = m->records[i].data;
    }
    must(m, stele_wal_append_next(m->files, data, count, &files, &err), "append_next", &err);
    must(m, stele_wal_append_next(m->memory, data, count, &memory, &err), "in memory", &err);
    must_be(m, files == memory, "append_next gave another id");
}

/* Several without waiting; then wait for one of them, and for the last. */
static void append_async(struct model *m)
{
    const size_t appends = 1 + (size_t)below(m, 5);
    stele_wal_ticket tickets[5] = {0};
    stele_wal_ticket durable = 0;
    uint64_t id = choose_first(m);
    stele_error err;

    note(m, "append_async %" PRIu64 ", %zu times", id, appends);
    for (size_t i = 0; i < appends; i++) {
        const size_t count = make_records(m, id);
        stele_wal_ticket ticket = 0;

        must(m, stele_wal_append_async(m->files, m->records, count, &tickets[i], &err), "async",
                &err);
        must(m, stele_wal_append_async(m->memory, m->records, count, &ticket, &err),
                "async in memory", &err);
        must(m, stele_wal_wait(m->memory, ticket, NULL, &err), "wait in memory", &err);
        must_be(m, tickets[i] > 0 && (i == 0 || tickets[i] > tickets[i - 1]), "tickets ascend");
        id += count;
        must(m, stele_wal_next_id(m->files, &m->next, &m->any, &err), "next id", &err);
        must_be(m, m->next == id && !m->any, "the next id counts what is pending");
    }
    if (one_in(m, 2)) {
        const size_t i = (size_t)below(m, appends);

        must(m, stele_wal_wait(m->files, tickets[i], NULL, &err), "wait", &err);
        must(m, stele_wal_durable(m->files, &durable, &err), "durable", &err);
        must_be(m, durable >= tickets[i], "what was waited for is durable");
    }
    must(m, stele_wal_wait(m->files, tickets[appends - 1], NULL, &err), "wait", &err);
    must(m, stele_wal_wait(m->files, tickets[0], NULL, &err), "wait again", &err);
    must(m, stele_wal_durable(m->files, &durable, &err), "durable", &err);
    must_be(m, durable >= tickets[appends - 1], "all is durable");
}

/* What is refused, in both, and changes nothing. */
static void append_wrong(struct model *m)
{
    const uint64_t way = below(m, 4);
    size_t count = make_records(m, m->next);
    stele_code expected = STELE_ECONFLICT;
    stele_error err;
    stele_code code;

    m->sums->records -= count;
    if (way == 0 && !m->any) {
        for (size_t i = 0; i < count; i++) {
            m->records[i].id += 1 + below(m, 2);
        }
        m->records[0].id = m->next + (one_in(m, 2) ? 1 + below(m, 100) : (uint64_t)-1);
    } else if (way <= 1) {
        count = 2;
        make_record(m, 0, m->next, 10);
        make_record(m, 1, m->next + (one_in(m, 2) ? 0 : 2), 10);
    } else if (way == 2) {
        make_record(m, count - 1, m->next + count - 1, RECORD_MAX + 1);
        expected = STELE_ETOOBIG;
    } else {
        count = 0;
        expected = STELE_OK;
    }
    note(m, "wrong append %" PRIu64 ", %zu records", m->records[0].id, count);
    code = stele_wal_append(m->files, m->records, count, &err);
    must_be(m, code == expected, "a wrong append");
    code = stele_wal_append(m->memory, m->records, count, &err);
    must_be(m, code == expected, "a wrong append in memory");
}

/* ---- Reading. ---- */

static uint64_t choose_id(struct model *m)
{
    const uint64_t low = m->first > 3 ? m->first - 3 : 0;

    return m->empty ? below(m, 10) : low + below(m, m->last - low + 4);
}

static void read_one(struct model *m)
{
    const uint64_t id = choose_id(m);
    stele_wal_record a = {.id = id};
    stele_wal_record b = {.id = id};
    stele_buf files;
    stele_buf memory;
    stele_error err;
    stele_code code;

    note(m, "read %" PRIu64, id);
    stele_buf_init(&files, RECORD_MAX);
    stele_buf_init(&memory, RECORD_MAX);
    code = stele_wal_read(m->files, id, &files, &err);
    same_code(m, code, stele_wal_read(m->memory, id, &memory, NULL), "read", &err);
    if (code == STELE_OK) {
        a.data = stele_buf_view(&files);
        b.data = stele_buf_view(&memory);
        same_record(m, &a, &b, "read: other data");
    }
    must_be(m, (code == STELE_OK) == (!m->empty && id >= m->first && id <= m->last),
            "read: is it there");
    stele_buf_free(&files);
    stele_buf_free(&memory);
}

/* One step of both; false at the end. */
static bool step(struct model *m, stele_wal_iter *files, stele_wal_iter *memory)
{
    stele_wal_record a;
    stele_wal_record b;
    stele_wal_record again;
    stele_error err;
    const stele_code code = stele_wal_iter_next(files, &a, &err);

    same_code(m, code, stele_wal_iter_next(memory, &b, NULL), "iterator", &err);
    if (code != STELE_OK) {
        must_be(m, stele_wal_iter_error(files, NULL) == (code == STELE_END ? STELE_OK : code),
                "the iterator's error");
        return false;
    }
    same_record(m, &a, &b, "iterator: another record");
    must(m, stele_wal_iter_record(files, &again, &err), "iterator's record", &err);
    same_record(m, &again, &b, "the iterator's record");
    return true;
}

static void iterate_pair(struct model *m, stele_wal *w, uint64_t start, uint64_t limit)
{
    stele_wal_iter *files = NULL;
    stele_wal_iter *memory = NULL;
    stele_error err;

    must(m, stele_wal_iter_open(&files, w, start, &err), "iter_open", &err);
    must(m, stele_wal_iter_open(&memory, m->memory, start, &err), "iter_open in memory", &err);
    while (limit > 0 && step(m, files, memory)) {
        limit--;
    }
    must(m, stele_wal_iter_close(files, &err), "iter_close", &err);
    must(m, stele_wal_iter_close(memory, &err), "iter_close in memory", &err);
}

static void iterate(struct model *m)
{
    const uint64_t start = choose_id(m);
    const uint64_t limit = one_in(m, 8) ? UINT64_MAX : below(m, 40);

    note(m, "iterate from %" PRIu64, start);
    iterate_pair(m, m->files, start, limit);
}

static void drop_iter(struct model *m)
{
    if (m->files_iter != NULL) {
        const stele_code code = stele_wal_iter_close(m->files_iter, NULL);

        must_be(m, code == stele_wal_iter_close(m->memory_iter, NULL), "iter_close");
        m->files_iter = NULL;
        m->memory_iter = NULL;
    }
}

/* An iterator that lives on while records are appended and cut off. */
static void follow(struct model *m)
{
    stele_error err;
    uint64_t steps = 1 + below(m, 30);

    note(m, "follow");
    if (m->files_iter == NULL) {
        const uint64_t start = m->empty ? m->next : m->first + below(m, m->last - m->first + 2);

        must(m, stele_wal_iter_open(&m->files_iter, m->files, start, &err), "iter_open", &err);
        must(m, stele_wal_iter_open(&m->memory_iter, m->memory, start, &err), "iter_open", &err);
    }
    while (steps > 0 && step(m, m->files_iter, m->memory_iter)) {
        steps--;
    }
    if (stele_wal_iter_error(m->files_iter, NULL) != STELE_OK) {
        drop_iter(m);
    }
}

/* ---- A reader beside the writer. ---- */

static void drop_reader(struct model *m)
{
    stele_error err;

    if (m->reader != NULL) {
        must(m, stele_wal_iter_close(m->reader_iter, &err), "reader's iter_close", &err);
        must(m, stele_wal_close(m->reader, &err), "reader's close", &err);
        m->reader = NULL;
        m->reader_iter = NULL;
    }
}

static void open_reader(struct model *m)
{
    stele_wal_options opts = m->opts;
    stele_error err;

    opts.read_only = true;
    must(m, stele_wal_open(&m->reader, m->setup->dir, &opts, &err), "open read-only", &err);
    bounds(m, m->reader, false, "read-only");
    must_be(m, stele_wal_append(m->reader, m->records, 0, NULL) == STELE_EREADONLY, "read-only");
    must_be(m, stele_wal_truncate(m->reader, 0, NULL) == STELE_EREADONLY, "read-only truncate");
    must_be(m, stele_wal_trim(m->reader, UINT64_MAX, NULL) == STELE_EREADONLY, "read-only trim");
    iterate_pair(m, m->reader, choose_id(m), below(m, 100));
    m->reader_next = m->empty ? m->next : m->first + below(m, m->last - m->first + 1);
    must(m, stele_wal_iter_open(&m->reader_iter, m->reader, m->reader_next, &err), "reader", &err);
}

/* What was appended since is seen by the reader that was opened before. */
static void read_beside(struct model *m)
{
    stele_wal_iter *memory = NULL;
    stele_wal_record last = {.id = 0};
    stele_error err;

    note(m, "read beside the writer");
    if (m->reader == NULL) {
        open_reader(m);
    }
    must(m, stele_wal_iter_open(&memory, m->memory, m->reader_next, &err), "iter_open", &err);
    while (step(m, m->reader_iter, memory)) {
        must(m, stele_wal_iter_record(memory, &last, &err), "record", &err);
        m->reader_next = last.id + 1;
    }
    must(m, stele_wal_iter_close(memory, &err), "iter_close", &err);
    if (one_in(m, 4)) {
        drop_reader(m);
    }
}

/* ---- Cutting. ---- */

static void truncate_log(struct model *m)
{
    uint64_t id = m->last + 2 - below(m, 30 < m->last + 2 ? 30 : m->last + 2);
    stele_error err;

    if (one_in(m, 30)) {
        id = choose_id(m);
    }
    note(m, "truncate %" PRIu64, id);
    drop_reader(m);
    must(m, stele_wal_truncate(m->files, id, &err), "truncate", &err);
    must(m, stele_wal_truncate(m->memory, id, &err), "truncate in memory", &err);
    look(m);
    /* Where an iterator goes on that stands in an empty log is not said. */
    if (m->empty) {
        drop_iter(m);
    }
}

/* Bytes of the records up to `last`, as they are in segments. */
static uint64_t size_up_to(struct model *m, uint64_t last)
{
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    uint64_t size = 0;
    stele_error err;

    must(m, stele_wal_iter_open(&it, m->memory, 0, &err), "iter_open", &err);
    while (stele_wal_iter_next(it, &record, NULL) == STELE_OK && record.id <= last) {
        size += record.data.len + 24;
    }
    must(m, stele_wal_iter_close(it, &err), "iter_close", &err);
    return size;
}

static void trim_log(struct model *m, uint64_t id)
{
    uint64_t first = 0;
    bool empty = false;
    stele_error err;

    note(m, "trim %" PRIu64, id);
    drop_reader(m);
    drop_iter(m);
    must(m, stele_wal_trim(m->files, id, &err), "trim", &err);
    must(m, stele_wal_first_id(m->files, &first, &empty, &err), "first id", &err);
    if (m->empty) {
        must_be(m, empty, "trim: an empty log has a record");
        return;
    }
    if (empty) {
        must_be(m, id >= m->last, "trim: it emptied too much");
        must(m, stele_wal_trim(m->memory, m->last, &err), "trim in memory", &err);
        return;
    }
    must_be(m, first >= m->first && (first == m->first || first <= id + 1),
            "trim: records went that must not");
    must_be(m, id < m->last || m->setup->format == STELE_WAL_BLB, "trim: all had to go");
    if (first > m->first) {
        must(m, stele_wal_trim(m->memory, first - 1, &err), "trim in memory", &err);
    }
    must_be(m, size_up_to(m, id) <= LEFT_MAX, "trim: too much is left");
}

static void trim(struct model *m)
{
    if (m->empty) {
        trim_log(m, below(m, 1000));
    } else if (one_in(m, 40)) {
        trim_log(m, m->last + below(m, 2));
    } else {
        trim_log(m, m->first - (m->first > 0 ? 1 : 0) + below(m, (m->last - m->first) / 2 + 2));
    }
}

/* ---- The directory. ---- */

static void choose_options(struct model *m)
{
    static const uint64_t sizes[] = {4096, 5000, 8192, 16384};

    stele_wal_options_init(&m->opts);
    m->opts.env = m->setup->env;
    m->opts.create_dirs = true;
    m->opts.format = one_in(m, 2) || m->sums->reopened == 0 ? m->setup->format : STELE_WAL_ANY;
    m->opts.record_size_max = RECORD_MAX;
    m->opts.segment_size = sizes[below(m, sizeof sizes / sizeof sizes[0])];
    m->opts.no_background = one_in(m, 2);
    m->opts.no_map = one_in(m, 2);
    m->opts.no_recycle = one_in(m, 3);
}

static void close_files(struct model *m)
{
    stele_wal_stats stats;
    stele_error err;

    drop_reader(m);
    drop_iter(m);
    must(m, stele_wal_stat(m->files, &stats, &err), "stat", &err);
    m->sums->recycled += stats.recycled;
    must(m, stele_wal_close(m->files, &err), "close", &err);
    m->files = NULL;
}

static void reopen(struct model *m)
{
    stele_error err;

    note(m, "reopen");
    close_files(m);
    if (one_in(m, 3)) {
        open_reader(m); /* without a writer */
        drop_reader(m);
    }
    m->sums->reopened++;
    choose_options(m);
    must(m, stele_wal_open(&m->files, m->setup->dir, &m->opts, &err), "open", &err);
}

static void check(struct model *m)
{
    const uint64_t count = m->empty ? 0 : m->last - m->first + 1;
    stele_wal_checked checked;
    stele_wal_stats stats;
    stele_error err;

    note(m, "check, stat");
    must(m, stele_wal_check_dir(m->setup->dir, &m->opts, NULL, NULL, &checked, &err), "check",
            &err);
    must_be(m, checked.records == count, "check counts the records");
    must(m, stele_wal_stat_dir(m->setup->dir, &m->opts, &stats, &err), "stat_dir", &err);
    must_be(m,
            stats.empty == m->empty && stats.format == m->setup->format &&
                    (m->empty || (stats.first_id == m->first && stats.last_id == m->last)),
            "stat_dir");
    must_be(m, stats.segments == checked.segments, "stat_dir and check count segments alike");
}

/* What another process finds when this one is killed now; sometimes it recovers first. */
static void kill_and_open(struct model *m)
{
    struct sim_image *image;
    struct sim_world *world;
    const struct sim_disk_options disk = {.no_trace = true};
    stele_wal_options opts = m->opts;
    stele_wal *w = NULL;
    stele_error err;

    if (m->setup->world == NULL) {
        return;
    }
    note(m, "as after a kill");
    image = sim_disk_image(m->setup->world->disk);
    world = sim_world_new(draw(m), image, &disk);
    opts.env = &world->env;
    if (one_in(m, 2)) {
        stele_wal_recovered done;

        must(m, stele_wal_recover_dir(m->setup->dir, &opts, NULL, &done, &err), "recover", &err);
        must_be(m, done.cut_bytes == 0, "recovery cut something");
    }
    must(m, stele_wal_open(&w, m->setup->dir, &opts, &err), "open after a kill", &err);
    bounds(m, w, true, "after a kill");
    iterate_pair(m, w, 0, UINT64_MAX);
    must(m, stele_wal_close(w, &err), "close", &err);
    must_be(m, sim_disk_open_count(world->disk) == 0, "something is still open");
    sim_world_free(world);
    sim_image_unref(image);
}

/* ---- The run. ---- */

struct call {
    void (*run)(struct model *m);
    unsigned weight;
};

static const struct call calls[] = {
        {append, 300},
        {append_next, 60},
        {append_async, 60},
        {append_wrong, 30},
        {read_one, 200},
        {iterate, 80},
        {follow, 80},
        {read_beside, 20},
        {truncate_log, 80},
        {trim, 70},
        {reopen, 12},
        {check, 4},
        {kill_and_open, 4},
};

static void call_one(struct model *m)
{
    const struct call *call = calls;
    unsigned sum = 0;
    uint64_t at;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        sum += calls[i].weight;
    }
    for (at = below(m, sum); at >= call->weight; call++) {
        at -= call->weight;
    }
    call->run(m);
    look_and_compare(m);
    if (!m->empty && m->last - m->first > KEPT) {
        trim_log(m, m->last - KEPT / 2);
        look_and_compare(m);
    }
}

void wal_model_run(const struct wal_model_setup *setup, struct wal_model_sums *sums)
{
    struct model *m = calloc(1, sizeof *m);
    const stele_wal_options memory = {.struct_size = sizeof memory, .record_size_max = RECORD_MAX};
    stele_error err;

    assert_non_null(m);
    m->setup = setup;
    m->sums = sums;
    m->random = setup->seed;
    for (size_t i = 0; i < PATTERN_SIZE; i++) {
        m->pattern[i] = (uint8_t)draw(m);
    }
    choose_options(m);
    m->opts.format = setup->format;
    must(m, stele_wal_open(&m->files, setup->dir, &m->opts, &err), "open", &err);
    must(m, stele_wal_open_memory(&m->memory, &memory, &err), "open in memory", &err);
    look_and_compare(m);
    for (m->number = 1; m->number <= setup->operations; m->number++) {
        call_one(m);
    }
    m->number--;
    iterate_pair(m, m->files, 0, UINT64_MAX);
    close_files(m);
    must(m, stele_wal_close(m->memory, &err), "close in memory", &err);
    sums->operations += setup->operations;
    free(m);
}
