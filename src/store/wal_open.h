/* SPDX-License-Identifier: MIT
 *
 * wal_open.h: the wal of a store, made when it is first needed.
 */
#ifndef STI_STORE_WAL_OPEN_H
#define STI_STORE_WAL_OPEN_H

#include "store/state.h"

/* That of the store; made if there is none. By who has the right to write. */
stele_code sti_store_wal_get(stele_store *s, stele_wal **out, stele_error *err);

/* Open one that is there; STELE_ENOTFOUND. */
stele_code sti_store_wal_open(stele_store *s, bool must_exist, stele_error *err);

/* Whether there is the directory of a wal in that of a store. */
stele_code sti_wal_dir_is_there(
        const stele_env *env, const char *store, bool *there, stele_error *err);

/* Make the directory, durably; is it there? */
stele_code sti_store_wal_make_dir(stele_store *s, stele_error *err);
stele_code sti_store_wal_has_dir(stele_store *s, bool *there, stele_error *err);

#endif /* STI_STORE_WAL_OPEN_H */
