/* SPDX-License-Identifier: MIT
 *
 * peers_file.c: the file of known peers, replaced as a whole.
 */
#include "nats/peers.h"
#include "nats/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char file_name[] = "peers";
static const char temporary_name[] = "peers.tmp";

enum {
    FILE_MAX = 4 << 20 /* more than the longest names of all peers */
};

static stele_code failed(stele_error *err, int64_t result, const char *doing)
{
    stele_code code = result == -ENOSPC   ? STELE_ENOSPC
                      : result == -ENOMEM ? STELE_ENOMEM
                      : result == -EACCES ? STELE_EPERM
                                          : STELE_EIO;

    (void)sti_nats_fail(err, code, "file of peers: %s failed", doing);
    if (err != NULL) {
        err->sys_errno = (int)-result;
        (void)snprintf(err->file, sizeof err->file, "%s", file_name);
    }
    return code;
}

stele_code sti_nats_peers_load(stele_dir *dir, stele_buf *out, stele_error *err)
{
    stele_file *file = NULL;
    stele_code rc = STELE_OK;
    uint8_t block[4096];
    int64_t got = dir->ops->open(dir, file_name, STELE_OPEN_READ, &file);

    if (got == -ENOENT) {
        return STELE_OK;
    }
    if (got != 0) {
        return failed(err, got, "opening");
    }
    rc = stele_buf_append(out, stele_empty(), err);
    do {
        got = file->ops->pread(file, block, sizeof block, out->len);
        if (got < 0) {
            rc = failed(err, got, "reading");
        } else if (out->len > FILE_MAX) {
            rc = sti_nats_fail(err, STELE_ECORRUPT, "file of peers: it is too long");
        } else if (rc == STELE_OK) {
            rc = stele_buf_append(out, stele_bytes_of(block, (size_t)got), err);
        }
    } while (rc == STELE_OK && got > 0);
    (void)file->ops->close(file);
    return rc;
}

static int64_t write_all(stele_file *file, stele_bytes content)
{
    size_t done = 0;
    int64_t n = file->ops->truncate(file, 0); /* one that a crash left */

    while (n >= 0 && done < content.len) {
        stele_slice rest = {content.data + done, content.len - done};

        n = file->ops->pwritev(file, &rest, 1, done);
        n = n == 0 ? -EIO : n;
        done += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? n : file->ops->sync(file, false);
}

stele_code sti_nats_peers_save(stele_dir *dir, stele_bytes content, stele_error *err)
{
    stele_file *file = NULL;
    int64_t n = dir->ops->open(dir, temporary_name, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &file);
    int64_t closed;

    if (n != 0) {
        return failed(err, n, "making it");
    }
    n = write_all(file, content);
    closed = file->ops->close(file);
    n = n < 0 ? n : closed;
    if (n < 0) {
        (void)dir->ops->unlink(dir, temporary_name);
        return failed(err, n, "writing");
    }
    n = dir->ops->rename(dir, temporary_name, file_name);
    n = n < 0 ? n : dir->ops->sync(dir);
    return n < 0 ? failed(err, n, "replacing it") : STELE_OK;
}
