/* SPDX-License-Identifier: MIT
 *
 * fill.h: making the pages of new blocks ready in less time.
 */
#ifndef STI_VFS_FILL_H
#define STI_VFS_FILL_H

#include <sys/types.h>

/* Write zeros to what of [at, end) was never written, as far as the file goes: nothing of its
 * content changes, if nobody writes there meanwhile. A hint: a failure only leaves it undone. */
void sti_fill_holes(int fd, off_t at, off_t end);

#endif /* STI_VFS_FILL_H */
