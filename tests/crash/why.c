/* SPDX-License-Identifier: MIT */
#include "crash/why.h"

#include <stdarg.h>
#include <stdio.h>

int crash_wrong(const struct crash_why *why, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(why->text, why->len, format, ap);
    va_end(ap);
    return 1;
}

int crash_failed(
        const struct crash_why *why, const char *call, stele_code rc, const stele_error *err)
{
    (void)crash_wrong(why, "%s: %s", call, rc == STELE_END ? "END" : err->message);
    switch (rc) {
    case STELE_EIO:
    case STELE_ENOSPC:
    case STELE_ENOMEM:
    case STELE_EFAILED:
        return rc;
    default:
        return 1;
    }
}
