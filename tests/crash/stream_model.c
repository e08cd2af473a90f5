/* SPDX-License-Identifier: MIT */
#include "crash/stream_model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEYS = 4, /* fewer than ten */
    KEY_SIZE = 8,
    CHUNK = 3, /* messages read at once */
    LARGE = 700,
    TIME_STEP = 20, /* more than there are attempts */
    TIME_DIP = 50,
    TIME_LEAP = 170
};

#define TIME_START ((stele_time)1700000000000000)

void model_options(
        const struct model_config *config, const stele_env *env, stele_stream_options *options)
{
    stele_stream_options_init(options);
    options->env = env;
    options->create_dirs = true;
    options->key_index = config->keys;
    options->time_index = config->times;
    options->auto_sync = config->auto_sync;
    options->no_map = config->no_map;
    options->rollover = config->rollover;
    options->new_segments = config->version;
    options->keep_rewrite_version = config->keep_version;
    options->eager_migrate = config->eager_migrate;
    options->no_background = !config->deferred;
}

/* ---- Messages. ---- */

/* The same for all attempts, so that one fits where another was. */
static size_t value_len(int64_t offset)
{
    if (offset % 11 == 9) {
        return 0;
    }
    return offset % 13 == 5 ? LARGE : 10 + (size_t)(sim_mix(model_value(offset, 0)) % 60);
}

/* Times rise, but for some that are earlier than the message before, and one that is later than
 * those of the next segment. */
static stele_time time_of(int64_t offset, unsigned attempt)
{
    stele_time own = offset % 5 == 3 ? -TIME_DIP : offset % 16 == 4 ? TIME_LEAP : 0;

    return TIME_START + offset * TIME_STEP + own + attempt;
}

/* The number of the key. */
static int key_of(uint64_t value)
{
    return (int)((value / MODEL_ATTEMPTS + value % MODEL_ATTEMPTS) % KEYS);
}

static size_t make_key(char key[KEY_SIZE], int number)
{
    key[0] = 'k';
    key[1] = (char)('0' + number);
    key[2] = '\0';
    return 2;
}

void model_make(struct model_message *out, uint64_t value)
{
    int64_t offset = (int64_t)(value / MODEL_ATTEMPTS);
    size_t len = value_len(offset);
    size_t key_len = make_key(out->key, key_of(value));
    uint64_t bits;

    for (size_t i = 0; i < len; i += sizeof bits) {
        /* No byte is zero, and no part of a value is one of another. */
        bits = sim_mix(value * MODEL_VALUE_MAX + i) | 0x0101010101010101U;
        memcpy(out->value + i, &bits, sizeof bits);
    }
    if (offset % 6 == 1) {
        /* Zeros at the end of a message must not pass for a tail. */
        memset(out->value + len - len / 3, 0, len / 3);
    }
    out->message.offset = offset;
    out->message.time = time_of(offset, value % MODEL_ATTEMPTS);
    out->message.key = offset % 7 == 6 ? stele_nil() : stele_bytes_of(out->key, key_len);
    out->message.value = len == 0 ? stele_nil() : stele_bytes_of(out->value, len);
}

bool model_same(const stele_message *read, uint64_t value)
{
    int64_t offset = (int64_t)(value / MODEL_ATTEMPTS);
    struct model_message made;

    /* Most that are asked for differ in this, and to make one takes a while. */
    if (read->offset != offset || read->time != time_of(offset, value % MODEL_ATTEMPTS) ||
            read->value.len != value_len(offset)) {
        return false;
    }
    model_make(&made, value);
    return read->offset == made.message.offset && read->time == made.message.time &&
           stele_bytes_equal(read->key, made.message.key) &&
           stele_bytes_equal(read->value, made.message.value);
}

/* ---- What the notes say. ---- */

bool model_finds(const struct model *m, const stele_message *read, uint64_t *value)
{
    /* The time tells which attempt it can be. */
    uint64_t attempt = (uint64_t)read->time - (uint64_t)time_of(read->offset, 0);

    if (attempt >= MODEL_ATTEMPTS || (m->offsets[read->offset].tried >> attempt & 1) == 0) {
        return false;
    }
    *value = model_value(read->offset, (unsigned)attempt);
    return model_same(read, *value);
}

