/* SPDX-License-Identifier: MIT
 *
 * open.h: the parts of opening and closing.
 */
#ifndef STI_STORE_OPEN_H
#define STI_STORE_OPEN_H

#include "store/state.h"

/* All but the wal and the committer, which are stopped by then; a half-made one, too. */
void sti_store_free(stele_store *s);

/* Remove the directory of a temporary store, whose wal is closed. Closes its data. */
stele_code sti_store_remove_temporary(stele_store *s, stele_error *err);

#endif /* STI_STORE_OPEN_H */
