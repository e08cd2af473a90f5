/* SPDX-License-Identifier: MIT
 *
 * recover.h: what recovery decides on, and how it is carried out, for either format.
 *
 * A plan is made by looking alone. It says which segments stay, up to where, and what goes to
 * quarantine. So a dry run is the same without the last step, and a recovery that was cut short is
 * simply done again.
 */
#ifndef STI_WAL_RECOVER_H
#define STI_WAL_RECOVER_H

#include "wal/open.h"

/* A file in the order of the log. */
struct sti_wal_piece {
    struct sti_segment *seg; /* owned */
    uint64_t first_id;
    uint64_t next_id; /* behind the last record that is whole */
    uint64_t end;
    uint64_t tail_end;   /* behind the last byte to be kept in quarantine; end: none */
    uint64_t durable;    /* bytes that need not be written again */
    uint64_t known_next; /* behind the last id that it is known to have held */
    bool exists;
    bool open;    /* it was not known to be sealed */
    bool damaged; /* records behind next_id are gone */
    bool aside;   /* goes to quarantine as a whole */
};

struct sti_wal_plan {
    struct sti_wal_piece *pieces;
    size_t count;
    size_t capacity;
    size_t keep; /* pieces in front that stay */
    bool needed; /* anything is to be done */
    uint64_t first_lost;
    uint64_t next_lost; /* behind the last one; first_lost: none */
};

stele_code sti_wal_plan_add(
        struct sti_wal_plan *plan, const struct sti_wal_piece *piece, stele_error *err);
void sti_wal_plan_free(struct sti_wal_plan *plan);
/* Records from `first` on are lost, up to what any piece is known to have held. */
void sti_wal_plan_lose(struct sti_wal_plan *plan, uint64_t first);

stele_code sti_wal_plan_stele(
        struct sti_wal_plan *plan, struct sti_wal_found *found, stele_error *err);
stele_code sti_wal_plan_blb(
        struct sti_wal_plan *plan, struct sti_wal_found *found, stele_error *err);

#endif /* STI_WAL_RECOVER_H */
