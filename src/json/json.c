/* SPDX-License-Identifier: MIT */
#include "json/json.h"

#include "base/assert.h"
#include "base/error.h"

#define REPLACEMENT 0xFFFDU

/* A place in a text. All scan_ functions move `at` behind what they read, or
 * fail and name the byte. */
struct scanner {
    const uint8_t *data;
    size_t len;
    size_t at;
    stele_error *err;
};

static stele_code bad(const struct scanner *sc, const char *expected)
{
    if (sc->at >= sc->len) {
        return sti_fail(sc->err, STELE_ECORRUPT, "JSON: ends after %zu bytes, expected %s", sc->len,
                expected);
    }
    return sti_fail(sc->err, STELE_ECORRUPT, "JSON: byte %zu: expected %s", sc->at, expected);
}

/* The byte at the place; 0, which no rule accepts, at the end. */
static uint8_t peek(const struct scanner *sc)
{
    return sc->at < sc->len ? sc->data[sc->at] : 0;
}

static void skip_space(struct scanner *sc)
{
    while (sc->at < sc->len) {
        uint8_t c = sc->data[sc->at];

        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return;
        }
        sc->at++;
    }
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(uint8_t c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
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

bool sti_utf8_valid(stele_bytes text)
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

/* After a backslash. */
static stele_code scan_escape(struct scanner *sc)
{
    uint8_t c = peek(sc);

    if (c == 0 || strchr("\"\\/bfnrtu", c) == NULL) {
        return bad(sc, "an escape");
    }
    sc->at++;
    if (c != 'u') {
        return STELE_OK;
    }
    for (int i = 0; i < 4; i++) {
        if (hex_value(peek(sc)) < 0) {
            return bad(sc, "a hexadecimal digit");
        }
        sc->at++;
    }
    return STELE_OK;
}

/* From the opening to behind the closing quote. */
static stele_code scan_string(struct scanner *sc, bool *escaped)
{
    *escaped = false;
    if (peek(sc) != '"') {
        return bad(sc, "a string");
    }
    sc->at++;
    for (;;) {
        uint8_t c = peek(sc);

        if (c == '"') {
            sc->at++;
            return STELE_OK;
        }
        if (c < 0x20) {
            return bad(sc, "a character or the end of the string");
        }
        if (c == '\\') {
            stele_code rc;

            sc->at++;
            *escaped = true;
            rc = scan_escape(sc);
            if (rc != STELE_OK) {
                return rc;
            }
        } else {
            size_t len = utf8_len(sc->data + sc->at, sc->len - sc->at);

            if (len == 0) {
                return bad(sc, "UTF-8");
            }
            sc->at += len;
        }
    }
}

static stele_code scan_digits(struct scanner *sc)
{
    if (!is_digit(peek(sc))) {
        return bad(sc, "a digit");
    }
    while (is_digit(peek(sc))) {
        sc->at++;
    }
    return STELE_OK;
}

static stele_code scan_number(struct scanner *sc)
{
    stele_code rc = STELE_OK;

    if (peek(sc) == '-') {
        sc->at++;
    }
    if (peek(sc) == '0') {
        sc->at++;
    } else {
        rc = scan_digits(sc);
    }
    if (rc == STELE_OK && peek(sc) == '.') {
        sc->at++;
        rc = scan_digits(sc);
    }
    if (rc == STELE_OK && (peek(sc) == 'e' || peek(sc) == 'E')) {
        sc->at++;
        if (peek(sc) == '+' || peek(sc) == '-') {
            sc->at++;
        }
        rc = scan_digits(sc);
    }
    return rc;
}

static stele_code scan_word(struct scanner *sc, const char *word)
{
    size_t len = strlen(word);

    if (sc->len - sc->at < len || memcmp(sc->data + sc->at, word, len) != 0) {
        return bad(sc, "a value");
    }
    sc->at += len;
    return STELE_OK;
}

/* Anything but an array or an object. */
static stele_code scan_scalar(struct scanner *sc)
{
    bool escaped;

    switch (peek(sc)) {
    case '"':
        return scan_string(sc, &escaped);
    case 't':
        return scan_word(sc, "true");
    case 'f':
        return scan_word(sc, "false");
    case 'n':
        return scan_word(sc, "null");
    default:
        if (peek(sc) == '-' || is_digit(peek(sc))) {
            return scan_number(sc);
        }
        return bad(sc, "a value");
    }
}

/* What is open around the place: a bit for each level, set for objects. */
struct levels {
    size_t depth;
    size_t depth_max;
    uint8_t objects[STI_JSON_DEPTH_MAX / 8 + 1];
};

static bool in_object(const struct levels *lv)
{
    sti_debug_assert(lv->depth != 0);
    return (lv->objects[(lv->depth - 1) / 8] >> ((lv->depth - 1) % 8) & 1) != 0;
}

static stele_code enter(struct scanner *sc, struct levels *lv, bool object)
{
    uint8_t bit = (uint8_t)(1U << (lv->depth % 8));

    if (lv->depth == lv->depth_max) {
        return sti_fail(sc->err, STELE_ETOOBIG, "JSON: byte %zu: more than %zu levels deep", sc->at,
                lv->depth_max);
    }
    if (object) {
        lv->objects[lv->depth / 8] |= bit;
    } else {
        lv->objects[lv->depth / 8] &= (uint8_t)~bit;
    }
    lv->depth++;
    sc->at++;
    return STELE_OK;
}

/* The name of a member and its colon. */
static stele_code scan_name(struct scanner *sc)
{
    bool escaped;
    stele_code rc;

    skip_space(sc);
    rc = scan_string(sc, &escaped);
    if (rc != STELE_OK) {
        return rc;
    }
    skip_space(sc);
    if (peek(sc) != ':') {
        return bad(sc, "a colon");
    }
    sc->at++;
    return STELE_OK;
}

/* Read what opens a value: all of a scalar, or the start of an array or an
 * object up to its first value. *complete: a value ended here. */
static stele_code open_value(struct scanner *sc, struct levels *lv, bool *complete)
{
    uint8_t c;
    stele_code rc;

    skip_space(sc);
    c = peek(sc);
    *complete = true;
    if (c != '{' && c != '[') {
        return scan_scalar(sc);
    }
    rc = enter(sc, lv, c == '{');
    if (rc != STELE_OK) {
        return rc;
    }
    skip_space(sc);
    if (peek(sc) == (c == '{' ? '}' : ']')) {
        sc->at++;
        lv->depth--;
        return STELE_OK;
    }
    *complete = false;
    return c == '{' ? scan_name(sc) : STELE_OK;
}

/* After a value: leave what it ends, up to where the next value starts or the
 * text is over (depth 0). */
static stele_code close_values(struct scanner *sc, struct levels *lv)
{
    while (lv->depth != 0) {
        bool object = in_object(lv);

        skip_space(sc);
        if (peek(sc) == ',') {
            sc->at++;
            return object ? scan_name(sc) : STELE_OK;
        }
        if (peek(sc) != (object ? '}' : ']')) {
            return bad(sc, object ? "a comma or the end of the object"
                                  : "a comma or the end of the array");
        }
        sc->at++;
        lv->depth--;
    }
    return STELE_OK;
}

static stele_code scan_end(struct scanner *sc)
{
    skip_space(sc);
    return sc->at == sc->len ? STELE_OK : bad(sc, "the end of the text");
}

stele_code sti_json_check(stele_bytes text, size_t size_max, size_t depth_max, stele_error *err)
{
    struct scanner sc = {.data = text.data, .len = text.len, .err = err};
    struct levels lv = {.depth_max = depth_max};

    sti_assert(depth_max <= STI_JSON_DEPTH_MAX);
    if (text.len > size_max) {
        return sti_fail(err, STELE_ETOOBIG, "JSON: %zu bytes, of at most %zu", text.len, size_max);
    }
    do {
        bool complete;
        stele_code rc = open_value(&sc, &lv, &complete);

        if (rc == STELE_OK && complete) {
            rc = close_values(&sc, &lv);
        }
        if (rc != STELE_OK) {
            return rc;
        }
    } while (lv.depth != 0);
    return scan_end(&sc);
}

stele_code sti_json_string_scan(stele_bytes text, struct sti_json_string *out, stele_error *err)
{
    struct scanner sc = {.data = text.data, .len = text.len, .err = err};
    struct sti_json_string string = {.body = stele_nil()};
    stele_code rc;

    skip_space(&sc);
    if (peek(&sc) == 'n') {
        rc = scan_word(&sc, "null");
    } else {
        size_t start = sc.at + 1;

        rc = scan_string(&sc, &string.escaped);
        if (rc == STELE_OK) {
            string.body = stele_bytes_of(sc.data + start, sc.at - 1 - start);
        }
    }
    if (rc == STELE_OK) {
        rc = scan_end(&sc);
    }
    if (rc == STELE_OK) {
        *out = string;
    }
    return rc;
}

static uint32_t hex4(const uint8_t *in)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        value = value << 4 | (uint32_t)hex_value(in[i]);
    }
    return value;
}

