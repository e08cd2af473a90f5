/* SPDX-License-Identifier: MIT
 *
 * state.h: the state of an open database, what its store holds, and why it is always whole.
 *
 * A database is a store with these buckets. Integers are big endian; "1" is the version of a
 * value's form, one byte. The values of log, chk, typ and dat are the reference's.
 *
 *     met   "kind" -> 1, "docs" · "server" -> 1, number 4 · "ceiling" -> 1, seconds 8, ns 4 ·
 *           "types" -> 1, the last number that a type got 4 · "collator" -> 1, its version 12 ·
 *           "horizon" -> 1, seconds 8 · "incomplete" -> 1, what there was before a restore
 *           (undo.h) · "trimmed" -> 1, the highest number in seq that was below the horizon 8 ·
 *           "fleet" -> 1, what a node notes (fleet/node.h) ·
 *           "mending" -> 1, while damage is mended (mend.c)
 *     typ   name of a type -> its definition as JSON (type.h)
 *     tno   name of a type -> 1, number 4; while its documents are indexed anew followed by
 *           phase 1, number 4 that it had before, definition of that one as JSON, if it had one
 *     seq   number 8 of an entry, in the order in which they came -> its key in log
 *     log   version 16, ID -> entry (entry.h)
 *     lid   length 2 of the ID, ID, version 16 -> 1: the log of each ID; or
 *           -> 1, JSON of a document whose entry is not in the log, since a backup did not have it
 *     chk   epoch 8 -> checkpoint of a day (checkpoint.h)
 *     agg   level 1 (0 second, 1 minute, 2 hour, 3 day), number of it since 1970 8
 *           -> 1, aggregate (aggregate.h)
 *     nfo   ID -> version, and the claims to unique keys (info.h); also of the deleted
 *     dat   ID -> JSON
 *     kdt   ID -> 1, and the keys of the index that the document has, ascending: length 4 of the
 *           claim, the claim (keys.h), 1 byte: 0, or 1 and the version of the claim 16
 *     idx   claim, ID -> 1, 0, length 4 of the claim; or for a unique key
 *           claim, version 16 of the claim, ID -> 1, 1, length 4 of the claim
 *     cfl   claim that several documents make -> 1
 *     exp   0, time 12 at which a document ends, ID -> 1; and
 *           1, ID -> 1, that time 12 (seconds 8, with the first bit changed, and ns 4)
 *     bad   ID of a document that is not JSON here -> 1
 *
 * All that a change changes is in one batch of the store, so that a crash leaves all of it or
 * nothing. A batch is for one writer at a time: who has it has the clock, and what is read through
 * its view cannot change under him.
 *
 * A change. It is prepared (the document's type, and its index keys); a local one then asks whether
 * somebody else owns one of its unique keys; and it is applied (apply.h). Applying is a function of
 * what the store holds and the entry, without clock, thread or random number, and does not fail
 * for what an entry says: entries of peers come in any order, and all that have the same set of
 * them have the same documents, versions and owners.
 *
 * Types. A type has a number, which its index keys begin with. A new definition gets a new number,
 * and that is all that is stored at once; the documents follow in batches (anew.c), by a thread or
 * within the call, and go on after a restart. In memory each number that has a definition has a
 * `kind`, which stays until close. A type that nobody registered has a number as well, and one key
 * for each document. There are three phases, of which tno has the name:
 *   - filling: one document after the other gets its keys by the new definition, beside those by
 *     the old one. Searches take the old number, which stays whole: whatever is changed meanwhile
 *     is indexed under both. (Changes under the new number alone would make every search look into
 *     two parts, and neither would be in the order of the other; under both they cost more for a
 *     while.) Unique keys of both definitions hold: under the old one for all documents, under the
 *     new one for those that have it already. Each definition has its own owner for a key; he who
 *     owns it by the new one when all is filled is the one with the oldest claim, as if the
 *     documents had been there first.
 *   - clearing: searches take the new number; the old keys are taken away.
 *   - alone: as filling, but without the old keys, which another collation has made, so that nobody
 *     can look for them; open returns when it has ended.
 * How far filling has come does not stand anywhere: a document that has a key of the new number is
 * done. A change of one that is not looks at the whole log of its ID, as its claims by the new
 * definition have never been told. A search takes the number that its own read sees, and finds
 * either all by the old definition or all by the new.
 *
 * Expiry. A document that has ended is there until somebody makes its delete entry; reads pass
 * over it, and a local change that meets it, as its own document or as the owner of a key, makes
 * that entry first, in the same batch. So a new document under the ID is a new one, with claims of
 * its own, and all that follows from entries follows from them alone: applying knows of no expiry.
 * The entry has the version (time of the end, server of the document's version), the same on every
 * node. There are two ways in which that could go wrong:
 *   - The document was set when it had ended already. That version would be below the one of the
 *     document, and the entry would delete nothing. One could let such an entry apply if it is just
 *     the one that the document would make; but what it would make depends on a definition, which
 *     another node may not have, or may have in another version: then what a node holds would not
 *     follow from its entries. Therefore the version is then a nanosecond above that of the
 *     document, which every node can tell as well.
 *   - The document was set anew, to end later, and that entry comes late to a node that has made
 *     the delete entry already. The higher version is the deletion's: the document is deleted
 *     everywhere, whatever came first. Who prolongs must do so in time for it to arrive, or the
 *     others have to make their delete entries some time after the end, which costs nothing.
 *
 * Trimming. Below the horizon, which is the beginning of a day, the log keeps of each ID the entry
 * that counts, if it is no deletion, those from which its claims to unique keys date, and what is
 * needed besides for the claims to come out of the log as they are (trim.c). What is left makes the
 * same documents, versions and owners as before. It is in no sum: checkpoints and aggregates begin
 * at the horizon. Entries below it that come later are refused, since they might be those that are
 * gone; but those of a peer's snapshot are what a peer keeps (peer.h). A backup has checkpoints for
 * what is left, as the reference wants it, and knows nothing of the horizon; a unique key that is
 * defined later has its claims from what is left.
 *
 * Restoring. What is restored is to be seen when all of it has been checked, and the stream can be
 * read once only. A small backup is one batch. A large one takes several, so as not to take memory
 * for all of it: they leave a mark (undo.h), and until the last of them nobody in this process
 * reads or writes (STELE_ESTATE); who opens a database with the mark empties it.
 *
 * The owner of a unique key is the first of its keys in idx: they sort by the claim's version and
 * then by ID, as owner.h wants.
 *
 * The clock (clock.h) begins at the stored ceiling and above the last entry of the log. When a
 * version needs a higher ceiling, that goes into the same batch.
 *
 * Locks, held for moments, with nothing taken under them: `kinds` guards the list of kinds, and is
 * taken within a batch; `work` guards what the thread is asked for; `feed` guards the count of
 * batches that ended, for those who wait for changes.
 */