void model_init(struct model *m)
{
    memset(m, 0, sizeof *m);
    m->backup = -1;
    m->migrated = -1;
    m->shown = -1;
}

static void add_kept(struct model *m, uint64_t hash)
{
    for (size_t i = 0; i < m->aside_count; i++) {
        if (m->aside[i] == hash) {
            return;
        }
    }
    if (m->aside_count == MODEL_ASIDE) {
        abort(); /* A workload that tears too much. */
    }
    m->aside[m->aside_count++] = hash;
}

/* Of a note about the whole stream; false if it is about an offset. */
static bool add_whole(struct model *m, const struct sim_note *note)
{
    bool ack = note->kind == SIM_ACK;
    int64_t number = (int64_t)note->value;

    switch (note->what) {
    case MODEL_DURABLE:
        m->durable = ack && number > m->durable ? number : m->durable;
        return true;
    case MODEL_MIGRATED:
        m->migrated = ack ? number : m->migrated;
        m->rewrites = true;
        return true;
    case MODEL_BACKUP:
        m->backup = ack ? number : m->backup;
        return true;
    case MODEL_SHOWN:
        m->shown = number > m->shown ? number : m->shown;
        return true;
    case MODEL_KEPT:
        add_kept(m, note->value);
        return true;
    default:
        return false;
    }
}

void model_add(struct model *m, const struct sim_note *note)
{
    bool ack = note->kind == SIM_ACK;
    bool valued = note->what == MODEL_PUBLISH || note->what == MODEL_REFUSED;
    int64_t number = (int64_t)note->value;
    int64_t offset = valued ? number / MODEL_ATTEMPTS : number;
    uint32_t bit = valued ? 1U << note->value % MODEL_ATTEMPTS : 0;
    struct model_offset *o;

    if (add_whole(m, note)) {
        return;
    }
    if (offset < 0 || offset >= MODEL_OFFSETS) {
        abort(); /* A workload that is too long. */
    }
    o = &m->offsets[offset];
    switch (note->what) {
    case MODEL_PUBLISH:
        o->tried |= bit;
        o->visible |= ack ? bit : 0U;
        m->limit = offset >= m->limit ? offset + 1 : m->limit;
        break;
    case MODEL_REFUSED:
        o->refused |= bit;
        break;
    case MODEL_DELETE:
        o->may_go = true;
        o->gone = o->gone || ack;
        m->rewrites = true;
        break;
    case MODEL_SEEN:
        o->seen = true;
        break;
    default: /* MODEL_LOST, MODEL_DAMAGED */
        o->may_go = true;
        o->damaged = o->damaged || note->what == MODEL_DAMAGED;
        break;
    }
}

void model_of_notes(struct model *m, const struct sim_notes *notes)
{
    model_init(m);
    for (size_t i = 0; i < notes->count; i++) {
        model_add(m, &notes->list[i]);
    }
}

unsigned model_next_attempt(const struct model *m, int64_t offset)
{
    unsigned attempt = 0;

    while (offset < MODEL_OFFSETS && (m->offsets[offset].tried >> attempt & 1) != 0) {
        attempt++;
    }
    return attempt < MODEL_ATTEMPTS ? attempt : MODEL_ATTEMPTS - 1;
}

/* ---- Judging. ---- */

/* Take over what one call returned. */
static int take_messages(const stele_messages *ms, const struct model *m, struct model_scan *out,
        const struct crash_why *why)
{
    for (size_t i = 0; i < stele_messages_count(ms); i++) {
        const stele_message *read = stele_messages_at(ms, i);

        if (out->count > 0 &&
                read->offset <= (int64_t)(out->values[out->count - 1] / MODEL_ATTEMPTS)) {
            return crash_wrong(why, "offset %" PRId64 " comes after a higher one", read->offset);
        }
        if (read->offset < 0 || read->offset >= m->limit) {
            return crash_wrong(why, "offset %" PRId64 " was never published", read->offset);
        }
        if (!model_finds(m, read, &out->values[out->count])) {
            return crash_wrong(why, "the message of offset %" PRId64 " is none that was published",
                    read->offset);
        }
        out->count++;
    }
    return 0;
}

