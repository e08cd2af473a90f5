/* SPDX-License-Identifier: MIT
 *
 * error.h: setting and wrapping stele_error.
 */
#ifndef STI_BASE_ERROR_H
#define STI_BASE_ERROR_H

#include <stele/error.h>

/* Set *err if err is not NULL; return `code`, so that callers can say
 * `return sti_fail(err, STELE_ECORRUPT, "short header, %zu of 8 bytes", n);` */
stele_code sti_fail(stele_error *err, stele_code code, const char *format, ...) STELE_PRINTF(3, 4);

/* The same, naming the file (no path needed) and the byte in it (-1: none).
 * The message becomes "FILE: at POSITION: …", or "FILE: …". */
stele_code sti_fail_at(stele_error *err, stele_code code, const char *file, int64_t position,
        const char *format, ...) STELE_PRINTF(5, 6);

/* The same with the text of errno (positive); maps ENOSPC, EACCES, ENOENT and so on. */
stele_code sti_fail_errno(stele_error *err, int sys_errno, const char *format, ...)
        STELE_PRINTF(3, 4);
stele_code sti_fail_errno_at(stele_error *err, int sys_errno, const char *file, int64_t position,
        const char *format, ...) STELE_PRINTF(5, 6);

/* The code that sti_fail_errno() gives. */
stele_code sti_code_of_errno(int sys_errno);

/* Put "format: " before the message of a failed call; return its code. Keeps
 * file, position and errno. */
stele_code sti_wrap(stele_error *err, stele_code code, const char *format, ...) STELE_PRINTF(3, 4);

#if defined(__clang_analyzer__) && !defined(STI_ERROR_IMPLEMENTATION)
/* What the static analyser has to know: the result is the code. */
static inline stele_code sti_known_failure(stele_code code, ...)
{
    return code;
}

#define sti_fail(err, code, ...) sti_known_failure((code), (err), __VA_ARGS__)
#define sti_fail_at(err, code, file, at, ...) \
    sti_known_failure((code), (err), (file), (at), __VA_ARGS__)
#define sti_wrap(err, code, ...)         sti_known_failure((code), (err), __VA_ARGS__)
#define sti_fail_errno(err, number, ...) sti_known_failure(STELE_EIO, (err), (number), __VA_ARGS__)
#define sti_fail_errno_at(err, number, file, at, ...) \
    sti_known_failure(STELE_EIO, (err), (number), (file), (at), __VA_ARGS__)
#endif

#endif /* STI_BASE_ERROR_H */
