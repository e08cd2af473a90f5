/* SPDX-License-Identifier: MIT
 *
 * json.c: jansson behind two functions, and the writer of strings.
 *
 * jansson allocates with malloc(): its allocator can be set, but for the whole
 * process, which is not for a library to do. So its memory is the one memory
 * of the library that does not come from base/alloc.h, and that the loops of
 * tests over sti_alloc_set_hook() cannot fail.
 */
#include "json/json.h"

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>

#include <jansson.h>

/* Integers are read as doubles, since a uint64_t overflows jansson's. */
#define CHECK_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)
#define LOAD_FLAGS  (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES)

/* jansson (2.14) does not see that the buffer of a token failed to grow: it
 * goes on without the bytes, and may then abort, or read and write beyond what
 * it has. So ask first for as much as one token as long as the text takes: the
 * old buffer, the new one (a power of two) and the string made of it. This
 * does not rule the failure out, since it keeps nothing; it catches the case
 * that is likely, a large value for which there is no room. */
static stele_code probe_memory(size_t len, stele_error *err)
{
    void *probe = sti_realloc(NULL, 4, len + 16);

    if (probe == NULL) {
        return sti_fail_memory(err, len);
    }
    sti_free(probe);
    return STELE_OK;
}

static stele_code refuse(const json_error_t *why, stele_error *err)
{
    const char *near = strstr(why->text, " near '");
    stele_code code = STELE_ECORRUPT;

    if (json_error_code(why) == json_error_stack_overflow) {
        code = STELE_ETOOBIG;
    }
    /* What follows "near" is text that nobody has checked. */
    return sti_fail(err, code, "JSON: after %d bytes: %.*s", why->position,
            (int)(near == NULL ? strlen(why->text) : (size_t)(near - why->text)), why->text);
}

static stele_code load(
        stele_bytes text, size_t size_max, size_t flags, json_t **out, stele_error *err)
{
    const char *data = text.len == 0 ? "" : (const char *)text.data;
    json_error_t why = {.text = ""};
    const char *nul;
    json_t *root;
    stele_code rc;

    if (text.len > size_max) {
        return sti_fail(err, STELE_ETOOBIG, "JSON: %zu bytes, of at most %zu", text.len, size_max);
    }
    /* jansson (2.14) passes over a zero byte behind a number or a word. */
    nul = memchr(data, 0, text.len);
    if (nul != NULL) {
        return sti_fail(err, STELE_ECORRUPT, "JSON: after %td bytes: a zero byte", nul - data);
    }
    rc = probe_memory(text.len, err);
    if (rc != STELE_OK) {
        return rc;
    }
    errno = 0;
    root = json_loadb(data, text.len, flags, &why);
    /* Not all failures of memory have their code: some have none, some are
     * reported as bad tokens, and some give a value that lacks bytes. */
    if (sti_code_of_errno(errno) == STELE_ENOMEM || (root == NULL && why.text[0] == '\0') ||
            (root == NULL && json_error_code(&why) == json_error_out_of_memory)) {
        json_decref(root);
        return sti_fail_memory(err, text.len);
    }
    if (root == NULL) {
        return refuse(&why, err);
    }
    *out = root;
    return STELE_OK;
}

stele_code sti_json_check(stele_bytes text, size_t size_max, stele_error *err)
{
    json_t *root = NULL;
    stele_code rc = load(text, size_max, CHECK_FLAGS, &root, err);

    json_decref(root);
    return rc;
}

/* How deep arrays and objects stand within each other, as far as the brackets outside of strings
 * say: the parser finds out whether they match. */
