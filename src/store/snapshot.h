/* SPDX-License-Identifier: MIT
 *
 * snapshot.h: what the parts of a snapshot's making know of each other.
 */
#ifndef STI_STORE_SNAPSHOT_H
#define STI_STORE_SNAPSHOT_H

#include "store/state.h"

stele_store *sti_snapshot_store(const stele_store_snapshot *snapshot);

#endif /* STI_STORE_SNAPSHOT_H */
