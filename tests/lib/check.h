/* SPDX-License-Identifier: MIT
 *
 * check.h: cmocka, and what the library's own types need beyond it.
 *
 * Each macro evaluates its arguments once and ends the test if it does not
 * hold, printing what was there instead.
 */
#ifndef TESTS_LIB_CHECK_H
#define TESTS_LIB_CHECK_H

#include <stele/bytes.h>
#include <stele/error.h>

/* cmocka.h needs the four before it, which sorting would put behind it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

/* A call succeeds; its error, if not, is printed. */
#define CHECK_OK(call, err) check_ok((call), (err), #call, __FILE__, __LINE__)

/* A call gives exactly this code. */
#define CHECK_CODE(call, code) check_code((call), (code), #call, __FILE__, __LINE__)

/* Two stele_bytes are equal; nil and empty differ. */
#define CHECK_BYTES(actual, expected) check_bytes((actual), (expected), __FILE__, __LINE__)

/* The message of an error is, or contains, a text. */
#define CHECK_MESSAGE(err, text)     check_message((err), (text), true, __FILE__, __LINE__)
#define CHECK_MESSAGE_HAS(err, text) check_message((err), (text), false, __FILE__, __LINE__)

static inline void check_ok(
        stele_code code, const stele_error *err, const char *call, const char *file, int line)
{
    if (code != STELE_OK) {
        print_error("%s\n  gave %s: %s\n", call, stele_code_name(code),
                err == NULL ? "(no message asked for)" : err->message);
        _fail(file, line);
    }
}

static inline void check_code(
        stele_code actual, stele_code expected, const char *call, const char *file, int line)
{
    if (actual != expected) {
        print_error("%s\n  gave %s instead of %s\n", call, stele_code_name(actual),
                stele_code_name(expected));
        _fail(file, line);
    }
}

static inline void check_bytes(stele_bytes actual, stele_bytes expected, const char *file, int line)
{
    size_t common = actual.len < expected.len ? actual.len : expected.len;
    size_t at = 0;

    if (stele_is_nil(actual) == stele_is_nil(expected) && actual.len == expected.len &&
            (common == 0 || memcmp(actual.data, expected.data, common) == 0)) {
        return;
    }
    while (at < common && actual.data[at] == expected.data[at]) {
        at++;
    }
    print_error("%s of %zu bytes instead of %s of %zu, equal up to byte %zu\n",
            stele_is_nil(actual) ? "nil" : "bytes", actual.len,
            stele_is_nil(expected) ? "nil" : "bytes", expected.len, at);
    if (at < common) {
        print_error("  there 0x%02x instead of 0x%02x\n", actual.data[at], expected.data[at]);
    }
    _fail(file, line);
}

static inline void check_message(
        const stele_error *err, const char *text, bool whole, const char *file, int line)
{
    bool ok = whole ? strcmp(err->message, text) == 0 : strstr(err->message, text) != NULL;

    if (!ok) {
        print_error("the message is    \"%s\"\n  %s \"%s\"\n", err->message,
                whole ? "instead of      " : "and does not have", text);
        _fail(file, line);
    }
}

#endif /* TESTS_LIB_CHECK_H */
