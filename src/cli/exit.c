/* SPDX-License-Identifier: MIT
 *
 * exit.c: from results to exit codes.
 */
#include "cli/exit.h"

enum sti_exit sti_exit_of(stele_code code, bool offset_is_missing)
{
    switch (code) {
    case STELE_OK:
    case STELE_END:
        return STI_EXIT_OK;
    case STELE_ENOTFOUND:
        return STI_EXIT_NOT_FOUND;
    case STELE_EOFFSET:
        return offset_is_missing ? STI_EXIT_NOT_FOUND : STI_EXIT_USAGE;
    case STELE_EINVAL:
    case STELE_ETOOBIG:
    case STELE_ETYPE:
        return STI_EXIT_USAGE;
    case STELE_ECORRUPT:
    case STELE_EVERSION:
        return STI_EXIT_CORRUPT;
    case STELE_EBUSY:
        return STI_EXIT_LOCKED;
    case STELE_ENOSPC:
        return STI_EXIT_NO_SPACE;
    case STELE_ECONFLICT:
    case STELE_ESTALE:
        return STI_EXIT_CONFLICT;
    case STELE_EREADONLY:
    case STELE_ESTATE:
    case STELE_ENOINDEX:
    case STELE_EMISMATCH:
    case STELE_EEXIST:
        return STI_EXIT_REFUSED;
    case STELE_ENOMEM:
    case STELE_ENOTSUP:
    case STELE_EIO:
    case STELE_EPERM:
    case STELE_EFAILED:
    case STELE_ETIMEDOUT:
    case STELE_ECANCELED:
    case STELE_ECLOSED:
    case STELE_ENOPEER:
    case STELE_EPEER:
    default:
        return STI_EXIT_IO;
    }
}
