/* SPDX-License-Identifier: MIT */
#include "crash/wal_model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void wmodel_options(
        const struct wmodel_config *config, const stele_env *env, stele_wal_options *options)
{
    stele_wal_options_init(options);
    options->env = env;
    options->create_dirs = true;
    options->format = config->migrates ? STELE_WAL_ANY : config->format;
    options->segment_size = config->segment_size;
    options->record_size_max = WMODEL_DATA_MAX;
    options->no_map = config->no_map;
    options->no_recycle = config->no_recycle;
    options->no_background = true;
}

/* ---- Records. ---- */

static size_t data_len(const struct wmodel_config *config, uint64_t id, uint64_t value)
{
    if (id % 11 == 9) {
        return 0;
    }
    if (config->large) {
        return 300 + (size_t)(sim_mix(value) % 700);
    }
    return id % 13 == 5 ? 700 : 8 + (size_t)(sim_mix(value) % 60);
}

void wmodel_make(const struct wmodel_config *config, struct wmodel_record *out, uint64_t value)
{
    uint64_t id = value / WMODEL_ATTEMPTS;
    size_t len = data_len(config, id, value);
    uint64_t bits;

    for (size_t i = 0; i < len; i += sizeof bits) {
        /* No byte is zero, and no part of a record is one of another. */
        bits = sim_mix(value * WMODEL_DATA_MAX + i) | 0x0101010101010101U;
        memcpy(out->data + i, &bits, sizeof bits);
    }
    if (id % 6 == 1) {
        /* Zeros at the end of a record must not pass for a tail. */
        memset(out->data + len - len / 3, 0, len / 3);
    }
    out->record.id = id;
    out->record.data = len == 0 ? stele_nil() : stele_bytes_of(out->data, len);
}

/* ---- What the notes say. ---- */

void wmodel_init(struct wmodel *m, const struct wmodel_config *config)
{
    memset(m, 0, sizeof *m);
    m->config = config;
    m->migrated = -1;
    for (size_t i = 0; i < WMODEL_IDS; i++) {
        m->ids[i].acked = -1;
    }
}

static struct wmodel_id *id_at(struct wmodel *m, uint64_t id)
{
    if (id >= WMODEL_IDS) {
        abort(); /* A workload that is too long. */
    }
    return &m->ids[id];
}

static void add_append(struct wmodel *m, bool ack, uint64_t value)
{
    uint64_t id = value / WMODEL_ATTEMPTS;
    struct wmodel_id *at = id_at(m, id);
    unsigned attempt = value % WMODEL_ATTEMPTS;

    at->tried |= (uint64_t)1 << attempt;
    m->limit = id >= m->limit ? id + 1 : m->limit;
    if (ack) {
        at->acked = (int8_t)attempt;
        at->may_go = false;
        at->dead = at->tried & ~((uint64_t)1 << attempt);
    }
}

static void add_truncate(struct wmodel *m, bool ack, uint64_t keep)
{
    for (uint64_t id = keep + 1; id < m->limit; id++) {
        struct wmodel_id *at = id_at(m, id);

        if (ack) {
            at->dead = at->tried;
            at->acked = -1;
            at->may_go = false;
        } else {
            at->may_go = true;
        }
    }
}

void wmodel_add(struct wmodel *m, const struct sim_note *note)
{
    bool ack = note->kind == SIM_ACK;

    m->closed = ack && (m->closed || note->what == WMODEL_CLOSE);
    switch (note->what) {
    case WMODEL_APPEND:
        add_append(m, ack, note->value);
        break;
    case WMODEL_TRUNCATE:
        add_truncate(m, ack, note->value);
        break;
    case WMODEL_TRIM:
        m->trim = note->value > m->trim ? note->value : m->trim;
        break;
    case WMODEL_RECOVER:
        m->recovering = !ack;
        break;
    case WMODEL_CLOSE:
        break;
    default:
        m->migrated = ack ? (int64_t)note->value : -1;
        break;
    }
}

