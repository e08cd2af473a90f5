/* SPDX-License-Identifier: MIT
 *
 * report.c: making error messages.
 */
#include "cli/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(stele_error *err, stele_code code, int sys_errno)
{
    err->code = code;
    err->sys_errno = sys_errno;
    err->position = -1;
    err->file[0] = '\0';
}

stele_code sti_cli_fail(stele_error *err, stele_code code, const char *format, ...)
{
    va_list args;

    set(err, code, 0);
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return code;
}

stele_code sti_cli_wrap(stele_error *err, stele_code code, const char *format, ...)
{
    char inner[STELE_ERROR_MESSAGE_SIZE];
    va_list args;
    size_t len;

    memcpy(inner, err->message, sizeof inner);
    inner[sizeof inner - 1] = '\0';
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    len = strlen(err->message);
    (void)snprintf(err->message + len, sizeof err->message - len, ": %s", inner);
    return code;
}

stele_code sti_cli_fail_errno(stele_error *err, int sys_errno, const char *what)
{
    stele_code code = STELE_EIO;
    const char *text = strerrordesc_np(sys_errno);

    if (sys_errno == ENOSPC || sys_errno == EDQUOT) {
        code = STELE_ENOSPC;
    } else if (sys_errno == ENOMEM) {
        code = STELE_ENOMEM;
    } else if (sys_errno == EACCES || sys_errno == EPERM) {
        code = STELE_EPERM;
    }
    set(err, code, sys_errno);
    (void)snprintf(err->message, sizeof err->message, "%s: %s", what,
            text == NULL ? "unknown error" : text);
    return code;
}