int model_read(
        stele_stream *s, const struct model *m, struct model_scan *out, const struct crash_why *why)
{
    int64_t at = STELE_OFFSET_OLDEST;
    stele_messages *ms;
    stele_error err;
    stele_code rc = stele_messages_new(&ms, &err);
    int result = 0;

    if (rc != STELE_OK) {
        return crash_failed(why, "new container", rc, &err);
    }
    out->count = 0;
    for (;;) {
        int64_t next;

        rc = stele_stream_consume(s, at, CHUNK, ms, &next, &err);
        if (rc != STELE_OK) {
            result = crash_failed(why, "consume", rc, &err);
            break;
        }
        result = take_messages(ms, m, out, why);
        if (result != 0 || next == at) {
            break;
        }
        if (next < at) {
            result = crash_wrong(why, "consume goes back, to %" PRId64, next);
            break;
        }
        at = next;
    }
    stele_messages_free(ms);
    if (result != 0) {
        return result;
    }
    rc = stele_stream_next_offset(s, &out->next, &err);
    if (rc != STELE_OK) {
        return crash_failed(why, "next offset", rc, &err);
    }
    if (out->next >= MODEL_OFFSETS) {
        return crash_wrong(why, "the next offset is %" PRId64, out->next);
    }
    if (at != out->next) {
        return crash_wrong(why, "consume ends at %" PRId64 ", next is %" PRId64, at, out->next);
    }
    return 0;
}

/* The highest bit alone. */
static uint32_t newest_of(uint32_t attempts)
{
    while ((attempts & (attempts - 1)) != 0) {
        attempts &= attempts - 1;
    }
    return attempts;
}

int model_check_kept(
        const struct model *m, const struct model_scan *scan, const struct crash_why *why)
{
    size_t at = 0;

    for (int64_t i = 0; i < m->limit; i++) {
        const struct model_offset *o = &m->offsets[i];
        bool there = at < scan->count && (int64_t)(scan->values[at] / MODEL_ATTEMPTS) == i;
        uint32_t bit = there ? 1U << scan->values[at] % MODEL_ATTEMPTS : 0;
        uint32_t newest = newest_of(o->visible);

        at += there ? 1 : 0;
        if (there && o->gone) {
            return crash_wrong(why, "offset %" PRId64 " was deleted and is there", i);
        }
        if (there && (o->refused & bit) != 0) {
            return crash_wrong(why, "offset %" PRId64 " is there, whose publish was refused", i);
        }
        /* What was tried after the last one that was visible may be there, but not over one
         * that was durable. */
        if (there && o->visible != 0 && (i < m->durable ? newest != bit : newest > bit)) {
            return crash_wrong(
                    why, "offset %" PRId64 " has another message than was acknowledged", i);
        }
        if (!there && i < m->durable && o->visible != 0 && !o->may_go) {
            return crash_wrong(why, "offset %" PRId64 " was durable and is not there", i);
        }
    }
    if (scan->next < m->durable) {
        return crash_wrong(why, "the next offset is %" PRId64 ", and %" PRId64 " was durable",
                scan->next, m->durable);
    }
    return 0;
}

bool model_scans_equal(const struct model_scan *a, const struct model_scan *b)
{
    return a->count == b->count && a->next == b->next &&
           memcmp(a->values, b->values, a->count * sizeof a->values[0]) == 0;
}

/* ---- Queries. ---- */

struct query {
    stele_stream *s;
    const struct model_config *config;
    const struct model *m;
    const struct model_scan *scan;
    const struct crash_why *why;
    stele_messages *ms;
    stele_error err;
};

