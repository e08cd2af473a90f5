/* SPDX-License-Identifier: MIT
 *
 * json_in.c: lines from standard input, and messages as JSON objects.
 */
#include "cli/json_in.h"

#include "cli/option.h"
#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

enum {
    READ_SIZE = 64 << 10
};

void sti_lines_init(struct sti_lines *lines, int fd)
{
    memset(lines, 0, sizeof *lines);
    lines->fd = fd;
}

void sti_lines_free(struct sti_lines *lines)
{
    free(lines->data);
    sti_lines_init(lines, lines->fd);
}

/* Room for READ_SIZE more bytes: by moving what is left to the front, or by
 * a larger buffer. */
static stele_code make_room(struct sti_lines *lines, stele_error *err)
{
    size_t capacity = lines->capacity;
    uint8_t *data;

    if (lines->capacity - lines->end >= READ_SIZE) {
        return STELE_OK;
    }
    if (lines->start > 0) {
        memmove(lines->data, lines->data + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->scanned -= lines->start;
        lines->start = 0;
    }
    if (capacity - lines->end >= READ_SIZE) {
        return STELE_OK;
    }
    capacity = capacity == 0 ? (size_t)4 * READ_SIZE : capacity * 2;
    data = realloc(lines->data, capacity);
    if (data == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "line %" PRId64 ": no memory for %zu bytes",
                lines->number + 1, capacity);
    }
    lines->data = data;
    lines->capacity = capacity;
    return STELE_OK;
}

static bool would_block(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, 0) == 0;
}

static stele_code fill(struct sti_lines *lines, bool wait, stele_error *err)
{
    stele_code code = make_room(lines, err);
    ssize_t got;

    if (code != STELE_OK) {
        return code;
    }
    if (!wait && would_block(lines->fd)) {
        return STELE_ETIMEDOUT;
    }
    do {
        got = read(lines->fd, lines->data + lines->end, lines->capacity - lines->end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return sti_cli_fail_errno(err, errno, "standard input");
    }
    lines->at_end = got == 0;
    lines->end += (size_t)got;
    lines->taken += got;
    return STELE_OK;
}

static stele_code give(
        struct sti_lines *lines, size_t len, size_t skip, stele_bytes *out, stele_error *err)
{
    if (len > STI_LINE_SIZE_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "line %" PRId64 ": longer than %zu MiB",
                lines->number + 1, STI_LINE_SIZE_MAX >> 20);
    }
    lines->number++;
    *out = stele_bytes_of(lines->data + lines->start, len);
    lines->start += len + skip;
    lines->scanned = lines->start;
    return STELE_OK;
}

stele_code sti_lines_next(struct sti_lines *lines, bool wait, stele_bytes *out, stele_error *err)
{
    for (;;) {
        const uint8_t *newline = NULL;
        stele_code code;

        if (lines->end > lines->scanned) {
            newline = memchr(lines->data + lines->scanned, '\n', lines->end - lines->scanned);
        }
        if (newline != NULL) {
            return give(lines, (size_t)(newline - lines->data) - lines->start, 1, out, err);
        }
        lines->scanned = lines->end;
        if (lines->end - lines->start > STI_LINE_SIZE_MAX ||
                (lines->at_end && lines->end > lines->start)) {
            return give(lines, lines->end - lines->start, 0, out, err);
        }
        if (lines->at_end) {
            return STELE_END;
        }
        code = fill(lines, wait, err);
        if (code != STELE_OK) {
            return code;
        }
    }
}

/* The bytes of a field: from `name`, or decoded from `name_b64`. */
static stele_code take_bytes(const char *name, const json_t *text, const json_t *base64,
        uint8_t **owned, stele_bytes *out, stele_error *err)
{
    size_t len = 0;
    stele_code code;

    if (text != NULL && base64 != NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "both \"%s\" and \"%s_b64\"", name, name);
    }
    if (json_is_string(text)) {
        *out = stele_bytes_of(json_string_value(text), json_string_length(text));
    } else if (json_is_string(base64)) {
        code = sti_decode_base64(
                json_string_value(base64), json_string_length(base64), owned, &len, err);
        if (code != STELE_OK) {
            return sti_cli_wrap(err, code, "\"%s_b64\"", name);
        }
        *out = stele_bytes_of(*owned, len);
    } else if ((text != NULL && !json_is_null(text)) || (base64 != NULL && !json_is_null(base64))) {
        return sti_cli_fail(
                err, STELE_EINVAL, "\"%s%s\" is not a string", name, text == NULL ? "_b64" : "");
    }
    return STELE_OK;
}

static stele_code take_time(const json_t *value, struct sti_input_message *out, stele_error *err)
{
    stele_code code = STELE_OK;

    if (value == NULL || json_is_null(value)) {
        return STELE_OK;
    }
    if (json_is_integer(value)) {
        out->message.time = json_integer_value(value);
    } else if (json_is_string(value) &&
               strlen(json_string_value(value)) == json_string_length(value)) {
        code = sti_parse_time(json_string_value(value), &out->message.time, err);
    } else {
        code = sti_cli_fail(err, STELE_EINVAL, "\"time\" is neither text nor whole microseconds");
    }
    out->has_time = code == STELE_OK;
    return code;
}

static bool is_known(const char *name)
{
    static const char *const names[] = {"key", "key_b64", "value", "value_b64", "time", "offset"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static stele_code take_fields(json_t *root, struct sti_input_message *out, stele_error *err)
{
    stele_code code;

    for (void *it = json_object_iter(root); it != NULL; it = json_object_iter_next(root, it)) {
        if (!is_known(json_object_iter_key(it))) {
            return sti_cli_fail(
                    err, STELE_EINVAL, "unknown field \"%.64s\"", json_object_iter_key(it));
        }
    }
    code = take_bytes("key", json_object_get(root, "key"), json_object_get(root, "key_b64"),
            &out->key, &out->message.key, err);
    if (code == STELE_OK) {
        code = take_bytes("value", json_object_get(root, "value"),
                json_object_get(root, "value_b64"), &out->value, &out->message.value, err);
    }
    return code == STELE_OK ? take_time(json_object_get(root, "time"), out, err) : code;
}

stele_code sti_message_parse(stele_bytes line, struct sti_input_message *out, stele_error *err)
{
    json_error_t why;
    json_t *root;

    memset(out, 0, sizeof *out);
    out->message = stele_message_invalid();
    root = json_loadb((const char *)line.data, line.len,
            JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
    if (root == NULL) {
        if (json_error_code(&why) == json_error_out_of_memory) {
            return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu bytes of JSON", line.len);
        }
        return sti_cli_fail(err, STELE_EINVAL, "not JSON: %s (at byte %d)", why.text, why.position);
    }
    out->root = root;
    if (!json_is_object(root)) {
        return sti_cli_fail(err, STELE_EINVAL, "not a JSON object");
    }
    return take_fields(root, out, err);
}

void sti_message_release(struct sti_input_message *m)
{
    json_decref(m->root);
    free(m->key);
    free(m->value);
    memset(m, 0, sizeof *m);
}
