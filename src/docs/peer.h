/* SPDX-License-Identifier: MIT
 *
 * peer.h: what a node of a fleet reads of a database for its peers, and writes of theirs.
 *
 * A view is one read: all that is asked of it fits together, whatever is changed meanwhile. Ranges
 * of the log are given by bytes that compare with its keys (entry.h), at or above `low`, which has
 * the seconds at least, and below `high`, nil for the end. What is below the horizon of the
 * database is in no range, as it is in no sum.
 *
 * Durability. A view sees batches that have ended and may not be durable yet. Who tells others what
 * a view has seen first calls sti_docs_peer_durable(), unless an earlier one covers view.seq.
 *
 * Threads: a view is for one thread at a time; the other calls are for any.
 */
#ifndef STI_DOCS_PEER_H
#define STI_DOCS_PEER_H

#include <stele/docs.h>

#include "docs/aggregate.h"
#include "docs/checkpoint.h"
#include "docs/entry.h"

/* ---- Reading. ---- */

struct sti_docs_view {
    stele_docs *db;
    struct stele_store_read *read; /* NULL: there is none */
    int64_t horizon;               /* seconds */
    uint64_t seq;                  /* the number of the last entry that it sees */
};

stele_code sti_docs_view_begin(struct sti_docs_view *out, stele_docs *db, stele_error *err);
void sti_docs_view_end(struct sti_docs_view *view); /* also of none */

/* The hash of the entry of a key of the log. */
stele_code sti_docs_view_find(const struct sti_docs_view *view, stele_bytes key,
        uint8_t hash[STI_DOCS_HASH_SIZE], bool *found, stele_error *err);

/* Append the entry of a key of the log. STELE_ENOTFOUND */
stele_code sti_docs_view_entry(
        const struct sti_docs_view *view, stele_bytes key, stele_buf *out, stele_error *err);

/* What a range adds up to: some hundred reads, and a hash for each entry of the seconds that are
 * within it only in part. */
stele_code sti_docs_view_sum(const struct sti_docs_view *view, stele_bytes low, stele_bytes high,
        struct sti_docs_aggregate *out, stele_error *err);

/* Each key of a range, ascending. STELE_END ends it as a success. */
stele_code sti_docs_view_keys(const struct sti_docs_view *view, stele_bytes low, stele_bytes high,
        stele_code (*each)(void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE],
                stele_error *err),
        void *arg, stele_error *err);

/* Where to cut a range of at least as many entries into about equal parts: before each but the
 * first the key with which it begins, and the one before that. STELE_END ends it as a success. */
stele_code sti_docs_view_cuts(const struct sti_docs_view *view, stele_bytes low, stele_bytes high,
        size_t parts,
        stele_code (*each)(void *arg, stele_bytes before, stele_bytes at, stele_error *err),
        void *arg, stele_error *err);

/* The days from the horizon on, ascending. */
stele_code sti_docs_view_checkpoints(const struct sti_docs_view *view,
        stele_code (*each)(
                void *arg, const struct sti_docs_checkpoint *checkpoint, stele_error *err),
        void *arg, stele_error *err);

/* The entries on which what is known of IDs behind one rests, by ID ascending: those that count,
 * and those from which claims date. STELE_END ends it as a success. */
stele_code sti_docs_view_kept(const struct sti_docs_view *view, stele_bytes after,
        stele_code (*each)(void *arg, stele_bytes id, stele_bytes entry, stele_error *err),
        void *arg, stele_error *err);

/* ---- Writing. ---- */

#define STI_DOCS_NOTE "fleet" /* of a node, in met */

/* A document claims a unique key that another one owns. */
struct sti_docs_clash {
    const char *type;
    const char *key; /* both valid until the database is closed */
    stele_bytes owner;
    stele_bytes id;
};

struct sti_docs_taken {
    uint64_t made;    /* entries that are there now */
    uint64_t known;   /* that were there, or whose version another one has */
    uint64_t refused; /* that are none */
    uint64_t seq;     /* the number of the last entry there is, which is durable */
};

/* Apply encoded entries of others in one batch, and return when it is durable: as sure as local
 * changes are. What an entry says makes none fail; one from before the horizon is taken, too, and
 * is in no sum: it is for the caller to know that it is not one that was trimmed. Of the entries
 * that are there now and make a clash clashes() hears behind that, which may be NULL. Any failure:
 * none of them is there, but for those of a durable end (store.h). */
stele_code sti_docs_peer_apply(stele_docs *db, const stele_bytes *entries, size_t count,
        struct sti_docs_taken *out, void (*clashes)(void *arg, const struct sti_docs_clash *clash),
        void *arg, stele_error *err);

/* Make the log begin at a horizon, in seconds, as stele_docs_trim() does; but deletions that count
 * stay: a peer that comes back later may have what they end. */
stele_code sti_docs_peer_trim(stele_docs *db, int64_t horizon, stele_error *err);

/* What of a database was not any more what was stored. */
struct sti_docs_mended {
    uint64_t damaged; /* values that were told from others, or taken out */
    uint64_t lost;    /* entries of the log that were taken out */
    uint64_t left;    /* faults that remain: of keys, or of what the store knows of itself */
};

/* Read all that is committed, and mend what is damaged (mend.c). Writers go on meanwhile. Where
 * entries were lost the node's note is empty then. `wait` (may be NULL) ends the reading. *out is
 * set in any case. STELE_ECORRUPT: it cannot be mended. */
stele_code sti_docs_peer_mend(
        stele_docs *db, const stele_wait *wait, struct sti_docs_mended *out, stele_error *err);

/* Return when all that is to be seen is durable. Waits for the batch that is open. With not_durable
 * it returns at once. */
stele_code sti_docs_peer_durable(stele_docs *db, stele_error *err);

/* Versions have another number of the server from now on, not 0; durable. */
stele_code sti_docs_peer_set_server(stele_docs *db, uint32_t server, stele_error *err);

/* Versions go on some nanoseconds, less than a second, above the last one, if the wall is not above
 * that: a database that was put back to an older state does not give those again that it gave then,
 * if the number is another one each time. */
stele_code sti_docs_peer_scatter(stele_docs *db, uint32_t ns, stele_error *err);

/* What a node keeps about itself, replaced as a whole; durable. Appended to `out`: nothing if there
 * is none yet. */
stele_code sti_docs_peer_put_note(stele_docs *db, stele_bytes note, stele_error *err);
stele_code sti_docs_peer_get_note(stele_docs *db, stele_buf *out, stele_error *err);

/* Append what tells apart rules by which keys may be held equal elsewhere. */
stele_code sti_docs_peer_collation(const stele_docs *db, stele_buf *out, stele_error *err);

/* The environment that it was opened with, until close. */
const stele_env *sti_docs_peer_env(const stele_docs *db);

#endif /* STI_DOCS_PEER_H */