#ifndef STI_DOCS_STATE_H
#define STI_DOCS_STATE_H

#include <stele/docs.h>
#include <stele/store.h>

#include "base/thread.h"
#include "docs/aggregate.h"
#include "docs/checkpoint.h"
#include "docs/clock.h"
#include "docs/entry.h"
#include "docs/info.h"
#include "docs/keys.h"
#include "docs/path.h"
#include "docs/value.h"

#include <stdatomic.h>

#define STI_DOCS_BUCKETS(X) \
    X(MET, "met")           \
    X(TYP, "typ")           \
    X(TNO, "tno")           \
    X(SEQ, "seq")           \
    X(LOG, "log")           \
    X(LID, "lid")           \
    X(CHK, "chk")           \
    X(AGG, "agg")           \
    X(NFO, "nfo")           \
    X(DAT, "dat")           \
    X(KDT, "kdt")           \
    X(IDX, "idx")           \
    X(CFL, "cfl")           \
    X(EXP, "exp")           \
    X(BAD, "bad")

enum sti_docs_bucket {
#define STI_DOCS_BUCKET_ENUM(name, text) STI_DOCS_##name,
    STI_DOCS_BUCKETS(STI_DOCS_BUCKET_ENUM)
#undef STI_DOCS_BUCKET_ENUM
    STI_DOCS_BUCKET_COUNT
};

enum {
    STI_DOCS_FORM = 1, /* of our values */
    STI_DOCS_CEILING_AHEAD_SECONDS = 5
};

/* A definition that is, or was, in use. */
struct sti_docs_kind {
    struct sti_docs_kind *next;
    uint32_t number; /* 0: disowned */
    struct sti_docs_type *type;
    struct sti_docs_indexer indexer;
    struct sti_docs_path expiry; /* if the type has one */
    _Atomic uint64_t noted;      /* the last stamp under which it is that of its type; 0: none */
};

/* The thread that indexes documents anew; begun when there is something to do for the first time.
 */
struct sti_docs_worker {
    struct sti_mutex work;
    struct sti_cond wake;
    struct sti_thread thread;
    bool started;
    bool wanted;
    _Atomic bool stop;
};

