/* SPDX-License-Identifier: MIT
 *
 * set.h: what reconciliation asks of a log.
 *
 * A log is a set of entries in the order of their keys (docs/entry.h), no two with the same. A
 * range of it is given by bounds (fleet/packet.h) as bytes that compare with keys: at or above
 * `low`, below `high`, which is nil for the end of all.
 */
#ifndef STI_FLEET_SET_H
#define STI_FLEET_SET_H

#include "docs/docs.h"

/* STELE_END ends the walk, which then succeeds; a failure ends it with that. The key is valid
 * during the call. */
typedef stele_code (*sti_fleet_key_fn)(
        void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err);
typedef stele_code (*sti_fleet_cut_fn)(
        void *arg, stele_bytes before, stele_bytes at, stele_error *err);

struct sti_fleet_set_ops {
    /* What a range adds up to. */
    stele_code (*sum)(void *arg, stele_bytes low, stele_bytes high, struct sti_docs_aggregate *out,
            stele_error *err);

    /* Each key of a range, ascending. */
    stele_code (*keys)(void *arg, stele_bytes low, stele_bytes high, sti_fleet_key_fn each,
            void *each_arg, stele_error *err);

    /* Where to cut a range of at least as many entries into `parts` about equal ones: before each
     * part but the first, the key with which it begins and the one before that. Ascending. */
    stele_code (*cuts)(void *arg, stele_bytes low, stele_bytes high, size_t parts,
            sti_fleet_cut_fn each, void *each_arg, stele_error *err);
};

struct sti_fleet_set {
    const struct sti_fleet_set_ops *ops;
    void *arg;
};

#endif /* STI_FLEET_SET_H */
