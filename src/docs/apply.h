/* SPDX-License-Identifier: MIT
 *
 * apply.h: what an entry of the log does to a database.
 *
 * Of the entries of one ID the one with the highest version counts; of two with the same version
 * the log keeps one, a delete before a set, then the one with the higher hash. An entry that comes
 * late is logged and counted, and moves the document's claims to what they would be had all come in
 * order. Nothing here asks a clock, or refuses an entry for what
 * it says, but for one from before the horizon.
 */
#ifndef STI_DOCS_APPLY_H
#define STI_DOCS_APPLY_H

#include "docs/state.h"

/* An entry with what the indexes need to know of it. Zero-initialised may be freed. */
struct sti_docs_change {
    struct sti_docs_entry entry; /* its bytes are borrowed */
    json_t *document;            /* NULL: a deletion, or JSON that our parser refuses */
    struct sti_docs_type_state type;
    const struct sti_docs_kind *kind; /* NULL: not registered */
    struct sti_docs_index_keys keys;
    stele_bytes *unique; /* those claims that are unique, ascending */
    size_t unique_count;
    bool ends; /* the document does, at a time */
    struct sti_docs_time end;
};

enum sti_docs_applied {
    STI_DOCS_APPLIED_CURRENT, /* it is the one that counts now */
    STI_DOCS_APPLIED_LATE,    /* it is in the log, and another one counts */
    STI_DOCS_APPLIED_KNOWN    /* it was there, or one that goes before it: nothing has changed */
};

/* Prepare an entry. `document` is its JSON, if that is known already, and is taken over, also on
 * failure. A local one is refused if it has too many index keys; one of others goes without. */
stele_code sti_docs_change_prepare(struct sti_docs_change *out, struct sti_docs_write *w,
        const struct sti_docs_entry *entry, json_t *document, bool local, stele_error *err);
void sti_docs_change_free(struct sti_docs_change *change);

/* STELE_ECONFLICT if another document owns one of the unique keys; one that has ended is deleted.
 */
stele_code sti_docs_change_check_owners(
        struct sti_docs_write *w, const struct sti_docs_change *change, stele_error *err);

/* STELE_ESTALE: it is from before the horizon, and nothing has changed. */
stele_code sti_docs_apply(struct sti_docs_write *w, const struct sti_docs_change *change,
        enum sti_docs_applied *out, stele_error *err);

/* What is known of an ID becomes what its log says, if anything. */
stele_code sti_docs_apply_again(struct sti_docs_write *w, stele_bytes id, stele_error *err);

/* Note that a document is not JSON here, or is. */
stele_code sti_docs_note_unreadable(
        struct sti_docs_write *w, stele_bytes id, bool unreadable, stele_error *err);

/* A document whose ID has no entries in the log, and is to have none. */
stele_code sti_docs_apply_unlogged(
        struct sti_docs_write *w, const struct sti_docs_change *change, stele_error *err);

/* The only entry of its ID, which sti_docs_log_first() has put into the log. */
stele_code sti_docs_apply_first(
        struct sti_docs_write *w, const struct sti_docs_change *change, stele_error *err);

/* ---- logged.c ---- */

/* Put an entry into the log and into all sums, as it is encoded, and no more: its ID has no other
 * one there. It is not below the horizon. */
stele_code sti_docs_log_first(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        stele_bytes encoded, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err);

/* Put an entry into the log and into all sums; *known says that nothing was changed. STELE_ESTALE:
 * it is from before the horizon. */
stele_code sti_docs_log_add(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        bool *known, stele_error *err);

/* Append what the places of an ID in lid begin with. */
stele_code sti_docs_place_head(stele_bytes id, stele_buf *out, stele_error *err);

/* Append the place of an entry in lid. */
stele_code sti_docs_place_key(
        stele_bytes id, struct sti_docs_version version, stele_buf *out, stele_error *err);

/* Put an entry into the log of its ID that the log itself does not have. */
stele_code sti_docs_place_add(
        struct sti_docs_write *w, const struct sti_docs_entry *entry, stele_error *err);

/* The same for one that the log has. */
stele_code sti_docs_place_new(
        struct sti_docs_write *w, const struct sti_docs_entry *entry, stele_error *err);

/* The entry of a place in lid, which is that of its key. Its bytes are valid as long as the read
 * is. */
stele_code sti_docs_place_entry(stele_store_read *read, stele_bytes key, stele_bytes value,
        stele_bytes id, struct sti_docs_entry *out, stele_error *err);

/* Put an entry that is in the log into the log of its ID and, from the horizon on, into all sums.
 */
stele_code sti_docs_log_count(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err);

/* ---- sums.c ---- */

enum {
    STI_DOCS_CHECKPOINT_KEY_SIZE = 8,
    STI_DOCS_AGGREGATE_KEY_SIZE = 1 + 8
};

