/* SPDX-License-Identifier: MIT */
#include "lib/stress.h"

#include <stdarg.h>
#include <stdio.h>

uint64_t stress_draw(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545F4914F6CDD1DULL;
}

void stress_complain(struct stress_common *c, const char *format, ...)
{
    va_list args;

    if (atomic_fetch_add(&c->wrong, 1) == 0) {
        va_start(args, format);
        (void)vsnprintf(c->why, sizeof c->why, format, args);
        va_end(args);
    }
    atomic_store(&c->stop, true);
}

bool stress_fine(struct stress_common *c, stele_code rc, const stele_error *err, const char *what)
{
    if (rc != STELE_OK) {
        stress_complain(c, "%s: %s: %s", what, stele_code_name(rc), err->message);
    }
    return rc == STELE_OK;
}
