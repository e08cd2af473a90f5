/* SPDX-License-Identifier: MIT
 *
 * open.h: the parts of opening and closing.
 */
#ifndef STI_STORE_OPEN_H
#define STI_STORE_OPEN_H

#include "store/state.h"

/* All but the wal and the committer, which are stopped by then; a half-made one, too. */
void sti_store_free(stele_store *s);

/* Open the data of the generation that was read from `current`, in the place of what is there. On
 * failure that stays. */
stele_code sti_store_open_data(stele_store *s, stele_error *err);

/* Remove the directory of a temporary store, whose wal is closed. Closes its data. */
stele_code sti_store_remove_temporary(stele_store *s, stele_error *err);

/* ---- follow.c ---- */

/* Of a handle that only reads: read `current`, and open its data. */
stele_code sti_store_open_current(stele_store *s, stele_error *err);

#endif /* STI_STORE_OPEN_H */