void wmodel_of_notes(
        struct wmodel *m, const struct wmodel_config *config, const struct sim_notes *notes)
{
    wmodel_init(m, config);
    for (size_t i = 0; i < notes->count; i++) {
        wmodel_add(m, &notes->list[i]);
    }
}

unsigned wmodel_next_attempt(const struct wmodel *m, uint64_t id)
{
    unsigned attempt = 0;

    while (id < WMODEL_IDS && attempt + 1 < WMODEL_ATTEMPTS &&
            (m->ids[id].tried >> attempt & 1) != 0) {
        attempt++;
    }
    return attempt;
}

static bool must_hold(const struct wmodel *m, uint64_t id)
{
    return m->ids[id].acked >= 0 && !m->ids[id].may_go && id > m->trim;
}

bool wmodel_must_hold(const struct wmodel *m)
{
    for (uint64_t id = 0; id < m->limit; id++) {
        if (must_hold(m, id)) {
            return true;
        }
    }
    return false;
}

/* ---- Judging. ---- */

bool wmodel_scans_equal(const struct wmodel_scan *a, const struct wmodel_scan *b)
{
    return a->count == b->count && memcmp(a->values, b->values, a->count * sizeof *a->values) == 0;
}

/* Which attempt the data is, of those that may be there; -1: none. */
static int attempt_of(const struct wmodel *m, const stele_wal_record *record, uint64_t allowed)
{
    struct wmodel_record made;

    for (int attempt = 0; attempt < WMODEL_ATTEMPTS; attempt++) {
        if ((allowed >> attempt & 1) != 0) {
            wmodel_make(m->config, &made, wmodel_value(record->id, (unsigned)attempt));
            if (stele_bytes_equal(made.record.data, record->data) ||
                    (made.record.data.len == 0 && record->data.len == 0)) {
                return attempt;
            }
        }
    }
    return -1;
}

static int take(const struct wmodel *m, const stele_wal_record *record, struct wmodel_scan *out,
        const struct crash_why *why)
{
    const struct wmodel_id *at;
    int attempt;

    if (out->count > 0 && record->id != wmodel_last(out) + 1) {
        return crash_wrong(
                why, "record %" PRIu64 " follows %" PRIu64, record->id, wmodel_last(out));
    }
    if (record->id >= m->limit) {
        return crash_wrong(why, "record %" PRIu64 " was never appended", record->id);
    }
    at = &m->ids[record->id];
    attempt = attempt_of(m, record, at->tried & ~at->dead);
    if (attempt < 0) {
        attempt = attempt_of(m, record, at->dead);
        return crash_wrong(why,
                attempt >= 0 ? "record %" PRIu64 " has come back"
                             : "record %" PRIu64 " is none that was appended",
                record->id);
    }
    out->values[out->count++] = wmodel_value(record->id, (unsigned)attempt);
    return 0;
}

int wmodel_read(stele_wal *wal, const struct wmodel *m, struct wmodel_scan *out,
        const struct crash_why *why)
{
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    stele_error err;
    stele_code rc = stele_wal_iter_open(&it, wal, 0, &err);
    int result = 0;

    out->count = 0;
    if (rc != STELE_OK) {
        return crash_failed(why, "open an iterator", rc, &err);
    }
    while (result == 0) {
        rc = stele_wal_iter_next(it, &record, &err);
        if (rc != STELE_OK) {
            break;
        }
        result = take(m, &record, out, why);
    }
    if (result == 0 && rc != STELE_END) {
        result = crash_failed(why, "iterate", rc, &err);
    }
    rc = stele_wal_iter_close(it, &err);
    return result != 0 || rc == STELE_OK ? result
                                         : crash_failed(why, "close an iterator", rc, &err);
}

int wmodel_check_kept(
        const struct wmodel *m, const struct wmodel_scan *scan, const struct crash_why *why)
{
    uint64_t first = wmodel_first(scan);

    for (uint64_t id = 0; id < m->limit; id++) {
        if (must_hold(m, id) && (scan->count == 0 || id < first || id > wmodel_last(scan))) {
            return crash_wrong(why,
                    "record %" PRIu64 " was acknowledged and is lost; there are %" PRIu64
                    " to %" PRIu64,
                    id, first, wmodel_last(scan));
        }
        if (must_hold(m, id) &&
                scan->values[id - first] % WMODEL_ATTEMPTS != (uint64_t)m->ids[id].acked) {
            return crash_wrong(why, "record %" PRIu64 " is not the one that was acknowledged", id);
        }
    }
    return 0;
}

