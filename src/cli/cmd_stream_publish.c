/* SPDX-License-Identifier: MIT
 *
 * cmd_stream_publish.c: `stele stream publish`.
 *
 * Lines are gathered and published many at a time (intake.h). A segment is
 * left between batches only, so these are small beside it.
 */
#include "cli/cmd_stream.h"
#include "cli/intake.h"
#include "cli/output.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_COUNT = 1024,
    BATCH_SIZE = 128 << 10,
    OVERHEAD = 36,      /* of a message in a log, at most */
    KEEP_SIZE = 8 << 20 /* memory that a batch keeps for the next one */
};

/* Most bytes that a batch holds: it is full at BATCH_SIZE, and one message
 * more may have gone in before that was seen. */
#define BATCH_LIMIT (BATCH_SIZE + STELE_MESSAGE_SIZE_MAX)

/* Where a message of the batch lies in its bytes, which move as they grow. */
struct pending {
    stele_time time;
    size_t at;
    size_t key_len;
    size_t value_len;
    bool has_key;
    bool has_value;
};

struct publisher {
    const struct sti_stream_args *args;
    stele_stream *stream;
    bool json;
    struct sti_intake intake;
    struct pending *pending;
    stele_message *messages;
    size_t count;
    stele_buf bytes;
    size_t batch_size; /* bytes that make a batch full */
    int64_t next_offset;
};

static void print_summary(const struct publisher *p, bool json)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "published", p->intake.written);
        sti_json_int(&j, "next_offset", p->next_offset);
        sti_json_end(&j);
    } else {
        sti_row_int("published", p->intake.written);
        sti_row_int("next offset", p->next_offset);
    }
}

static void print_answer(const void *arg)
{
    print_summary(arg, true);
}

static stele_bytes view(const struct publisher *p, bool present, size_t at, size_t len)
{
    if (!present) {
        return stele_nil();
    }
    return len == 0 ? stele_empty() : stele_bytes_of(p->bytes.data + at, len);
}

