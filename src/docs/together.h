/* SPDX-License-Identifier: MIT
 *
 * together.h: changes of several threads in one batch.
 *
 * One change a batch costs more than the change: the sums of the log, a record of the store's log,
 * and waking the next one who waits for the right to write. So threads that come while another one
 * has a batch of changes line up. Who is first in the line, once that one has made his changes and
 * only waits for their sync, takes all that stand behind him, makes their changes in one batch, and
 * tells them how it ended. A thread that comes alone makes its change at once, in its own batch.
 *
 * Each is for itself: a change that is refused before it wrote anything leaves the others be; after
 * any other failure the batch is taken back, and each change is made in a batch of its own.
 */
#ifndef STI_DOCS_TOGETHER_H
#define STI_DOCS_TOGETHER_H

#include "docs/state.h"

/* Make a change within a batch, and end that. `make` may be called twice, by any thread. */
stele_code sti_docs_together(stele_docs *db,
        stele_code (*make)(struct sti_docs_write *w, void *arg, stele_error *err), void *arg,
        size_t size, stele_error *err) STI_EXCLUDES(db->line.lock);

stele_code sti_docs_line_init(struct sti_docs_line *line, stele_error *err);
void sti_docs_line_destroy(struct sti_docs_line *line);

#endif /* STI_DOCS_TOGETHER_H */