static size_t depth_of(stele_bytes text)
{
    bool in_string = false;
    size_t deepest = 0;
    size_t depth = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

stele_code sti_json_load(
        stele_bytes text, const struct sti_json_rules *rules, struct json_t **out, stele_error *err)
{
    size_t depth;

    if (text.len > rules->size_max) {
        return sti_fail(
                err, STELE_ETOOBIG, "JSON: %zu bytes, of at most %zu", text.len, rules->size_max);
    }
    depth = depth_of(text);
    if (depth > rules->depth_max) {
        return sti_fail(err, STELE_ETOOBIG, "JSON: %zu levels deep, of at most %zu", depth,
                rules->depth_max);
    }
    return load(text, rules->size_max, LOAD_FLAGS, out, err);
}

stele_code sti_json_string_decode(
        stele_bytes text, size_t size_max, struct sti_json_string *out, stele_error *err)
{
    json_t *root = NULL;
    stele_code rc = load(text, size_max, CHECK_FLAGS, &root, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (!json_is_string(root) && !json_is_null(root)) {
        json_decref(root);
        return sti_fail(err, STELE_ECORRUPT, "JSON: neither a string nor null");
    }
    *out = (struct sti_json_string){.bytes = stele_nil(), .owner = root};
    if (json_is_string(root)) {
        out->bytes = stele_bytes_of(json_string_value(root), json_string_length(root));
    }
    return STELE_OK;
}

void sti_json_string_free(struct sti_json_string *string)
{
    json_decref(string->owner);
    *string = (struct sti_json_string){.bytes = stele_nil()};
}

static bool is_tail(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

/* Length of the UTF-8 sequence at the start of len > 0 bytes; 0 if there is
 * none. The ranges of the second byte shut out over-long forms, surrogates
 * and what lies beyond U+10FFFF. */
static size_t utf8_len(const uint8_t *in, size_t len)
{
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    size_t need;

    if (in[0] < 0x80) {
        return 1;
    }
    if (in[0] >= 0xC2 && in[0] <= 0xDF) {
        need = 2;
    } else if (in[0] >= 0xE0 && in[0] <= 0xEF) {
        need = 3;
        low = in[0] == 0xE0 ? 0xA0 : low;
        high = in[0] == 0xED ? 0x9F : high;
    } else if (in[0] >= 0xF0 && in[0] <= 0xF4) {
        need = 4;
        low = in[0] == 0xF0 ? 0x90 : low;
        high = in[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (len < need || in[1] < low || in[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if (!is_tail(in[i])) {
            return 0;
        }
    }
    return need;
}

static bool is_utf8(stele_bytes text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t len = utf8_len(text.data + at, text.len - at);

        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

/* Go escapes these too, so that the text is harmless within HTML and
 * JavaScript: <, >, & and the line ends U+2028 and U+2029. */
static size_t escape_of(const uint8_t *in, size_t len, char out[8])
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn\0fr"; /* of 0x08 to 0x0D */
    uint8_t c = in[0];

    out[0] = '\\';
    if (c == '"' || c == '\\') {
        out[1] = (char)c;
        return 2;
    }
    if (c >= 0x08 && c <= 0x0D && letters[c - 0x08] != '\0') {
        out[1] = letters[c - 0x08];
        return 2;
    }
    if (c < 0x20 || c == '<' || c == '>' || c == '&') {
        memcpy(out + 1, "u00", 3);
        out[4] = hex[c >> 4];
        out[5] = hex[c & 15];
        return 6;
    }
    if (len >= 3 && c == 0xE2 && in[1] == 0x80 && (in[2] == 0xA8 || in[2] == 0xA9)) {
        memcpy(out + 1, in[2] == 0xA8 ? "u2028" : "u2029", 5);
        return 6;
    }
    return 0;
}

stele_code sti_json_string_encode(stele_bytes text, stele_buf *out, stele_error *err)
{
    bool was_nil = out->data == NULL;
    size_t before = out->len;
    size_t start = 0;
    size_t at = 0;
    stele_code rc;

    if (!is_utf8(text)) {
        return sti_fail(err, STELE_EINVAL, "a string of %zu bytes that is not UTF-8", text.len);
    }
    rc = stele_buf_append(out, stele_str("\""), err);
    while (rc == STELE_OK && at < text.len) {
        char escape[8];
        size_t len = escape_of(text.data + at, text.len - at, escape);

        if (len == 0) {
            at++;
            continue;
        }
        rc = stele_buf_append(out, stele_bytes_of(text.data + start, at - start), err);
        if (rc == STELE_OK) {
            rc = stele_buf_append(out, stele_bytes_of(escape, len), err);
        }
        at += text.data[at] == 0xE2 ? 3 : 1;
        start = at;
    }
    if (rc == STELE_OK && start < text.len) {
        rc = stele_buf_append(out, stele_bytes_of(text.data + start, text.len - start), err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, stele_str("\""), err);
    }
    if (rc != STELE_OK && was_nil) {
        stele_buf_free(out);
    } else if (rc != STELE_OK) {
        out->len = before;
    }
    return rc;
}
