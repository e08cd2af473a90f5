/* SPDX-License-Identifier: MIT
 *
 * docs.h: a database of JSON documents with typed indexes.
 *
 * A document is a JSON object under an ID, kept byte for byte as it was given. Its member "@type",
 * a string, says of which type it is ("invalid" without one); a type that is registered says by
 * which fields its documents are found. Every change is an entry of a log, with a version: a time
 * that never goes back, and the number of the server. The entry with the highest version counts.
 *
 * A database is a directory, a stele_store, with one process that has it open.
 *
 * Threads: any function may be called from any thread at the same time, close excepted. An iterator
 * is for one thread at a time.
 *
 * Durability: a change has survived a power cut when the call returns, unless not_durable; threads
 * share a sync. A change is there with its log entry and its index keys, or not at all.
 *
 * read_only: what the database's process has committed is read beside it, at most half a second
 * late; changes give STELE_EREADONLY.
 *
 * Failures of the store come as they are (store.h): STELE_ENOSPC from a durable change means that
 * it is done, and waits for room on the disk, or for what else the message says; after
 * STELE_EFAILED nobody knows.
 */
#ifndef STELE_DOCS_H
#define STELE_DOCS_H

#include <stele/bytes.h>
#include <stele/env.h>

STELE_BEGIN_DECLS

typedef struct stele_docs stele_docs;
typedef struct stele_docs_iter stele_docs_iter;
typedef struct stele_docs_batch stele_docs_batch;

#define STELE_DOCS_ID_MAX ((size_t)16384)

/* Compared field by field. */
typedef struct stele_docs_version {
    int64_t seconds; /* since 1970 UTC, not negative */
    uint32_t ns;
    uint32_t server;
} stele_docs_version;

typedef struct stele_docs_options {
    size_t struct_size;
    const stele_env *env; /* borrowed until close; NULL: the real world. Files are real ones */
    bool create_dirs;     /* make the directory and its parents */
    bool must_exist;      /* STELE_ENOTFOUND instead of a new database */
    bool read_only;       /* beside the process that has it open; nothing is written */
    bool not_durable;     /* changes return at once: a power cut may lose the last ones */
    size_t id_max;        /* bytes of an ID; 0: STELE_DOCS_ID_MAX, which is the most */
    bool refuse_long_ids; /* set no ID over 239 bytes: STELE_ETOOBIG. A reference peer never hears
                           * of those */
    size_t size_max;      /* bytes of a document; 0: 16 MiB; at most 127 MiB */
    size_t depth_max;     /* arrays and objects within each other; 0: 128; at most 2,048 */
    int64_t lock_wait_ms; /* as of a store */
    bool no_background;   /* as of a store: no thread; documents are indexed within the calls */

    /* Definitions that are registered before open returns, as by stele_docs_register(). */
    const stele_bytes *types;
    size_t type_count;
} stele_docs_options;

STELE_API void stele_docs_options_init_sized(stele_docs_options *opts, size_t struct_size);

/* The default configuration. */
static inline void stele_docs_options_init(stele_docs_options *opts)
{
    stele_docs_options_init_sized(opts, sizeof *opts);
}

/* Open or create the database in `dir`. `opts` may be NULL and is copied. On success *out is
 * owned by the caller: stele_docs_close(). Where the collation of "utf8" keys has become another
 * one since, the types that use it are indexed anew before this returns.
 *
 * STELE_ENOTFOUND: with must_exist or read_only there has to be one · STELE_EMISMATCH: a store that
 * is no database · STELE_EVERSION · STELE_ECORRUPT · and what
 * opening a store gives. */
STELE_API STELE_NODISCARD stele_code stele_docs_open(
        stele_docs **out, const char *dir, const stele_docs_options *opts, stele_error *err);

/* No iterator or batch may be open (STELE_ESTATE, and nothing is done). Indexing in the background
 * ends after the batch that it is at. Any other failure is
 * reported, and the database is gone all the same. Accepts NULL. */
STELE_API stele_code stele_docs_close(stele_docs *db, stele_error *err);

/* The directory, borrowed until close, and the number of the server in the versions given here. */
STELE_API const char *stele_docs_name(const stele_docs *db);
STELE_API uint32_t stele_docs_server(const stele_docs *db);

/* ---- Status. ---- */

