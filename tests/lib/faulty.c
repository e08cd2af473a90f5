/* SPDX-License-Identifier: MIT
 *
 * faulty.c: counts operations, and fails one.
 */
#include "lib/faulty.h"

#include <string.h>

static int count(struct wrap_vfs *w, const struct wrap_call *call)
{
    struct faulty *f = (struct faulty *)w;

    f->writes += call->op == WRAP_WRITE;
    f->syncs += call->op == WRAP_SYNC;
    return f->ops++ == f->fail_at ? -f->sys_errno : 0;
}

void faulty_init(struct faulty *f)
{
    memset(f, 0, sizeof *f);
    wrap_init(&f->wrap, count);
    f->fail_at = -1;
}

void faulty_fail(struct faulty *f, int fail_at, int sys_errno)
{
    f->ops = 0;
    f->fail_at = fail_at;
    f->sys_errno = sys_errno;
}

void faulty_limit(struct faulty *f, size_t transfer_max)
{
    f->wrap.read_max = transfer_max;
    f->wrap.write_max = transfer_max;
}