static int64_t offset_at(const struct model_scan *scan, size_t i)
{
    return (int64_t)(scan->values[i] / MODEL_ATTEMPTS);
}

static stele_time time_at(const struct model_scan *scan, size_t i)
{
    return time_of(offset_at(scan, i), scan->values[i] % MODEL_ATTEMPTS);
}

/* A call gave this code, and with STELE_OK the i-th message of the scan. */
static int expect_message(struct query *q, const char *call, int64_t asked, stele_code rc,
        stele_code expected, size_t i)
{
    if (rc != expected) {
        return rc < 0 ? crash_failed(q->why, call, rc, &q->err)
                      : crash_wrong(q->why, "%s(%" PRId64 ") finds something", call, asked);
    }
    if (rc == STELE_OK && (stele_messages_count(q->ms) != 1 ||
                                  !model_same(stele_messages_at(q->ms, 0), q->scan->values[i]))) {
        return crash_wrong(q->why, "%s(%" PRId64 ") gives another message", call, asked);
    }
    return 0;
}

static int check_get(struct query *q)
{
    const struct model_scan *scan = q->scan;
    stele_code empty = STELE_EOFFSET;
    stele_code rc;
    size_t i = 0;
    int result;

    for (int64_t offset = 0; offset <= scan->next; offset++) {
        bool there = i < scan->count && offset_at(scan, i) == offset;
        stele_code expected = there                                    ? STELE_OK
                              : offset < scan->next && scan->count > 0 ? STELE_ENOTFOUND
                                                                       : STELE_EOFFSET;

        rc = stele_stream_get(q->s, offset, q->ms, &q->err);
        if (scan->count == 0 && rc == STELE_ENOTFOUND) {
            expected = rc; /* Emptied by deletion. */
        }
        result = expect_message(q, "get", offset, rc, expected, i);
        if (result != 0) {
            return result;
        }
        i += there ? 1 : 0;
    }
    rc = stele_stream_get(q->s, STELE_OFFSET_OLDEST, q->ms, &q->err);
    result = expect_message(
            q, "get", STELE_OFFSET_OLDEST, rc, scan->count > 0 ? STELE_OK : empty, 0);
    if (result != 0) {
        return result;
    }
    rc = stele_stream_get(q->s, STELE_OFFSET_NEWEST, q->ms, &q->err);
    return expect_message(
            q, "get", STELE_OFFSET_NEWEST, rc, scan->count > 0 ? STELE_OK : empty, scan->count - 1);
}

/* Whether the i-th message has the k-th key. */
static bool has_key(const struct model_scan *scan, size_t i, int k)
{
    return key_of(scan->values[i]) == k && offset_at(scan, i) % 7 != 6;
}

static int check_consume_key(struct query *q, stele_bytes key, int k)
{
    int64_t at = STELE_OFFSET_OLDEST;
    size_t i = 0;

    for (;;) {
        int64_t next;
        stele_code rc = stele_stream_consume_by_key(q->s, key, at, CHUNK, q->ms, &next, &q->err);

        if (rc != STELE_OK) {
            return crash_failed(q->why, "consume by key", rc, &q->err);
        }
        for (size_t j = 0; j < stele_messages_count(q->ms); j++, i++) {
            while (i < q->scan->count && !has_key(q->scan, i, k)) {
                i++;
            }
            if (i == q->scan->count ||
                    !model_same(stele_messages_at(q->ms, j), q->scan->values[i])) {
                return crash_wrong(q->why, "consume by key gives a message too many");
            }
        }
        if (next == at) {
            break;
        }
        at = next;
    }
    while (i < q->scan->count && !has_key(q->scan, i, k)) {
        i++;
    }
    return i == q->scan->count ? 0 : crash_wrong(q->why, "consume by key misses a message");
}