enum {
    STI_DOCS_LEVELS = 4,    /* of aggregates */
    STI_DOCS_MEMO_NAME = 48 /* bytes of the name of a type that is remembered */
};

/* What days, hours, minutes and seconds add up to, as far as it was read; what a batch has changed
 * and not put yet (sums.c). */
struct sti_docs_sums {
    bool has_day;
    bool day_changed;
    struct sti_docs_checkpoint day;
    bool has[STI_DOCS_LEVELS];
    bool changed[STI_DOCS_LEVELS];
    int64_t at[STI_DOCS_LEVELS];
    struct sti_docs_aggregate aggregates[STI_DOCS_LEVELS];
};

/* What a batch knows of the store without reading it, since it, or the batch before it, has read or
 * put it. */
struct sti_docs_memo {
    struct sti_docs_sums sums;
    uint32_t type_number; /* of a type that is whole; 0: of none */
    size_t type_len;
    uint8_t type[STI_DOCS_MEMO_NAME];
};

/* Those who wait with a change (together.c). */
struct sti_docs_line {
    struct sti_mutex lock;
    struct sti_docs_waiter *first;
    struct sti_docs_waiter *last;
    size_t count;
    bool led;
};

struct stele_docs {
    stele_env env;
    stele_docs_options options; /* all set */
    struct sti_json_rules rules;
    stele_store *store;
    struct sti_docs_collator *collator;

    struct sti_docs_clock clock; /* of who has the batch, and so is */
    uint64_t last_seq;           /* the number of the last entry (seq.h) */
    int64_t horizon;             /* entries below it are not taken (trim.h) */
    struct sti_sha256 sha;       /* of who has the batch as well */

    struct sti_docs_line line;

    struct sti_mutex kinds;
    struct sti_docs_kind *first_kind; /* the newest */
    _Atomic uint32_t last_number;     /* read_only: the last number that a type had got; */
    _Atomic bool other_collation;     /* the loose keys that are stored are not of our collation */

    struct sti_mutex feed;
    struct sti_cond changed;   /* `changes` is another one */
    uint64_t changes;          /* batches that ended */
    uint64_t begun;            /* batches that began; */
    struct sti_docs_memo memo; /* of the last of them, if it has ended, and well */

    struct sti_docs_worker worker;
    _Atomic uint64_t anew_done; /* documents that were indexed anew, of those that are to be */
    _Atomic uint64_t anew_total;
    _Atomic int anew_failed; /* why it has stopped, a stele_code */

    _Atomic bool restoring; /* several batches long: nobody else reads or writes until the end */
    _Atomic bool expires;   /* some documents may end; set before the first of them is seen */
    _Atomic bool conflicts; /* several documents may claim a key; set as above */
    _Atomic uint64_t types_changing; /* batches that put what types are, */
    _Atomic uint64_t types_changed;  /* and those of them that have ended (kinds.c) */
    _Atomic uint64_t users;          /* iterators and batches that are open */
};

/* A batch. */
struct sti_docs_write {
    stele_docs *db;
    stele_store_batch *batch;
    stele_store_read *view;
    struct sti_docs_time now;     /* of the wall, when it began */
    bool lazy;                    /* need not be durable at once, as it is done again otherwise */
    bool below;                   /* entries from before the horizon are taken */
    struct sti_docs_time ceiling; /* when it began; */
    struct sti_docs_kind *kind;   /* the newest then */
    uint64_t last_seq;            /* then */
    int64_t horizon;              /* then */
    struct sti_docs_memo memo;
    uint64_t begun;  /* its number among the batches */
    uint64_t writes; /* keys that were put or removed */
    bool types;      /* what types are is among them */
    bool unclaimed;  /* nobody claims the unique keys that are being put */
};

/* ---- bucket.c ---- */

stele_bytes sti_docs_bucket_name(enum sti_docs_bucket bucket);

/* Get from a read; *found says whether it is there, and a missing key is no failure. */
stele_code sti_docs_read(stele_store_read *read, enum sti_docs_bucket bucket, stele_bytes key,
        stele_bytes *value, bool *found, stele_error *err);

/* Make a buffer the first key behind this one. */
stele_code sti_docs_behind(stele_buf *out, stele_bytes key, stele_error *err);

stele_code sti_docs_put(struct sti_docs_write *w, enum sti_docs_bucket bucket, stele_bytes key,
        stele_bytes value, stele_error *err);
stele_code sti_docs_remove(
        struct sti_docs_write *w, enum sti_docs_bucket bucket, stele_bytes key, stele_error *err);