typedef enum stele_docs_state {
    STELE_DOCS_INITIALISING, /* a backup is being restored */
    STELE_DOCS_REINDEXING,   /* documents get the keys of a new definition */
    STELE_DOCS_READY
} stele_docs_state;

typedef struct stele_docs_status {
    stele_docs_state state;
    uint64_t reindex_done;     /* documents of the type that is indexed anew, */
    uint64_t reindex_total;    /* and how many it has, about */
    stele_code reindex_failed; /* why that has stopped, STELE_OK if it has not */
    uint64_t types;            /* that are registered */
    uint64_t documents;        /* those that have ended and are not deleted yet, too */
    uint64_t deleted;          /* IDs whose documents were deleted, and that are still known */
    uint64_t entries;          /* of the log */
    uint64_t keys;             /* of the index */
    uint64_t conflicts;        /* unique keys that several documents claim */
    uint64_t unreadable;       /* documents of others that are kept though they are not JSON here */
    uint64_t ending;           /* documents that end at a time, or have */
    stele_time horizon;        /* before which the log is trimmed; 0: it is not */
    stele_docs_version last;   /* the highest version of the log; zeros: there is none */
    uint64_t seq;              /* the place to which the feed has come */
    uint64_t size;             /* bytes of the file, */
    uint64_t size_in_use;      /* how many of them are used, and those */
    uint64_t wal_size;         /* of the log of durable changes that are not in it yet */
} stele_docs_status;

/* Beside the process that has the database open: of what is committed. */
STELE_API STELE_NODISCARD stele_code stele_docs_get_status(
        stele_docs *db, stele_docs_status *out, stele_error *err);

/* Return when the state is STELE_DOCS_READY: all indexes are complete. What has stopped that, with
 * its code · STELE_ETIMEDOUT, STELE_ECANCELED. `wait` may be NULL: for ever. */
STELE_API STELE_NODISCARD stele_code stele_docs_wait_ready(
        stele_docs *db, const stele_wait *wait, stele_error *err);

/* ---- Types. ---- */

/* From a definition as JSON, which says all: a document has one index key, or with "array" one for
 * each element, for each key of its type whose first field it has.
 *
 *     {"name":"user","keys":[{"name":"mail","fields":["mail"],"method":"utf8","unique":true}],
 *      "version":3}
 *
 * "method" is "binary", "utf8" (case, width and accents do not count), "number" or "time"; fields
 * are paths, "a/b/0". "expiry":"a/b" names a field with the time at which a document ends: RFC
 * 3339, or seconds since 1970, as "time" has it; a document without one stays.
 *
 * Returns when the definition is stored. Documents of the type that are there already get their
 * keys in the background, in batches, between which others write; after a restart that goes on
 * (stele_docs_get_status(), stele_docs_wait_ready()). Until then searches find by the definition
 * before, whose unique keys still hold, too; all documents of a type that had none are found by the
 * type. With no_background this is done before the call returns. The same definition again does
 * nothing, but to go on where indexing has failed. If documents share a unique key already, the
 * oldest claim owns it: stele_docs_conflicts(). STELE_EINVAL, naming the key at fault. */
STELE_API STELE_NODISCARD stele_code stele_docs_register(
        stele_docs *db, stele_bytes definition, stele_error *err);

/* Append the definition of a type. STELE_ETYPE: it is not registered. */
STELE_API STELE_NODISCARD stele_code stele_docs_type(
        stele_docs *db, const char *name, stele_buf *out, stele_error *err);

/* The definitions of all registered types, in the order of their names. What each() returns other
 * than STELE_OK ends it; STELE_END as a success. What it is given is valid until it returns. */
STELE_API STELE_NODISCARD stele_code stele_docs_types(stele_docs *db,
        stele_code (*each)(void *arg, stele_bytes definition, stele_error *err), void *arg,
        stele_error *err);

/* ---- Changes. ---- */

/* Set a document, in place of the one before. `version` may be NULL.
 *
 * STELE_EINVAL: no JSON object, or what cannot be kept: names twice in an object, numbers beyond
 * int64_t and double, an ID of no bytes · STELE_ETOOBIG: the limits · STELE_ECONFLICT: a unique
 * key that another document owns; the message says which. Nothing has changed then. */
STELE_API STELE_NODISCARD stele_code stele_docs_set(stele_docs *db, stele_bytes id,
        stele_bytes json, stele_docs_version *version, stele_error *err);

