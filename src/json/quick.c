/* SPDX-License-Identifier: MIT
 *
 * quick.c: plain JSON texts, in one go over their bytes.
 *
 * Arrays and objects hang in what they are in from their beginning, so that a reading that is given
 * up lets go of the outermost one alone.
 */
#include "json/quick.h"

#include "json/utf8.h"

#include <float.h>
#include <string.h>

/* Where it is. */
struct reading {
    const uint8_t *at;
    const uint8_t *end;
    json_t *root;                       /* once there is one */
    json_t *open[STI_JSON_QUICK_DEPTH]; /* arrays and objects, outermost first */
    size_t depth;
    stele_bytes name; /* of the member that comes next, in an object */
};

static void skip_blanks(struct reading *r)
{
    while (r->at < r->end &&
            (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')) {
        r->at++;
    }
}

/* Pass a byte, if it is this one. */
static bool pass(struct reading *r, uint8_t byte)
{
    if (r->at == r->end || *r->at != byte) {
        return false;
    }
    r->at++;
    return true;
}

/* ---- Strings. ---- */

/* Whether one of eight bytes ends a run of plain ones: a quote, a backslash, a control character,
 * or one that is not ASCII. A byte above one that does may be taken for one, too. */
static bool has_special(const uint8_t *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = ones << 7;
    uint64_t v;
    uint64_t quote;
    uint64_t backslash;

    memcpy(&v, at, sizeof v);
    quote = v ^ ones * '"';
    backslash = v ^ ones * '\\';
    return (((v - ones * 0x20) | (quote - ones) | (backslash - ones) | v) & highs) != 0;
}

/* The bytes up to the closing quote, which is passed; false: it is not plain. */
static bool take_string(struct reading *r, stele_bytes *out)
{
    const uint8_t *start;

    if (!pass(r, '"')) {
        return false;
    }
    start = r->at;
    for (;;) {
        size_t len;

        while (r->end - r->at >= (ptrdiff_t)sizeof(uint64_t) && !has_special(r->at)) {
            r->at += sizeof(uint64_t);
        }
        if (r->at == r->end || *r->at < 0x20 || *r->at == '\\') {
            return false;
        }
        if (*r->at == '"') {
            *out = stele_bytes_of(start, (size_t)(r->at - start));
            r->at++;
            return true;
        }
        len = sti_json_utf8_len(r->at, (size_t)(r->end - r->at));
        if (len == 0) {
            return false;
        }
        r->at += len;
    }
}

/* ---- Numbers. ---- */

enum {
    DIGITS_MAX = 18, /* so that they fit into an int64_t */
    POWER_MAX = 22,  /* 10^22 is the last power of ten that is a double */
    POWER_DIGITS = 3 /* of an exponent, zeros included */
};

/* Add digits to a number, at most `max`; how many there were, -1: there are more. */
static int take_digits(struct reading *r, int max, int64_t *number)
{
    int count = 0;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        if (count == max) {
            return -1;
        }
        *number = *number * 10 + (*r->at++ - '0');
        count++;
    }
    return count;
}

/* mantissa * 10^power; one rounding, if both are exact. */
static json_t *real_of(int64_t mantissa, int power, bool minus)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
            1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

    double d = (double)mantissa;

    if (FLT_EVAL_METHOD != 0 || mantissa > INT64_C(1) << 53 || power > POWER_MAX ||
            power < -POWER_MAX) {
        return NULL;
    }
    d = power < 0 ? d / powers[-power] : d * powers[power];
    return json_real(minus ? -d : d);
}

/* The exponent; false: it is none, or a long one. */
static bool take_power(struct reading *r, int *power)
{
    int64_t number = 0;
    bool minus;

    r->at++;
    minus = pass(r, '-');
    if (!minus) {
        (void)pass(r, '+');
    }
    if (take_digits(r, POWER_DIGITS, &number) <= 0) {
        return false;
    }
    *power += minus ? -(int)number : (int)number;
    return true;
}