/* The same for sums.c, which knows itself what it puts; `remove`: take it away. */
stele_code sti_docs_put_sum(struct sti_docs_write *w, enum sti_docs_bucket bucket, stele_bytes key,
        stele_bytes value, bool remove, stele_error *err);

/* Know nothing: buckets were changed as a whole. */
void sti_docs_forget(struct sti_docs_write *w);

/* A value of ours of just so many bytes after its form. STELE_EVERSION, STELE_ECORRUPT. */
stele_code sti_docs_check_form(stele_bytes value, size_t len, const char *what, stele_error *err);

/* ---- write.c ---- */

/* Begin a read. STELE_ESTATE while a backup is being restored. */
stele_code sti_docs_read_begin(stele_store_read **out, stele_docs *db, stele_error *err);

/* Begin a batch, and end it: with a code other than STELE_OK nothing of it is there, and that is
 * returned. */
stele_code sti_docs_write_begin(struct sti_docs_write *w, stele_docs *db, stele_error *err);
stele_code sti_docs_write_begin_restore(
        struct sti_docs_write *w, stele_docs *db, stele_error *err); /* of who restores */
stele_code sti_docs_write_end(struct sti_docs_write *w, stele_code rc, stele_error *err);

/* What the clock of the wall says. */
struct sti_docs_time sti_docs_wall(const stele_docs *db);

/* The version of a change that is made here now. */
stele_code sti_docs_write_version(
        struct sti_docs_write *w, struct sti_docs_version *out, stele_error *err);

/* Store a ceiling, of a version that is to be given or of a clean end. */
stele_code sti_docs_put_ceiling(
        struct sti_docs_write *w, struct sti_docs_time ceiling, stele_error *err);

/* ---- feed.c ---- */

/* Wake those who wait for changes. */
void sti_docs_feed_tell(stele_docs *db) STI_EXCLUDES(db->feed);

/* How many batches have ended. */
uint64_t sti_docs_feed_count(stele_docs *db) STI_EXCLUDES(db->feed);

/* Let look() look, and again after each batch, until it says that it is done. */
stele_code sti_docs_feed_wait(stele_docs *db,
        stele_code (*look)(void *arg, stele_store_read *read, bool *done, stele_error *err),
        void *arg, const stele_wait *wait, stele_error *err) STI_EXCLUDES(db->feed);

/* ---- kinds.c ---- */

/* The definition of the type that has, or had, that number; NULL if there is none. Valid until
 * close. */
const struct sti_docs_kind *sti_docs_kind_find(stele_docs *db, uint32_t number, stele_bytes name)
        STI_EXCLUDES(db->kinds);

/* What types are has a stamp. If it is the same, and not 0, before and after a read has begun, that
 * read sees what it stands for. */
uint64_t sti_docs_types_stamp(stele_docs *db);

/* The definition of a type that is whole, if a search has noted it under this stamp; NULL. */
const struct sti_docs_kind *sti_docs_kind_noted(stele_docs *db, stele_bytes name, uint64_t stamp)
        STI_EXCLUDES(db->kinds);
void sti_docs_kind_note(stele_docs *db, uint32_t number, stele_bytes name, uint64_t stamp)
        STI_EXCLUDES(db->kinds);

/* That of a unique key's claim, and which of its keys it is; NULL: there is none. */
const struct sti_docs_kind *sti_docs_kind_of_claim(
        stele_docs *db, stele_bytes claim, uint16_t *number) STI_EXCLUDES(db->kinds);

/* Add one, which takes the type over, also on failure. */
stele_code sti_docs_kind_add(stele_docs *db, uint32_t number, struct sti_docs_type *type,
        stele_error *err) STI_EXCLUDES(db->kinds);

/* Those of a batch that failed, from the newest to the one before the batch: nobody finds them any
 * more. */
struct sti_docs_kind *sti_docs_kinds_newest(stele_docs *db) STI_EXCLUDES(db->kinds);
void sti_docs_kinds_disown(stele_docs *db, struct sti_docs_kind *newest,
        const struct sti_docs_kind *until) STI_EXCLUDES(db->kinds);
void sti_docs_kinds_free(stele_docs *db);

/* The number of a type as a read sees it; 0: it has none. */
stele_code sti_docs_type_number(
        stele_store_read *read, stele_bytes name, uint32_t *number, stele_error *err);

/* The last number that any type got. */
stele_code sti_docs_type_last_number(stele_store_read *read, uint32_t *number, stele_error *err);