static stele_code publish_batch(void *arg, stele_error *err)
{
    struct publisher *p = arg;
    stele_code code;

    for (size_t i = 0; i < p->count; i++) {
        const struct pending *from = &p->pending[i];

        p->messages[i].offset = 0;
        p->messages[i].time = from->time;
        p->messages[i].key = view(p, from->has_key, from->at, from->key_len);
        p->messages[i].value = view(p, from->has_value, from->at + from->key_len, from->value_len);
    }
    /* The lock is ours, so --expect can only fail before the first message. */
    if (p->args->expect.given) {
        code = stele_stream_publish_at(
                p->stream, p->next_offset, p->messages, p->count, &p->next_offset, err);
    } else {
        code = stele_stream_publish(p->stream, p->messages, p->count, &p->next_offset, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    p->count = 0;
    if (p->bytes.capacity > KEEP_SIZE) {
        stele_buf_free(&p->bytes);
    } else {
        stele_buf_clear(&p->bytes);
    }
    return STELE_OK;
}

static bool batch_is_full(const void *arg)
{
    const struct publisher *p = arg;

    return p->count == BATCH_COUNT || p->bytes.len + p->count * OVERHEAD >= p->batch_size;
}

static stele_code add(struct publisher *p, const stele_message *m, stele_error *err)
{
    struct pending *to = &p->pending[p->count];
    stele_code code = sti_stream_check_size(m, err);

    if (code != STELE_OK) {
        return code;
    }
    to->at = p->bytes.len;
    to->time = m->time;
    to->key_len = m->key.len;
    to->value_len = m->value.len;
    to->has_key = !stele_is_nil(m->key);
    to->has_value = !stele_is_nil(m->value);
    code = stele_buf_append(&p->bytes, m->key, err);
    if (code == STELE_OK) {
        code = stele_buf_append(&p->bytes, m->value, err);
    }
    if (code == STELE_OK) {
        p->count++;
    }
    return code;
}

/* Where the delimiter is in a line; NULL: it is not. */
static const uint8_t *find_delimiter(stele_bytes line, const char *delimiter)
{
    const size_t len = strlen(delimiter);
    const uint8_t *at = line.data;
    size_t left = line.len;

    while (left >= len) {
        const uint8_t *hit = memchr(at, delimiter[0], left - len + 1);

        if (hit == NULL) {
            return NULL;
        }
        if (memcmp(hit, delimiter, len) == 0) {
            return hit;
        }
        left -= (size_t)(hit - at) + 1;
        at = hit + 1;
    }
    return NULL;
}

static stele_code add_text(struct publisher *p, stele_bytes line, stele_error *err)
{
    const char *delimiter = p->args->delimiter;
    stele_message m = stele_message_invalid();
    const uint8_t *at = delimiter == NULL ? NULL : find_delimiter(line, delimiter);

    m.time = p->args->time.value;
    m.value = line;
    if (at != NULL) {
        const size_t key_len = (size_t)(at - line.data);
        const size_t skip = key_len + strlen(delimiter);

        m.key = stele_bytes_of(line.data, key_len);
        m.value = stele_bytes_of(line.data + skip, line.len - skip);
    }
    return add(p, &m, err);
}

/* The library takes time 0 for "now", so a message cannot have it. */
static stele_code add_json(struct publisher *p, stele_bytes line, stele_error *err)
{
    struct sti_stream_input in;
    stele_code code = sti_stream_parse(line, &in, err);

    if (code == STELE_OK && in.has_time && in.message.time == 0) {
        code = sti_cli_fail(err, STELE_EINVAL, "\"time\" 0 cannot be stored; it stands for now");
    }
    if (code == STELE_OK) {
        if (!in.has_time) {
            in.message.time = p->args->time.value;
        }
        code = add(p, &in.message, err);
    }
    sti_stream_input_free(&in);
    return code;
}

static stele_code add_line(void *arg, stele_bytes line, stele_error *err)
{
    struct publisher *p = arg;

    return p->json ? add_json(p, line, err) : add_text(p, line, err);
}

static const struct sti_intake_calls calls = {
        .add = add_line,
        .is_full = batch_is_full,
        .write = publish_batch,
        .print = print_answer,
};

static stele_code check_arguments(const struct sti_stream_args *args, bool json, stele_error *err)
{
    if (args->delimiter != NULL && args->delimiter[0] == '\0') {
        return sti_cli_fail(err, STELE_EINVAL, "option -K: the delimiter is empty");
    }
    if (args->delimiter != NULL && json) {
        return sti_cli_fail(err, STELE_EINVAL, "-K is for lines of text, not for JSON");
    }
    if (args->time.given && args->time.value == 0) {
        return sti_cli_fail(err, STELE_EINVAL, "time 0 cannot be stored; it stands for now");
    }
    return STELE_OK;
}

static stele_code check_expected(const struct publisher *p, stele_error *err)
{
    if (p->args->expect.given && p->args->expect.value != p->next_offset) {
        return sti_cli_fail(err, STELE_ECONFLICT,
                "expected next offset %" PRId64 ", but it is %" PRId64, p->args->expect.value,
                p->next_offset);
    }
    return STELE_OK;
}

/* An eighth of a segment, so that one is little larger than was asked for. */
static size_t batch_size(const struct sti_stream_args *args)
{
    const int64_t size = args->rollover.value / 8;

    return args->rollover.given && size < BATCH_SIZE ? (size_t)size : BATCH_SIZE;
}

/* Publish everything and make it durable, also when a line is bad. */
static stele_code publish_all(struct publisher *p, stele_error *err)
{
    stele_error late;
    const stele_code code = sti_intake_run(&p->intake, "published", err);
    const stele_code synced = stele_stream_sync(p->stream, NULL, &late);

    if (synced != STELE_OK && code >= STELE_OK) {
        *err = late;
        return synced;
    }
    return code;
}

stele_code sti_stream_publish(const struct sti_run *run, stele_error *err)
{
    struct publisher p;
    bool opened = false;
    stele_code code;

    memset(&p, 0, sizeof p);
    p.args = run->args;
    p.pending = calloc(BATCH_COUNT, sizeof *p.pending);
    p.messages = calloc(BATCH_COUNT, sizeof *p.messages);
    p.json = run->json;
    p.batch_size = batch_size(p.args);
    stele_buf_init(&p.bytes, BATCH_LIMIT);
    sti_intake_init(&p.intake, &calls, &p, &p.args->common.ack);
    if (p.pending == NULL || p.messages == NULL) {
        code = sti_cli_fail(err, STELE_ENOMEM, "no memory for a batch of %d messages", BATCH_COUNT);
        goto out;
    }
    code = check_arguments(p.args, run->json, err);
    if (code == STELE_OK) {
        code = sti_stream_open_writer(run, true, &p.stream, err);
    }
    if (code != STELE_OK) {
        goto out;
    }
    code = stele_stream_next_offset(p.stream, &p.next_offset, err);
    if (code == STELE_OK) {
        code = check_expected(&p, err);
    }
    if (code == STELE_OK) {
        opened = true;
        code = publish_all(&p, err);
    }
    code = sti_stream_done(p.stream, code, err);
    if (opened && (code >= STELE_OK || p.intake.written > 0)) {
        print_summary(&p, run->json);
    }
out:
    sti_intake_free(&p.intake);
    stele_buf_free(&p.bytes);
    free(p.pending);
    free(p.messages);
    return code < STELE_OK ? code : STELE_OK;
}
