/* SPDX-License-Identifier: MIT
 *
 * backup.h: going over a backup, with all checks.
 */
#ifndef STI_DOCS_BACKUP_H
#define STI_DOCS_BACKUP_H

#include <stele/docs.h>

#include "docs/cdbk.h"

/* Each pair as it comes, after its own checks; those of the whole are done when all have come.
 * each() may be NULL. STELE_OK: all of it is as it should be. */
stele_code sti_docs_backup_go(stele_read_fn read, void *arg, bool manifest_demanded,
        stele_code (*each)(void *each_arg, const struct sti_docs_cdbk_pair *pair, stele_error *err),
        void *each_arg, stele_docs_backup_summary *out, stele_error *err);

#endif /* STI_DOCS_BACKUP_H */
