/* SPDX-License-Identifier: MIT
 *
 * dump.c: everything that a database holds as lines of text, for people who look for a fault.
 *
 * What is not as it should be is given byte by byte.
 */
#include "base/coding.h"
#include "base/error.h"
#include "docs/aggregate.h"
#include "docs/apply.h"
#include "docs/checkpoint.h"
#include "docs/expiry.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct dump {
    stele_write_fn write;
    void *arg;
    enum sti_docs_bucket bucket;
    stele_buf line;
    stele_code failed; /* the first failure of the line */
    stele_error *err;
};

/* ---- Parts of a line. ---- */

static void put_raw(struct dump *d, stele_bytes bytes)
{
    if (d->failed == STELE_OK) {
        d->failed = stele_buf_append(&d->line, bytes, d->err);
    }
}

static void put(struct dump *d, const char *format, ...) STELE_PRINTF(2, 3);

static void put(struct dump *d, const char *format, ...)
{
    char text[128];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_raw(d, stele_str(text));
}

/* What can be read as it is, all else as \xHH. */
static void put_text(struct dump *d, stele_bytes bytes)
{
    size_t from = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.data[i];

        if (c < ' ' || c == '\\' || c == 0x7f) {
            put_raw(d, stele_bytes_of(bytes.data + from, i - from));
            put(d, "\\x%02x", c);
            from = i + 1;
        }
    }
    if (from < bytes.len) {
        put_raw(d, stele_bytes_of(bytes.data + from, bytes.len - from));
    }
}

static void put_hex(struct dump *d, stele_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        put(d, "%02x", bytes.data[i]);
    }
}

static void put_version(struct dump *d, struct sti_docs_version version)
{
    char text[STI_DOCS_VERSION_TEXT_SIZE];

    sti_docs_version_print(text, version);
    put(d, "%s", text);
}

/* Of 16 bytes; false: they are none. */
static bool put_version_bytes(struct dump *d, const uint8_t *bytes)
{
    struct sti_docs_version version = {.seconds = 0};

    if (sti_docs_version_get(&version, bytes, NULL) != STELE_OK) {
        return false;
    }
    put_version(d, version);
    return true;
}

/* The key of a type, and the fields as they are encoded. */
static void put_claim(struct dump *d, stele_bytes claim)
{
    if (claim.len < STI_DOCS_INDEX_HEAD) {
        put_hex(d, claim);
        return;
    }
    put(d, "%" PRIu32 ".%u ", sti_get_be32(claim.data),
            (unsigned)(claim.data[4] << 8 | claim.data[5]));
    put_hex(d, stele_bytes_of(claim.data + STI_DOCS_INDEX_HEAD, claim.len - STI_DOCS_INDEX_HEAD));
}

/* ---- Buckets; false: it is not what it should be. ---- */

static bool dump_type(struct dump *d, stele_bytes key, stele_bytes value)
{
    struct sti_docs_type_state state = {.number = 0};

    if (sti_docs_type_state_get(&state, value, NULL) != STELE_OK) {
        return false;
    }
    put_text(d, key);
    put(d, " = %" PRIu32, state.number);
    if (state.phase != STI_DOCS_WHOLE) {
        static const char *const names[] = {"whole", "filling", "clearing", "alone"};

        put(d, " %s from %" PRIu32 " ", names[state.phase], state.old_number);
        put_text(d, state.old_json);
    }
    return true;
}

static bool dump_seq(struct dump *d, stele_bytes key, stele_bytes value)
{
    struct sti_docs_version version = {.seconds = 0};
    stele_bytes id = stele_nil();

    if (key.len != sizeof(uint64_t) ||
            sti_docs_log_key_decode(&version, &id, value, NULL) != STELE_OK) {
        return false;
    }
    put(d, "%" PRIu64 " = ", sti_get_be64(key.data));
    put_version(d, version);
    put(d, " ");
    put_text(d, id);
    return true;
}

static bool dump_log(struct dump *d, stele_bytes key, stele_bytes value)
{
    struct sti_docs_entry entry = {.is_delete = false};

    (void)key;
    if (sti_docs_entry_decode(&entry, value, NULL) != STELE_OK) {
        return false;
    }
    put_version(d, entry.version);
    put(d, " ");
    put_text(d, entry.id);
    put(d, entry.is_delete ? " = delete" : " = set ");
    put_text(d, entry.json);
    return true;
}

static bool dump_place(struct dump *d, stele_bytes key, stele_bytes value)
{
    if (key.len < 2 + STI_DOCS_VERSION_SIZE || value.len == 0) {
        return false;
    }
    put_text(d, stele_bytes_of(key.data + 2, key.len - 2 - STI_DOCS_VERSION_SIZE));
    put(d, " ");
    if (!put_version_bytes(d, key.data + key.len - STI_DOCS_VERSION_SIZE)) {
        return false;
    }
    put(d, value.len == 1 ? " = logged" : " = ");
    put_text(d, stele_bytes_of(value.data + 1, value.len - 1));
    return true;
}

static bool dump_checkpoint(struct dump *d, stele_bytes key, stele_bytes value)
{
    struct sti_docs_checkpoint checkpoint = {.epoch = 0};

    (void)key;
    if (sti_docs_checkpoint_get(&checkpoint, value, NULL) != STELE_OK) {
        return false;
    }
    put(d, "%" PRId64 " = %" PRIu64 " ", checkpoint.epoch, checkpoint.count);
    put_hex(d, stele_bytes_of(checkpoint.sum, sizeof checkpoint.sum));
    return true;
}

