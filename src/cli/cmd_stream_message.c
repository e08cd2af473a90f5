/* SPDX-License-Identifier: MIT
 *
 * cmd_stream_message.c: a message as a line of JSON, read and printed, and
 * what it takes up.
 */
#include "cli/cmd_stream.h"
#include "cli/output.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

/* Bytes that messages and index items take up beside key and value:
 * stele-stream(5). */
enum {
    OVERHEAD_V1 = 28,
    OVERHEAD_V2 = 36,
    ITEM_SIZE = 16,
    ITEM_TIME_SIZE = 8,
    ITEM_KEY_SIZE = 8
};

int64_t sti_stream_message_size(
        const stele_message *m, stele_stream_version version, bool key_index, bool time_index)
{
    return (version == STELE_STREAM_V1 ? OVERHEAD_V1 : OVERHEAD_V2) + (int64_t)m->key.len +
           (int64_t)m->value.len + ITEM_SIZE + (key_index ? ITEM_KEY_SIZE : 0) +
           (time_index ? ITEM_TIME_SIZE : 0);
}

stele_code sti_stream_check_size(const stele_message *m, stele_error *err)
{
    if (m->key.len > STELE_MESSAGE_SIZE_MAX || m->value.len > STELE_MESSAGE_SIZE_MAX - m->key.len) {
        return sti_cli_fail(err, STELE_ETOOBIG, "key and value of %zu bytes, more than %zu MiB",
                m->key.len + m->value.len, STELE_MESSAGE_SIZE_MAX >> 20);
    }
    return STELE_OK;
}

static stele_code take_fields(struct sti_stream_input *out, stele_error *err)
{
    static const char *const names[] = {"key", "key_b64", "value", "value_b64", "time", "offset"};
    struct sti_number time = {false, 0};
    stele_code code = sti_object_only(&out->object, names, sizeof names / sizeof names[0], err);

    if (code == STELE_OK) {
        code = sti_object_bytes(&out->object, "key", &out->key, err);
    }
    if (code == STELE_OK) {
        code = sti_object_bytes(&out->object, "value", &out->value, err);
    }
    if (code == STELE_OK) {
        code = sti_object_time(&out->object, "time", &time, err);
    }
    if (code == STELE_OK) {
        out->message.key = out->key.bytes;
        out->message.value = out->value.bytes;
        out->has_time = time.given;
        if (time.given) {
            out->message.time = time.value;
        }
    }
    return code;
}

stele_code sti_stream_parse(stele_bytes line, struct sti_stream_input *out, stele_error *err)
{
    stele_code code;

    memset(out, 0, sizeof *out);
    out->message = stele_message_invalid();
    code = sti_object_parse(line, &out->object, err);
    return code == STELE_OK ? take_fields(out, err) : code;
}

void sti_stream_input_free(struct sti_stream_input *in)
{
    sti_object_free(&in->object);
    free(in->key.owned);
    free(in->value.owned);
    memset(in, 0, sizeof *in);
}

void sti_stream_print_json(const stele_message *m)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_int(&j, "offset", m->offset);
    sti_json_time(&j, "time", m->time);
    sti_json_bytes(&j, "key", m->key);
    sti_json_bytes(&j, "value", m->value);
    sti_json_end(&j);
}