static json_t *take_number(struct reading *r)
{
    bool minus = pass(r, '-');
    bool zero = r->at < r->end && *r->at == '0';
    int64_t mantissa = 0;
    int digits = take_digits(r, DIGITS_MAX, &mantissa);
    int power = 0;
    bool real = false;

    if (digits <= 0 || (zero && digits > 1)) {
        return NULL;
    }
    if (pass(r, '.')) {
        int places = take_digits(r, DIGITS_MAX - digits, &mantissa);

        if (places <= 0) {
            return NULL;
        }
        power = -places;
        real = true;
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        if (!take_power(r, &power)) {
            return NULL;
        }
        real = true;
    }
    return real ? real_of(mantissa, power, minus) : json_integer(minus ? -mantissa : mantissa);
}

/* ---- Values. ---- */

static bool pass_word(struct reading *r, const char *word, size_t len)
{
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0) {
        return false;
    }
    r->at += len;
    return true;
}

/* A value that is neither array nor object. */
static json_t *take_scalar(struct reading *r)
{
    stele_bytes text = stele_nil();

    switch (*r->at) {
    case '"':
        return take_string(r, &text) ? json_stringn_nocheck((const char *)text.data, text.len)
                                     : NULL;
    case 't':
        return pass_word(r, "true", 4) ? json_true() : NULL;
    case 'f':
        return pass_word(r, "false", 5) ? json_false() : NULL;
    case 'n':
        return pass_word(r, "null", 4) ? json_null() : NULL;
    default:
        return take_number(r);
    }
}

/* Put a value where it belongs; it is taken over. False: the name was there already. */
static bool attach(struct reading *r, json_t *value)
{
    json_t *parent = r->depth == 0 ? NULL : r->open[r->depth - 1];
    size_t before;

    if (parent == NULL) {
        r->root = value;
        return true;
    }
    if (json_is_array(parent)) {
        return json_array_append_new(parent, value) == 0;
    }
    before = json_object_size(parent);
    return json_object_setn_new_nocheck(parent, (const char *)r->name.data, r->name.len, value) ==
                   0 &&
           json_object_size(parent) > before;
}

/* The name of a member, and the colon behind it. */
static bool take_name(struct reading *r)
{
    skip_blanks(r);
    if (!take_string(r, &r->name)) {
        return false;
    }
    skip_blanks(r);
    return pass(r, ':');
}

/* An array or object begins; *empty: and has ended. */
static bool begin_nested(struct reading *r, size_t depth_max, bool *empty)
{
    bool object = *r->at == '{';
    json_t *value;

    if (r->depth == STI_JSON_QUICK_DEPTH || r->depth == depth_max) {
        return false;
    }
    value = object ? json_object() : json_array();
    if (value == NULL || !attach(r, value)) {
        return false;
    }
    r->at++;
    skip_blanks(r);
    *empty = pass(r, object ? '}' : ']');
    if (*empty) {
        return true;
    }
    r->open[r->depth++] = value;
    return !object || take_name(r);
}

/* Behind a value: on to the next one, out of what ends here; *done: all has ended. */
static bool go_on(struct reading *r, bool *done)
{
    while (r->depth > 0) {
        bool object = json_is_object(r->open[r->depth - 1]);

        skip_blanks(r);
        if (pass(r, ',')) {
            return !object || take_name(r);
        }
        if (!pass(r, object ? '}' : ']')) {
            return false;
        }
        r->depth--;
    }
    *done = true;
    return true;
}

static bool read_all(struct reading *r, size_t depth_max)
{
    bool done = false;

    while (!done) {
        bool nested;
        bool ended = true;

        skip_blanks(r);
        if (r->at == r->end) {
            return false;
        }
        nested = *r->at == '{' || *r->at == '[';
        if (nested) {
            if (!begin_nested(r, depth_max, &ended)) {
                return false;
            }
        } else {
            json_t *value = take_scalar(r);

            if (value == NULL || !attach(r, value)) {
                return false;
            }
        }
        if (ended && !go_on(r, &done)) {
            return false;
        }
    }
    skip_blanks(r);
    return r->at == r->end;
}

json_t *sti_json_quick(stele_bytes text, size_t depth_max)
{
    struct reading r = {.at = text.data};

    if (text.len == 0) {
        return NULL;
    }
    r.end = text.data + text.len;
    if (!read_all(&r, depth_max)) {
        json_decref(r.root);
        return NULL;
    }
    return r.root;
}