/* Of a second, minute, hour, day. */
extern const int64_t sti_docs_level_seconds[STI_DOCS_LEVELS];

/* The keys in chk and agg. */
void sti_docs_checkpoint_key(uint8_t out[STI_DOCS_CHECKPOINT_KEY_SIZE], int64_t epoch);
void sti_docs_aggregate_key(uint8_t out[STI_DOCS_AGGREGATE_KEY_SIZE], uint8_t level, int64_t at);

/* Add the hash of an entry to checkpoint and aggregates, or take it away. */
stele_code sti_docs_sums_change(struct sti_docs_write *w, struct sti_docs_version version,
        const uint8_t hash[STI_DOCS_HASH_SIZE], bool add, stele_error *err);

/* Put what was added up and has not been put. */
stele_code sti_docs_sums_put(struct sti_docs_write *w, stele_error *err);

/* ---- claims.c ---- */

/* Append the claims of an ID as its whole log makes them, with the version of the last entry: the
 * value of nfo. `deleted` as well. An entry of them that is `known`, which may be NULL, need not be
 * prepared again. STELE_ENOTFOUND: it has no log. */
stele_code sti_docs_claims_of_log(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_change *known, stele_buf *out, stele_error *err);

/* ---- index_write.c ---- */

/* Give a document the keys of a change, with the claims of its info, in place of those that it has;
 * NULL: no keys. */
stele_code sti_docs_index_replace(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_index_keys *keys, const struct sti_docs_info *info, stele_error *err);

/* The same for a document that has none. */
stele_code sti_docs_index_first(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_index_keys *keys, const struct sti_docs_info *info, stele_error *err);

/* The same where what is noted of its keys may be wrong. */
stele_code sti_docs_index_mend(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_index_keys *keys, const struct sti_docs_info *info, stele_error *err);

/* Take from a document all keys of the index, and claims, but those of a number. */
stele_code sti_docs_index_strip(
        struct sti_docs_write *w, stele_bytes id, uint32_t number, stele_error *err);

/* Whether a value of kdt has keys of a number, and of others. */
stele_code sti_docs_kept_numbers(
        stele_bytes value, uint32_t number, bool *has, bool *others, stele_error *err);

/* ---- indexed.c ---- */

/* Note whether several documents make a claim. */
stele_code sti_docs_index_note_conflict(
        struct sti_docs_write *w, stele_bytes claim, stele_error *err);

/* The first who claims a unique key, within the key of the index; *found: there is one. The cursor
 * is over idx, and stays there. */
stele_code sti_docs_index_owner(stele_store_cursor *cursor, stele_bytes claim, stele_bytes *id,
        bool *found, stele_error *err);

/* The one behind it, where the cursor is. */
stele_code sti_docs_index_next_claimant(stele_store_cursor *cursor, stele_bytes claim,
        stele_bytes *id, bool *found, stele_error *err);

enum {
    STI_DOCS_INDEX_VALUE_SIZE = 1 + 1 + 4
};

/* What idx has under a key. */
struct sti_docs_index_value {
    bool unique;
    stele_bytes claim;
    stele_bytes id;
};

stele_code sti_docs_index_value_get(
        struct sti_docs_index_value *out, stele_bytes key, stele_bytes value, stele_error *err);

/* Go over the keys in a value of kdt. */
struct sti_docs_kept {
    stele_bytes rest; /* of the value */
    stele_bytes claim;
    stele_bytes version; /* of the claim, encoded; empty: not unique */
};

stele_code sti_docs_kept_begin(struct sti_docs_kept *kept, stele_bytes value, stele_error *err);

/* STELE_END after the last. */
stele_code sti_docs_kept_next(struct sti_docs_kept *kept, stele_error *err);

/* Whether the claims are those of the keys that are unique, in the same order. */
bool sti_docs_claims_fit(const struct sti_docs_index_keys *keys, const struct sti_docs_info *info);

/* Append one key to a value of kdt; the version is empty if it is not unique. */
stele_code sti_docs_kept_add(
        stele_bytes claim, stele_bytes version, stele_buf *out, stele_error *err);

/* Append the value of kdt for a document that has these keys, which the claims of the info fit. */
stele_code sti_docs_kept_encode(const struct sti_docs_index_keys *keys,
        const struct sti_docs_info *info, stele_buf *out, stele_error *err);

/* The key of the index, in place of what the buffer holds, and its value. */
stele_code sti_docs_kept_key(
        const struct sti_docs_kept *kept, stele_bytes id, stele_buf *out, stele_error *err);
void sti_docs_index_value_put(
        uint8_t out[STI_DOCS_INDEX_VALUE_SIZE], const struct sti_docs_kept *kept);

#endif /* STI_DOCS_APPLY_H */