/* STELE_ENOTFOUND: there is no such document, and nothing is logged. `version` may be NULL. */
STELE_API STELE_NODISCARD stele_code stele_docs_delete(
        stele_docs *db, stele_bytes id, stele_docs_version *version, stele_error *err);

/* Change members of a document by a merge patch (RFC 7396), a JSON object: each of its members is
 * set or, where it is null, removed. The document is written anew, without blanks. STELE_ENOTFOUND,
 * and what setting gives. */
STELE_API STELE_NODISCARD stele_code stele_docs_patch(stele_docs *db, stele_bytes id,
        stele_bytes patch, stele_docs_version *version, stele_error *err);

/* Make the delete entries of documents that have ended by the "expiry" of their type, `limit` at
 * most (0: all), in batches of some hundred. They are not to be seen from that time on anyway: this
 * makes room, and tells those who follow the log. Every node makes the same entries, with the time
 * of the end as their version; a document that was set anew in good time, but comes later than
 * this, stays deleted. `count` may be NULL. */
STELE_API STELE_NODISCARD stele_code stele_docs_expire(
        stele_docs *db, uint64_t limit, uint64_t *count, stele_error *err);

/* ---- Several changes, all or none. ----
 *
 * A batch is for one thread at a time, and there is one at a time: others who change something wait
 * until it ends. What it changed is seen by its own later changes at once, and by reads when it has
 * ended. After a change that failed the batch can only end, without any of them.
 *
 * `expected` may be NULL; otherwise it is the version that the document has to have, zeros for none
 * at all: STELE_ESTALE. */