static bool dump_aggregate(struct dump *d, stele_bytes key, stele_bytes value)
{
    static const char *const levels[STI_DOCS_LEVELS] = {"second", "minute", "hour", "day"};
    uint8_t sum[STI_DOCS_AGGREGATE_SIZE];
    struct sti_docs_aggregate aggregate = {.count = 0};

    if (key.len != STI_DOCS_AGGREGATE_KEY_SIZE || key.data[0] >= STI_DOCS_LEVELS || value.len < 1 ||
            sti_docs_aggregate_get(
                    &aggregate, stele_bytes_of(value.data + 1, value.len - 1), NULL) != STELE_OK) {
        return false;
    }
    sti_docs_aggregate_put(sum, &aggregate);
    put(d, "%s %" PRIu64 " = %" PRIu64 " ", levels[key.data[0]], sti_get_be64(key.data + 1),
            aggregate.count);
    put_hex(d, stele_bytes_of(sum, STI_DOCS_HASH_SIZE));
    return true;
}

static bool dump_info(struct dump *d, stele_bytes key, stele_bytes value)
{
    struct sti_docs_info info = {.claims = NULL};

    if (sti_docs_info_decode(&info, value, NULL) != STELE_OK) {
        return false;
    }
    put_text(d, key);
    put(d, " = ");
    put_version(d, info.version);
    put(d, info.deleted ? " deleted" : "");
    for (size_t i = 0; i < info.claim_count; i++) {
        put(d, ", ");
        put_claim(d, info.claims[i].key);
        put(d, " since ");
        put_version(d, info.claims[i].version);
    }
    sti_docs_info_free(&info);
    return true;
}

static bool dump_kept(struct dump *d, stele_bytes key, stele_bytes value)
{
    struct sti_docs_kept kept = {.rest = stele_nil()};
    const char *between = " = ";
    stele_code rc = sti_docs_kept_begin(&kept, value, NULL);

    put_text(d, key);
    while (rc == STELE_OK) {
        rc = sti_docs_kept_next(&kept, NULL);
        if (rc == STELE_OK) {
            put(d, "%s", between);
            put_claim(d, kept.claim);
            put(d, "%s", kept.version.len > 0 ? " unique" : "");
            between = ", ";
        }
    }
    return rc == STELE_END;
}

static bool dump_index(struct dump *d, stele_bytes key, stele_bytes value)
{
    struct sti_docs_index_value here = {.unique = false};

    if (sti_docs_index_value_get(&here, key, value, NULL) != STELE_OK) {
        return false;
    }
    put_claim(d, here.claim);
    if (here.unique) {
        put(d, " since ");
        if (!put_version_bytes(d, key.data + here.claim.len)) {
            return false;
        }
    }
    put(d, " = ");
    put_text(d, here.id);
    return true;
}

static bool dump_conflict(struct dump *d, stele_bytes key, stele_bytes value)
{
    (void)value;
    put_claim(d, key);
    return true;
}

static bool dump_end(struct dump *d, stele_bytes key, stele_bytes value)
{
    struct sti_docs_time time = {.seconds = 0};
    stele_bytes id = stele_nil();

    if (sti_docs_expiry_split(key, value, &time, &id) != STELE_OK) {
        return false;
    }
    put(d, "%" PRId64 ".%09" PRIu32 "%s", time.seconds, time.ns,
            value.len > 1 ? " is the end of " : " = ");
    put_text(d, id);
    return true;
}

static bool dump_text(struct dump *d, stele_bytes key, stele_bytes value)
{
    put_text(d, key);
    put(d, " = ");
    put_text(d, value);
    return true;
}

/* ---- All of it. ---- */

typedef bool (*dump_fn)(struct dump *d, stele_bytes key, stele_bytes value);

static stele_code dump_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    static const dump_fn buckets[STI_DOCS_BUCKET_COUNT] = {
            [STI_DOCS_TNO] = dump_type,
            [STI_DOCS_SEQ] = dump_seq,
            [STI_DOCS_LOG] = dump_log,
            [STI_DOCS_LID] = dump_place,
            [STI_DOCS_CHK] = dump_checkpoint,
            [STI_DOCS_AGG] = dump_aggregate,
            [STI_DOCS_NFO] = dump_info,
            [STI_DOCS_KDT] = dump_kept,
            [STI_DOCS_IDX] = dump_index,
            [STI_DOCS_CFL] = dump_conflict,
            [STI_DOCS_EXP] = dump_end,
    };
    struct dump *d = arg;
    dump_fn fn = buckets[d->bucket] == NULL ? dump_text : buckets[d->bucket];
    stele_bytes name = sti_docs_bucket_name(d->bucket);

    d->failed = STELE_OK;
    d->err = err;
    stele_buf_clear(&d->line);
    put_raw(d, name);
    put(d, " ");
    if (!fn(d, key, value)) {
        stele_buf_clear(&d->line);
        put_raw(d, name);
        put(d, " damaged: ");
        (void)dump_text(d, key, value);
    }
    put(d, "\n");
    return d->failed == STELE_OK ? d->write(d->arg, d->line.data, d->line.len, err) : d->failed;
}

stele_code stele_docs_debug_dump(stele_docs *db, stele_write_fn write, void *arg, stele_error *err)
{
    struct dump d = {.write = write, .arg = arg};
    stele_store_read *read = NULL;
    stele_code rc;

    if (db == NULL || write == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nowhere to write to");
    }
    rc = sti_docs_read_begin(&read, db, err);
    if (rc != STELE_OK) {
        return rc;
    }
    stele_buf_init(&d.line, SIZE_MAX);
    for (int b = 0; b < STI_DOCS_BUCKET_COUNT && rc == STELE_OK; b++) {
        d.bucket = (enum sti_docs_bucket)b;
        rc = stele_store_read_for_each(read, sti_docs_bucket_name(d.bucket), dump_pair, &d, err);
    }
    stele_buf_free(&d.line);
    stele_store_read_end(read);
    return rc;
}
