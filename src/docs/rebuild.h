/* SPDX-License-Identifier: MIT
 *
 * rebuild.h: the parts of making a database anew.
 */
#ifndef STI_DOCS_REBUILD_H
#define STI_DOCS_REBUILD_H

#include "docs/apply.h"

/* ---- rebuild.c ---- */

/* Make the log of each ID that of the log. */
stele_code sti_docs_rebuild_places(stele_docs *db, stele_error *err);

/* ---- rebuild_sums.c ---- */

/* Make checkpoints and aggregates those of the log. */
stele_code sti_docs_rebuild_sums(stele_docs *db, stele_error *err);

#endif /* STI_DOCS_REBUILD_H */