enum sti_docs_phase {
    STI_DOCS_WHOLE,
    STI_DOCS_FILLING,
    STI_DOCS_CLEARING,
    STI_DOCS_ALONE
};

/* What tno says of a type. */
struct sti_docs_type_state {
    uint32_t number; /* 0: the type is not known */
    enum sti_docs_phase phase;
    uint32_t old_number; /* unless it is whole */
    stele_bytes old_json;
};

stele_code sti_docs_type_state_get(
        struct sti_docs_type_state *out, stele_bytes value, stele_error *err);
stele_code sti_docs_type_state_read(stele_store_read *read, stele_bytes name,
        struct sti_docs_type_state *out, stele_error *err);
stele_code sti_docs_type_state_put(struct sti_docs_write *w, stele_bytes name,
        const struct sti_docs_type_state *state, stele_error *err);

/* The number that searches take. */
static inline uint32_t sti_docs_type_searched(const struct sti_docs_type_state *state)
{
    return state->phase == STI_DOCS_FILLING ? state->old_number : state->number;
}

/* Give a type a new number, higher than all before and the one it had; or give it one if it has
 * none. */
stele_code sti_docs_type_new_number(struct sti_docs_write *w, stele_bytes name, uint32_t above,
        uint32_t *number, stele_error *err);
stele_code sti_docs_type_need_number(struct sti_docs_write *w, stele_bytes name,
        struct sti_docs_type_state *state, stele_error *err);

/* The type of a document, as the indexes have it: a name that no definition can have, or a lack of
 * one, is "invalid". */
stele_bytes sti_docs_type_of(const json_t *document);

/* ---- reindex.c, types.c ---- */

/* Give all documents that have a key of a number those that they ought to have. */
stele_code sti_docs_reindex(struct sti_docs_write *w, uint32_t old_number, stele_error *err);

/* Give a document the keys that it ought to have, whichever it has. `mend`: what is noted of those
 * may be wrong, and any of them missing; what is right is not written again. */
stele_code sti_docs_reindex_one(
        struct sti_docs_write *w, stele_bytes id, bool mend, stele_error *err);

/* The first document with a key of the index that begins with `head`, at or behind `at`: its key,
 * then a zero byte, takes the place of `at`, and so is where the next one is looked for. STELE_END.
 */
stele_code sti_docs_next_document(
        struct sti_docs_write *w, stele_bytes head, stele_buf *at, stele_buf *id, stele_error *err);

/* Store a definition under a new number; *anew: documents are to be indexed by it. `collated`: the
 * old keys are of another collation. The type is taken over, also on failure. */
stele_code sti_docs_define(struct sti_docs_write *w, struct sti_docs_type *type, stele_bytes json,
        bool collated, bool *anew, stele_error *err);

/* Give every definition that is stored its kind; note where the collation has changed. A `w` that
 * is no batch gives them their kinds alone. */
stele_code sti_docs_types_load(struct sti_docs_write *w, stele_error *err);

/* Where another process writes, know the definitions that a read sees. Otherwise nothing. */
stele_code sti_docs_types_follow(stele_docs *db, stele_store_read *read, stele_error *err);

/* STELE_EMISMATCH if a type (NULL: any) has loose keys of another collation than ours. */
stele_code sti_docs_check_collation(
        stele_docs *db, const struct sti_docs_type *type, stele_error *err);

/* ---- anew.c ---- */

/* Whether documents of any type are still to be indexed anew; `name`, which may be NULL: of which,
 * in place of what the buffer holds. */
stele_code sti_docs_anew_pending(
        stele_store_read *read, stele_buf *name, bool *pending, stele_error *err);

/* Index anew until nothing is left to do, or the worker is to stop. `alone`: only types that nobody
 * can search until then. */
stele_code sti_docs_anew_run(stele_docs *db, bool alone, stele_error *err);

/* ---- worker.c ---- */

stele_code sti_docs_worker_init(stele_docs *db, stele_error *err);

/* Index anew what is to be: in the background, or before it returns. */
stele_code sti_docs_worker_want(stele_docs *db, stele_error *err) STI_EXCLUDES(db->worker.work);

/* Let the thread end after the batch that it is at. */
void sti_docs_worker_stop(stele_docs *db) STI_EXCLUDES(db->worker.work);
void sti_docs_worker_destroy(stele_docs *db);

/* ---- open.c ---- */

static inline stele_docs_version sti_docs_version_public(struct sti_docs_version v)
{
    return (stele_docs_version){.seconds = v.seconds, .ns = v.ns, .server = v.server};
}

#endif /* STI_DOCS_STATE_H */
