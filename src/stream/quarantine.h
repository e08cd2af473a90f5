/* SPDX-License-Identifier: MIT
 *
 * quarantine.h: nothing that is cut from a log is thrown away.
 */
#ifndef STI_STREAM_QUARANTINE_H
#define STI_STREAM_QUARANTINE_H

#include "stream/names.h"
#include "vfs/vfs.h"

/* Put bytes that stood at `position` of the segment's log into a quarantine
 * file, durably (file and name), before they are cut. `name` gets the file's name. If the very same
 * bytes are there from a try that crashed, that file is used; another content under the name moves
 * the number in it up. */
stele_code sti_quarantine_put(struct sti_dir *dir, int64_t base, uint64_t position,
        const uint8_t *data, size_t len, char name[STI_NAME_SIZE], stele_error *err);

#endif /* STI_STREAM_QUARANTINE_H */