/* ---- Queries. ---- */

static int check_bounds(stele_wal *wal, const struct wmodel_scan *scan, const struct crash_why *why)
{
    uint64_t first = 0;
    uint64_t last = 0;
    bool empty = false;
    bool empty_too = false;
    stele_error err;
    stele_code rc = stele_wal_first_id(wal, &first, &empty, &err);

    rc = rc != STELE_OK ? rc : stele_wal_last_id(wal, &last, &empty_too, &err);
    if (rc != STELE_OK) {
        return crash_failed(why, "first and last id", rc, &err);
    }
    if (empty != (scan->count == 0) || empty_too != empty || first != wmodel_first(scan) ||
            last != wmodel_last(scan)) {
        return crash_wrong(why,
                "the log says it has %" PRIu64 " to %" PRIu64 ", and holds %" PRIu64 " to %" PRIu64,
                first, last, wmodel_first(scan), wmodel_last(scan));
    }
    return 0;
}

static int check_stat(stele_wal *wal, const struct wmodel_scan *scan, const struct crash_why *why)
{
    stele_wal_stats stats;
    stele_error err;
    stele_code rc = stele_wal_stat(wal, &stats, &err);

    if (rc != STELE_OK) {
        return crash_failed(why, "stat", rc, &err);
    }
    if (stats.empty != (scan->count == 0) || stats.first_id != wmodel_first(scan) ||
            stats.last_id != wmodel_last(scan)) {
        return crash_wrong(why, "stat: %" PRIu64 " to %" PRIu64 ", and not %" PRIu64 " to %" PRIu64,
                stats.first_id, stats.last_id, wmodel_first(scan), wmodel_last(scan));
    }
    return 0;
}

static int check_read(
        stele_wal *wal, const struct wmodel *m, uint64_t value, const struct crash_why *why)
{
    struct wmodel_record made;
    stele_buf buf;
    stele_error err;
    stele_code rc;
    int result = 0;

    wmodel_make(m->config, &made, value);
    stele_buf_init(&buf, WMODEL_DATA_MAX);
    rc = stele_wal_read(wal, made.record.id, &buf, &err);
    if (rc != STELE_OK) {
        result = crash_failed(why, "read by id", rc, &err);
    } else if (stele_buf_view(&buf).len != made.record.data.len ||
               (made.record.data.len > 0 &&
                       !stele_bytes_equal(stele_buf_view(&buf), made.record.data))) {
        result = crash_wrong(
                why, "record %" PRIu64 " is another one when read by id", made.record.id);
    }
    stele_buf_free(&buf);
    return result;
}

static int check_absent(stele_wal *wal, uint64_t id, const struct crash_why *why)
{
    stele_buf buf;
    stele_error err;
    stele_code rc;

    stele_buf_init(&buf, WMODEL_DATA_MAX);
    rc = stele_wal_read(wal, id, &buf, &err);
    stele_buf_free(&buf);
    if (rc == STELE_OK) {
        return crash_wrong(why, "record %" PRIu64 " can be read, and is not there", id);
    }
    return rc == STELE_ENOTFOUND ? 0 : crash_failed(why, "read what is not there", rc, &err);
}

int wmodel_check_queries(stele_wal *wal, const struct wmodel *m, const struct wmodel_scan *scan,
        const struct crash_why *why)
{
    int result = check_bounds(wal, scan, why);

    result = result != 0 ? result : check_stat(wal, scan, why);
    for (size_t i = 0; i < scan->count && result == 0; i++) {
        result = check_read(wal, m, scan->values[i], why);
    }
    result = result != 0 ? result : check_absent(wal, wmodel_last(scan) + 1, why);
    if (result == 0 && wmodel_first(scan) > 1) {
        result = check_absent(wal, wmodel_first(scan) - 1, why);
    }
    return result;
}
