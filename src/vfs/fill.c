/* SPDX-License-Identifier: MIT
 *
 * fill.c: zeros where there are zeros already.
 *
 * Blocks that fallocate() gave are read as zeros without being so. The first
 * store to each of their pages through a map makes the file system look for
 * the block and change its books, page by page. A write makes many pages ready
 * at once: that, and waking up the map's pages then, takes a third of the time.
 */
#include "vfs/fill.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    ZEROS = 4096,
    PIECE = 64 << 10 /* of one write: the cache keeps it together; longer ones are slower again */
};

/* False if it could not. */
static bool fill(int fd, off_t at, off_t end)
{
    static const uint8_t zeros[ZEROS];
    struct iovec pieces[PIECE / ZEROS];

    for (size_t i = 0; i < PIECE / ZEROS; i++) {
        pieces[i] = (struct iovec){(void *)(uintptr_t)zeros, ZEROS};
    }
    while (at < end) {
        off_t len = PIECE - at % PIECE;
        int count;
        ssize_t done;

        len = (len < end - at ? len : end - at) / ZEROS * ZEROS;
        count = (int)(len / ZEROS);
        done = count == 0 ? 0 : pwritev(fd, pieces, count, at);
        if (done <= 0) {
            return false;
        }
        at += done;
    }
    return true;
}

void sti_fill_holes(int fd, off_t at, off_t end)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || end > st.st_size) {
        return;
    }
    while (at < end) {
        off_t data = lseek(fd, at, SEEK_DATA);

        if (data < 0 && errno != ENXIO) {
            return;
        }
        data = data < 0 || data > end ? end : data;
        if (data > at && !fill(fd, at, data)) {
            return;
        }
        at = data < end ? lseek(fd, data, SEEK_HOLE) : end;
        if (at < 0) {
            return;
        }
    }
}