/* Waits for the batch that is open. */
STELE_API STELE_NODISCARD stele_code stele_docs_batch_begin(
        stele_docs_batch **out, stele_docs *db, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_docs_batch_set(stele_docs_batch *batch, stele_bytes id,
        stele_bytes json, const stele_docs_version *expected, stele_docs_version *version,
        stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_docs_batch_patch(stele_docs_batch *batch, stele_bytes id,
        stele_bytes patch, const stele_docs_version *expected, stele_docs_version *version,
        stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_docs_batch_delete(stele_docs_batch *batch,
        stele_bytes id, const stele_docs_version *expected, stele_docs_version *version,
        stele_error *err);

/* Frees it, also on failure; the first failure of a change is returned again. */
STELE_API STELE_NODISCARD stele_code stele_docs_batch_end(
        stele_docs_batch *batch, stele_error *err);
STELE_API void stele_docs_batch_abort(stele_docs_batch *batch); /* accepts NULL */

/* ---- Reading. ---- */

/* Append the document as it was given. STELE_ENOTFOUND. */
STELE_API STELE_NODISCARD stele_code stele_docs_get(
        stele_docs *db, stele_bytes id, stele_buf *out, stele_error *err);

/* Append the value to which a JSON pointer (RFC 6901) leads, without blanks. STELE_ENOTFOUND: no
 * such document, or no such value in it · STELE_EINVAL: no pointer. */
STELE_API STELE_NODISCARD stele_code stele_docs_get_field(
        stele_docs *db, stele_bytes id, stele_bytes pointer, stele_buf *out, stele_error *err);

STELE_API STELE_NODISCARD stele_code stele_docs_has(
        stele_docs *db, stele_bytes id, bool *has, stele_error *err);

/* What is known of an ID, also of one that was deleted or has ended. STELE_ENOTFOUND: there never
 * was one. */
STELE_API STELE_NODISCARD stele_code stele_docs_version_of(stele_docs *db, stele_bytes id,
        stele_docs_version *version, bool *deleted, stele_error *err);

/* What to put of a document into a struct, and where. */
typedef enum stele_docs_field_kind {
    STELE_DOCS_FIELD_BOOL,   /* bool */
    STELE_DOCS_FIELD_INT64,  /* int64_t */
    STELE_DOCS_FIELD_DOUBLE, /* double, of any number */
    STELE_DOCS_FIELD_STRING, /* stele_buf, initialised: its contents are replaced */
    STELE_DOCS_FIELD_JSON    /* the same, with any value as text */
} stele_docs_field_kind;

typedef struct stele_docs_field {
    const char *pointer; /* RFC 6901 */
    stele_docs_field_kind kind;
    size_t offset; /* within the struct */
    bool optional; /* if it is missing, what is there stays */
} stele_docs_field;

/* Fill a struct from a document, such as an iterator gives, or from that under an ID.
 * STELE_ENOTFOUND: a field is missing, or the document · STELE_EINVAL: a value of another kind. The
 * struct is then as before. */
STELE_API STELE_NODISCARD stele_code stele_docs_fill(stele_bytes json,
        const stele_docs_field *fields, size_t count, void *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_docs_get_into(stele_docs *db, stele_bytes id,
        const stele_docs_field *fields, size_t count, void *out, stele_error *err);

/* ---- Searches. ---- */

typedef struct stele_docs_search {
    size_t struct_size;
    const char *type;

    /* A JSON object of fields and values, in any order: just those of a key, or its first ones.
     * nil: none; without a bound that finds all of the type. */
    stele_bytes match;

    const char *key; /* the key to take; NULL: the best */

    /* One more field, the next of the key, and what its values may be: from low to high, which are
     * JSON values of one kind, nil for no bound on that side; or what strings begin with. */
    const char *bound_field;
    stele_bytes low;
    stele_bytes high;
    bool low_open;  /* low itself is not found */
    bool high_open; /* high itself is not found */
    stele_bytes prefix;

    bool backward;
    uint64_t limit;    /* so many documents at most; 0: all */
    stele_bytes after; /* what stele_docs_iter_token() gave, to go on behind it; nil: begin */
} stele_docs_search;

STELE_API void stele_docs_search_init_sized(stele_docs_search *search, size_t struct_size);

static inline void stele_docs_search_init(stele_docs_search *search)
{
    stele_docs_search_init_sized(search, sizeof *search);
}

/* The documents that a search finds, each once, in the order of the key. The iterator sees what
 * was there when it began. Of those who claim one unique key its owner alone is found.
 *
 * STELE_ETYPE: no document of that type, and it is not registered; or fields, and it is not ·
 * STELE_EINVAL: no key fits, with a list of those there are; bounds or token that cannot be ·
 * STELE_EMISMATCH: read_only, and the loose keys are of another collation than the one here, until
 * a writer has opened the database. */
STELE_API STELE_NODISCARD stele_code stele_docs_search_begin(
        stele_docs_iter **out, stele_docs *db, const stele_docs_search *search, stele_error *err);

/* Append the first document that a search finds to the buffers; either may be NULL.
 * STELE_ENOTFOUND. */
STELE_API STELE_NODISCARD stele_code stele_docs_search_first(stele_docs *db,
        const stele_docs_search *search, stele_buf *id, stele_buf *json, stele_error *err);

/* All documents whose IDs are in [start, end); end nil: to the last one. */
STELE_API STELE_NODISCARD stele_code stele_docs_range(stele_docs_iter **out, stele_docs *db,
        stele_bytes start, stele_bytes end, bool backward, stele_error *err);

/* All whose IDs begin so. */
STELE_API STELE_NODISCARD stele_code stele_docs_prefix(
        stele_docs_iter **out, stele_docs *db, stele_bytes prefix, bool backward, stele_error *err);

/* The next one, and the one before, in the direction of the iterator, which stands before all of
 * them at first; STELE_END, behind the last and before the first, from where going the other way is
 * allowed. The ID is valid until the next call, the JSON until the iterator ends; either may be
 * NULL. A limit counts what both give. */
STELE_API STELE_NODISCARD stele_code stele_docs_iter_next(
        stele_docs_iter *it, stele_bytes *id, stele_bytes *json, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_docs_iter_prev(
        stele_docs_iter *it, stele_bytes *id, stele_bytes *json, stele_error *err);

/* Fill a struct from the document that was given last, as stele_docs_fill() does. STELE_ESTATE: the
 * iterator has not given one, or has ended. */
STELE_API STELE_NODISCARD stele_code stele_docs_iter_fill(stele_docs_iter *it,
        const stele_docs_field *fields, size_t count, void *out, stele_error *err);

/* Stand before an ID, which need not be there: the next one is the first that is not less
 * (backward: not greater). STELE_EINVAL: of a search. */
STELE_API STELE_NODISCARD stele_code stele_docs_iter_seek(
        stele_docs_iter *it, stele_bytes id, stele_error *err);

/* Where a search is, to resume behind what was given last; nil before the first one, and for a
 * range. Valid until the next call. */
STELE_API stele_bytes stele_docs_iter_token(const stele_docs_iter *it);

STELE_API void stele_docs_iter_end(stele_docs_iter *it); /* accepts NULL */

/* ---- Log. ---- */

typedef struct stele_docs_entry {
    stele_bytes log_id; /* its place in the log */
    stele_docs_version version;
    bool is_delete;
    stele_bytes id;
    stele_bytes json; /* of a set */
    uint64_t seq;     /* its place in the feed; 0 from others than that */
    bool after_gap;   /* of a history: entries before it may have been trimmed */
} stele_docs_entry;

/* The entries of the log behind a place (nil: all), in the order of their versions. What each()
 * returns other than STELE_OK ends it; STELE_END as a success. What it is given is valid until it
 * returns. */
STELE_API STELE_NODISCARD stele_code stele_docs_log(stele_docs *db, stele_bytes after,
        stele_code (*each)(void *arg, const stele_docs_entry *entry, stele_error *err), void *arg,
        stele_error *err);

/* The feed: the entries of the log in the order in which they came to be here, behind a place, the
 * `seq` of one that was seen (0: all there are). In the order of versions one that comes late from
 * elsewhere would be missed. Who keeps the place goes on from there after a restart. Places are
 * those of this database alone. STELE_EOFFSET: entries behind that place have been trimmed, or the
 * feed has never come there; begin with the documents, as they are now, and all that is left. */
STELE_API STELE_NODISCARD stele_code stele_docs_feed(stele_docs *db, uint64_t after,
        stele_code (*each)(void *arg, const stele_docs_entry *entry, stele_error *err), void *arg,
        stele_error *err);

/* Return when the feed goes on behind a place. STELE_EOFFSET, STELE_ETIMEDOUT, STELE_ECANCELED.
 * `wait` may be NULL: for ever. */
STELE_API STELE_NODISCARD stele_code stele_docs_feed_wait(
        stele_docs *db, uint64_t after, const stele_wait *wait, stele_error *err);

/* The entries of one document, as far as the log goes, in the order of their versions; `after_gap`
 * says where that may not be all. */
STELE_API STELE_NODISCARD stele_code stele_docs_history(stele_docs *db, stele_bytes id,
        stele_code (*each)(void *arg, const stele_docs_entry *entry, stele_error *err), void *arg,
        stele_error *err);

/* Make the log begin at a horizon, a time in microseconds since 1970, which is taken down to the
 * beginning of its day (UTC) and never goes back. Of the entries before it each document that is
 * there keeps the one that made it, and those from which its claims to unique keys date; all
 * others, and all that was known of deleted documents, go. Documents that have ended are deleted
 * before. Days before the horizon have no checkpoints, entries from before it are refused
 * (STELE_ESTALE) when they come from elsewhere, and who follows the feed must have seen all of them
 * (STELE_EOFFSET). In batches, between which others write; one that fails can be called again, and
 * goes on. Nothing is trimmed otherwise: call it from time to time, say for thirty days ago.
 * `count` (may be NULL): entries that have gone. STELE_EINVAL: in the future. */
STELE_API STELE_NODISCARD stele_code stele_docs_trim(
        stele_docs *db, stele_time horizon, uint64_t *count, stele_error *err);

/* A day of the log. */
typedef struct stele_docs_checkpoint {
    int64_t epoch;       /* days since 1970, of the day after */
    uint64_t count;      /* of entries */
    uint8_t sum[32];     /* exclusive or of their hashes */
    uint8_t encoded[60]; /* as peers have it */
} stele_docs_checkpoint;

/* The days that have entries, in order, from the horizon on. */
STELE_API STELE_NODISCARD stele_code stele_docs_checkpoints(stele_docs *db,
        stele_code (*each)(void *arg, const stele_docs_checkpoint *checkpoint, stele_error *err),
        void *arg, stele_error *err);

/* A document that holds a unique key which another one owns. */
typedef struct stele_docs_conflict {
    const char *type;
    const char *key;
    stele_bytes owner;
    stele_bytes id;
    bool first; /* of those who do not own that one key: they come one after the other */
} stele_docs_conflict;

STELE_API STELE_NODISCARD stele_code stele_docs_conflicts(stele_docs *db,
        stele_code (*each)(void *arg, const stele_docs_conflict *conflict, stele_error *err),
        void *arg, stele_error *err);

/* ---- Validation. ---- */

typedef struct stele_docs_fault {
    stele_bytes id; /* of the document; nil: of none, or it is not known */
    const char *text;
} stele_docs_fault;

typedef struct stele_docs_validated {
    uint64_t documents;
    uint64_t entries;    /* of the log */
    uint64_t keys;       /* of the index */
    uint64_t conflicts;  /* unique keys that several documents claim */
    uint64_t unreadable; /* documents of others that are kept though they are not JSON here */
    uint64_t faults;
} stele_docs_validated;

/* Compare everything with everything: documents, versions, keys, log, checkpoints, aggregates.
 * Writers go on meanwhile. Returns STELE_ECORRUPT if there are faults, of which each() (may be
 * NULL) hears; `out` (may be NULL) is set then, too. */
STELE_API STELE_NODISCARD stele_code stele_docs_validate(stele_docs *db,
        void (*each)(void *arg, const stele_docs_fault *fault), void *arg,
        stele_docs_validated *out, stele_error *err);

/* Make anew all that follows from documents and log: keys, claims, checkpoints, aggregates. What is
 * right is not written again. In batches, of some hundred documents or of a day of the log, between
 * which others write; one that fails can be called again. Mends what validation finds, but for
 * documents and entries themselves. Durable on return as a change is; until then a power cut may
 * take back any of its batches, each of them whole. */
STELE_API STELE_NODISCARD stele_code stele_docs_reindex(stele_docs *db, stele_error *err);

/* Write all that the database holds as text, a line for each key and its value, in every bucket of
 * the store: for people who look for a fault. The form may change. Fails as write() does. */
STELE_API STELE_NODISCARD stele_code stele_docs_debug_dump(
        stele_docs *db, stele_write_fn write, void *arg, stele_error *err);

/* ---- Backups. ----
 *
 * A stream of bytes that the reference reads and writes, too: types, checkpoints, log, versions and
 * documents. Behind its end a manifest with a hash of all, which the reference does not look at,
 * and does not write. */

typedef struct stele_docs_backup_options {
    size_t struct_size;
    int zstd_level;   /* 0: not compressed */
    bool no_manifest; /* as the reference writes it */
} stele_docs_backup_options;

STELE_API void stele_docs_backup_options_init_sized(
        stele_docs_backup_options *opts, size_t struct_size);

static inline void stele_docs_backup_options_init(stele_docs_backup_options *opts)
{
    stele_docs_backup_options_init_sized(opts, sizeof *opts);
}

typedef struct stele_docs_backup_summary {
    uint64_t pairs;
    uint64_t documents; /* of those pairs */
    uint64_t entries;   /* of the log */
    uint64_t size;      /* bytes, before compression */
    bool has_manifest;
    bool is_compressed;
} stele_docs_backup_summary;

/* Write what is there now, while others go on. `opts` and `out` may be NULL. Fails as write() does,
 * with what cannot be read any more, and with STELE_EINVAL for a level that zstd does not have. */
STELE_API STELE_NODISCARD stele_code stele_docs_backup(stele_docs *db,
        const stele_docs_backup_options *opts, stele_write_fn write, void *arg,
        stele_docs_backup_summary *out, stele_error *err);

/* The same into a file, which is not there yet (STELE_EEXIST): whole, synced, and read back before
 * it has its name, or not at all. */
STELE_API STELE_NODISCARD stele_code stele_docs_backup_save(stele_docs *db, const char *path,
        const stele_docs_backup_options *opts, stele_docs_backup_summary *out, stele_error *err);

/* Look through a backup without a database: each pair is what it says, checkpoints add up to the
 * log, documents have versions, the manifest holds. `out` may be NULL. STELE_ECORRUPT, with the
 * place; also where there is no manifest, if one is demanded · STELE_EVERSION · STELE_ETOOBIG. */
STELE_API STELE_NODISCARD stele_code stele_docs_validate_backup(stele_read_fn read, void *arg,
        bool manifest_demanded, stele_docs_backup_summary *out, stele_error *err);

/* Make a database that never had a document (STELE_ESTATE) what a backup has. All that validation
 * finds is found before anything is to be seen, and documents that are others than the log says;
 * then nothing has changed. A large one takes several batches, and other calls get STELE_ESTATE
 * until it ends; if the process does not live to see that, the next open takes all of it back. Its
 * definitions replace those that are registered under the same names. */
STELE_API STELE_NODISCARD stele_code stele_docs_restore(stele_docs *db, stele_read_fn read,
        void *arg, bool manifest_demanded, stele_docs_backup_summary *out, stele_error *err);

STELE_END_DECLS

#endif /* STELE_DOCS_H */