static int check_keys(struct query *q)
{
    for (int k = 0; k <= KEYS; k++) {
        char text[KEY_SIZE];
        size_t last = q->scan->count;
        stele_bytes key;
        stele_code rc;
        int result;

        key = stele_bytes_of(text, make_key(text, k));
        for (size_t i = 0; i < q->scan->count; i++) {
            last = has_key(q->scan, i, k) ? i : last;
        }
        rc = stele_stream_get_by_key(q->s, key, q->ms, &q->err);
        result = expect_message(q, "get by key", k, rc,
                !q->config->keys         ? STELE_ENOINDEX
                : last == q->scan->count ? STELE_ENOTFOUND
                                         : STELE_OK,
                last);
        if (result == 0 && q->config->keys) {
            result = check_consume_key(q, key, k);
        }
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

/* The index time of a message is its own or that of an earlier one, which
 * may have been deleted since: an answer lies between the two readings. */
static int check_time(struct query *q, stele_time t)
{
    size_t late = 0;
    size_t early = 0;
    stele_time got_time;
    int64_t got;
    int64_t tried = 0;
    stele_time highest = INT64_MIN;
    stele_code rc = stele_stream_offset_by_time(q->s, t, &got, &got_time, &q->err);

    while (late < q->scan->count && time_at(q->scan, late) < t) {
        late++;
    }
    for (; early < late; early++) {
        for (; tried <= offset_at(q->scan, early); tried++) {
            stele_time own =
                    q->m->offsets[tried].tried != 0 ? time_of(tried, MODEL_ATTEMPTS) : INT64_MIN;

            highest = own > highest ? own : highest;
        }
        if (highest >= t) {
            break;
        }
    }
    if (rc == STELE_ENOTFOUND && late == q->scan->count) {
        return 0;
    }
    if (rc != STELE_OK) {
        return crash_failed(q->why, "offset by time", rc, &q->err);
    }
    for (size_t i = early; i <= late && i < q->scan->count; i++) {
        if (offset_at(q->scan, i) == got && time_at(q->scan, i) == got_time) {
            return 0;
        }
    }
    return crash_wrong(q->why, "time %" PRId64 " finds offset %" PRId64, t, got);
}

static int check_times(struct query *q)
{
    int result = 0;

    if (!q->config->times) {
        int64_t offset;
        stele_code rc = stele_stream_offset_by_time(q->s, 0, &offset, NULL, &q->err);

        return rc == STELE_ENOINDEX ? 0 : crash_wrong(q->why, "by time works without an index");
    }
    for (int64_t i = 0; i <= q->scan->next && result == 0; i++) {
        result = check_time(q, TIME_START + i * TIME_STEP - (i % 2 == 0 ? 0 : TIME_STEP / 2));
    }
    return result;
}

static int check_stat(struct query *q)
{
    stele_stream_stats stats;
    stele_code rc = stele_stream_stat(q->s, &stats, &q->err);

    if (rc != STELE_OK) {
        return crash_failed(q->why, "stat", rc, &q->err);
    }
    if (stats.messages != (int64_t)q->scan->count || stats.next_offset != q->scan->next ||
            stats.oldest != (q->scan->count > 0 ? offset_at(q->scan, 0) : STELE_OFFSET_INVALID) ||
            stats.key_index != q->config->keys || stats.time_index != q->config->times) {
        return crash_wrong(q->why,
                "stat: %" PRId64 " messages, oldest %" PRId64 ", next %" PRId64 " and not %zu, "
                "%" PRId64,
                stats.messages, stats.oldest, stats.next_offset, q->scan->count, q->scan->next);
    }
    return 0;
}

int model_check_queries(stele_stream *s, const struct model_config *config, const struct model *m,
        const struct model_scan *scan, const struct crash_why *why)
{
    struct query q = {.s = s, .config = config, .m = m, .scan = scan, .why = why};
    stele_code rc = stele_messages_new(&q.ms, &q.err);
    int result;

    if (rc != STELE_OK) {
        return crash_failed(why, "new container", rc, &q.err);
    }
    result = check_get(&q);
    result = result != 0 ? result : check_keys(&q);
    result = result != 0 ? result : check_times(&q);
    result = result != 0 ? result : check_stat(&q);
    stele_messages_free(q.ms);
    return result;
}
