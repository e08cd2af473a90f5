/* SPDX-License-Identifier: MIT
 *
 * cmd_wal_append.c: `stele wal append`.
 *
 * Lines are gathered and appended many at a time (intake.h), since each time
 * is a sync. An append goes into one segment, so batches are small beside it.
 */
#include "cli/cmd_wal.h"
#include "cli/intake.h"
#include "cli/json_in.h"
#include "cli/output.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_COUNT = 1024,
    COUNT_MAX = 1 << 20, /* with --batch */
    BATCH_SIZE = 256 << 10,
    KEEP_SIZE = 8 << 20, /* memory that a batch keeps for the next one */
    RECORD_MAX = 64 << 20
};

/* A record of the batch, whose bytes move as they grow. */
struct pending {
    uint64_t id;
    size_t at;
    size_t len;
};

struct appender {
    const struct sti_wal_args *args;
    stele_wal *wal;
    bool json;
    struct sti_intake intake;
    struct pending *pending;
    stele_wal_record *records;
    size_t count;
    size_t capacity; /* of both */
    stele_buf bytes;
    size_t batch_count; /* what makes a batch full */
    size_t batch_size;
    uint64_t record_max;
    uint64_t next_id; /* of the next line */
    bool any_id;      /* the log is empty, and so is the batch */
    bool empty;
    uint64_t last_id; /* of what is durable, unless `empty` */
};

static void print_summary(const struct appender *a, bool json)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "appended", a->intake.written);
        if (a->empty) {
            sti_json_null(&j, "last_id");
        } else {
            sti_json_uint(&j, "last_id", a->last_id);
        }
        sti_json_end(&j);
        return;
    }
    sti_row_int("appended", a->intake.written);
    if (!a->empty) {
        sti_row_uint("last id", a->last_id);
    }
}

static void print_answer(const void *arg)
{
    print_summary(arg, true);
}

/* ---- The batch. ---- */

/* Twice the room, up to a full batch. */
static stele_code make_room(struct appender *a, stele_error *err)
{
    size_t capacity = a->capacity == 0 ? 64 : a->capacity * 2;
    struct pending *pending;
    stele_wal_record *records;

    if (a->count < a->capacity) {
        return STELE_OK;
    }
    pending = realloc(a->pending, capacity * sizeof *pending);
    if (pending != NULL) {
        a->pending = pending;
    }
    records = realloc(a->records, capacity * sizeof *records);
    if (records != NULL) {
        a->records = records;
    }
    if (pending == NULL || records == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for a batch of %zu records", capacity);
    }
    a->capacity = capacity;
    return STELE_OK;
}

static stele_code append_batch(void *arg, stele_error *err)
{
    struct appender *a = arg;
    stele_code code;

    for (size_t i = 0; i < a->count; i++) {
        const struct pending *from = &a->pending[i];

        a->records[i].id = from->id;
        a->records[i].data = from->len == 0 ? stele_empty()
                                            : stele_bytes_of(a->bytes.data + from->at, from->len);
    }
    code = stele_wal_append(a->wal, a->records, a->count, err);
    if (code != STELE_OK) {
        return code;
    }
    a->empty = false;
    a->last_id = a->pending[a->count - 1].id;
    a->count = 0;
    if (a->bytes.capacity > KEEP_SIZE) {
        stele_buf_free(&a->bytes);
    } else {
        stele_buf_clear(&a->bytes);
    }
    return STELE_OK;
}

static bool batch_fits(const void *arg, size_t len)
{
    const struct appender *a = arg;

    return a->bytes.len <= STELE_WAL_BATCH_MAX && len <= STELE_WAL_BATCH_MAX - a->bytes.len;
}

static bool batch_is_full(const void *arg)
{
    const struct appender *a = arg;

    return a->count >= a->batch_count || a->bytes.len >= a->batch_size;
}

/* ---- Lines. ---- */

static stele_code check_id(const struct appender *a, uint64_t id, stele_error *err)
{
    if (id != a->next_id && !a->any_id) {
        return sti_cli_fail(err, STELE_ECONFLICT,
                "id %" PRIu64 " does not follow; the next one is %" PRIu64, id, a->next_id);
    }
    return STELE_OK;
}

static stele_code add(struct appender *a, uint64_t id, stele_bytes data, stele_error *err)
{
    stele_code code = check_id(a, id, err);

    if (code == STELE_OK && data.len > a->record_max) {
        code = sti_cli_fail(err, STELE_ETOOBIG, "a record of %zu bytes; the longest is %" PRIu64,
                data.len, a->record_max);
    }
    if (code == STELE_OK) {
        code = make_room(a, err);
    }
    if (code == STELE_OK) {
        const struct pending added = {id, a->bytes.len, data.len};

        code = stele_buf_append(&a->bytes, data, err);
        a->pending[a->count] = added;
    }
    if (code == STELE_OK) {
        a->count++;
        a->next_id = id + 1;
        a->any_id = false;
    }
    return code;
}