static size_t utf8_put(uint32_t c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

static bool is_low_surrogate(uint32_t c)
{
    return c >= 0xDC00 && c <= 0xDFFF;
}

/* The character of a \u escape whose digits start at in[at]; moves *at behind
 * it, or behind both of a pair. */
static uint32_t unescape_u(stele_bytes in, size_t *at)
{
    uint32_t c = hex4(in.data + *at);

    *at += 4;
    if (c < 0xD800 || c > 0xDFFF) {
        return c;
    }
    if (c < 0xDC00 && in.len - *at >= 6 && in.data[*at] == '\\' && in.data[*at + 1] == 'u') {
        uint32_t low = hex4(in.data + *at + 2);

        if (is_low_surrogate(low)) {
            *at += 6;
            return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return REPLACEMENT;
}

static uint8_t unescape_letter(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

size_t sti_json_string_decode(const struct sti_json_string *string, uint8_t *out)
{
    stele_bytes in = string->body;
    size_t at = 0;
    size_t len = 0;

    while (at < in.len) {
        if (in.data[at] != '\\') {
            out[len++] = in.data[at++];
        } else if (in.data[at + 1] == 'u') {
            at += 2;
            len += utf8_put(unescape_u(in, &at), out + len);
        } else {
            out[len++] = unescape_letter(in.data[at + 1]);
            at += 2;
        }
    }
    return len;
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

    if (!sti_utf8_valid(text)) {
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
