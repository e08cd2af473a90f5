/* SPDX-License-Identifier: MIT
 *
 * undo.h: a restore that is not whole is taken back.
 *
 * A large backup is restored in several batches. The first of them leaves a mark, with what there
 * was before: types, and a horizon. The last one takes it away. Who opens a database that has the
 * mark, or fails to restore, empties the database and puts that back.
 */
#ifndef STI_DOCS_UNDO_H
#define STI_DOCS_UNDO_H

#include "docs/state.h"

/* Append what a database without documents holds. */
stele_code sti_docs_undo_save(struct sti_docs_write *w, stele_buf *saved, stele_error *err);

/* Leave the mark, and take it away. */
stele_code sti_docs_undo_mark(struct sti_docs_write *w, stele_bytes saved, stele_error *err);
stele_code sti_docs_undo_unmark(struct sti_docs_write *w, stele_error *err);

stele_code sti_docs_undo_marked(stele_store_read *read, bool *marked, stele_error *err);

/* Take back what was restored, if there is a mark. */
stele_code sti_docs_undo(struct sti_docs_write *w, stele_error *err);

#endif /* STI_DOCS_UNDO_H */