static stele_code parse(
        const struct sti_object *o, struct sti_number *id, struct sti_data *data, stele_error *err)
{
    static const char *const names[] = {"id", "data", "data_b64"};
    stele_code code = sti_object_only(o, names, sizeof names / sizeof names[0], err);

    if (code == STELE_OK) {
        code = sti_object_integer(o, "id", id, err);
    }
    if (code == STELE_OK && id->given && id->value < 0) {
        code = sti_cli_fail(err, STELE_EINVAL, "\"id\" %" PRId64 " is negative", id->value);
    }
    if (code == STELE_OK) {
        code = sti_object_bytes(o, "data", data, err);
    }
    if (code == STELE_OK && !data->given) {
        code = sti_cli_fail(err, STELE_EINVAL, "no \"data\"");
    }
    return code;
}

static stele_code add_json(struct appender *a, stele_bytes line, stele_error *err)
{
    struct sti_number id = {false, 0};
    struct sti_data data = {false, {NULL, 0}, NULL};
    struct sti_object o = {NULL};
    stele_code code = sti_object_parse(line, &o, err);

    if (code == STELE_OK) {
        code = parse(&o, &id, &data, err);
    }
    if (code == STELE_OK) {
        code = add(a, id.given ? (uint64_t)id.value : a->next_id, data.bytes, err);
    }
    free(data.owned);
    sti_object_free(&o);
    return code;
}

static stele_code add_line(void *arg, stele_bytes line, stele_error *err)
{
    struct appender *a = arg;

    return a->json ? add_json(a, line, err) : add(a, a->next_id, line, err);
}

static const struct sti_intake_calls calls = {
        .add = add_line,
        .fits = batch_fits,
        .is_full = batch_is_full,
        .write = append_batch,
        .print = print_answer,
};

/* ---- The verb. ---- */

/* An eighth of a segment, so that one is little larger than was asked for;
 * but what --batch asks for counts more. */
static void set_batch(struct appender *a)
{
    const int64_t size = a->args->segment_size.value / 8;
    const int64_t count = a->args->batch.value;

    a->batch_count = BATCH_COUNT;
    a->batch_size = a->args->segment_size.given && size < BATCH_SIZE ? (size_t)size : BATCH_SIZE;
    if (a->args->batch.given) {
        a->batch_count = count < COUNT_MAX ? (size_t)count : COUNT_MAX;
        a->batch_size = STELE_WAL_BATCH_MAX;
    }
}

/* Where the log ends, and what it takes. The lock is ours: nobody else appends. */
static stele_code look(struct appender *a, stele_error *err)
{
    stele_wal_stats stats;
    stele_code code = stele_wal_stat(a->wal, &stats, err);

    if (code == STELE_OK) {
        code = stele_wal_next_id(a->wal, &a->next_id, &a->any_id, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    a->empty = stats.empty;
    a->last_id = stats.last_id;
    a->record_max = a->args->record_max.given ? (uint64_t)a->args->record_max.value : RECORD_MAX;
    if (stats.format == STELE_WAL_BLB && a->record_max > STELE_WAL_BLB_RECORD_MAX) {
        a->record_max = STELE_WAL_BLB_RECORD_MAX;
    }
    return STELE_OK;
}

stele_code sti_wal_append(const struct sti_run *run, stele_error *err)
{
    struct appender a;
    bool looked = false;
    stele_code code;

    memset(&a, 0, sizeof a);
    a.args = run->args;
    a.json = run->json;
    set_batch(&a);
    stele_buf_init(&a.bytes, STELE_WAL_BATCH_MAX + STI_LINE_SIZE_MAX);
    sti_intake_init(&a.intake, &calls, &a, &a.args->common.ack);
    code = sti_wal_open_writer(run, true, &a.wal, err);
    if (code != STELE_OK) {
        goto out;
    }
    code = look(&a, err);
    if (code == STELE_OK) {
        looked = true;
        code = sti_intake_run(&a.intake, "appended", err);
    }
    code = sti_wal_done(a.wal, code, err);
    if (looked && (code >= STELE_OK || a.intake.written > 0)) {
        print_summary(&a, run->json);
    }
out:
    sti_intake_free(&a.intake);
    stele_buf_free(&a.bytes);
    free(a.pending);
    free(a.records);
    return code < STELE_OK ? code : STELE_OK;
}
