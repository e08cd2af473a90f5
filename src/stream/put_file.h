/* SPDX-License-Identifier: MIT
 *
 * put_file.h: write a whole file under a temporary name, then rename it.
 *
 * After a crash the name has the old content, the new one, or (where it was
 * not synced) anything: such files carry checksums and are made again. A
 * temporary name that is left over is overwritten here, and removed at open.
 */
#ifndef STI_STREAM_PUT_FILE_H
#define STI_STREAM_PUT_FILE_H

#include "vfs/vfs.h"

/* Make "<name>.tmp" hold these bytes, sync it if `sync`, and rename it to
 * `name`, whose old content goes. The directory is not synced. On failure the
 * temporary file is removed, as far as that works. */
stele_code sti_put_file(struct sti_dir *dir, const char *name, const stele_slice *slices,
        size_t count, bool sync, stele_error *err);

/* Write the first `len` bytes of a file, which `data` holds, once more, and sync: after a sync
 * that failed, what a reopened file shows may be in the cache alone, and be taken for written. */
stele_code sti_file_renew(struct sti_file *f, const uint8_t *data, uint64_t len, stele_error *err);

#endif /* STI_STREAM_PUT_FILE_H */
