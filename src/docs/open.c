/* SPDX-License-Identifier: MIT
 *
 * open.c: opening and closing a database.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/seq.h"
#include "docs/together.h"
#include "docs/trim.h"
#include "docs/undo.h"

#define KIND "docs"

enum {
    SIZE_MOST = 127 << 20,
    CEILING_SIZE = 8 + 4,
    COMMIT_MS = 400 /* what waits so long is committed */
};

/* ---- Options. ---- */

void stele_docs_options_init_sized(stele_docs_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

static stele_code resolve(stele_docs_options *out, const stele_docs_options *in, stele_error *err)
{
    stele_docs_options o;
    stele_code rc = sti_options_copy(&o, sizeof o, in, "stele_docs_options", err);

    if (rc != STELE_OK) {
        return rc;
    }
    o.id_max = o.id_max == 0 ? STELE_DOCS_ID_MAX : o.id_max;
    o.size_max = o.size_max == 0 ? (size_t)STI_DOCS_SIZE_DEFAULT : o.size_max;
    o.depth_max = o.depth_max == 0 ? (size_t)STI_DOCS_DEPTH_DEFAULT : o.depth_max;
    if (o.types == NULL && o.type_count > 0) {
        return sti_fail(err, STELE_EINVAL, "definitions of types, but none given");
    }
    if (o.read_only && o.type_count > 0) {
        return sti_fail(err, STELE_EINVAL, "a reader registers no types");
    }
    if (o.id_max > STELE_DOCS_ID_MAX) {
        return sti_fail(err, STELE_EINVAL, "id_max %zu is over %zu", o.id_max, STELE_DOCS_ID_MAX);
    }
    if (o.size_max > SIZE_MOST) {
        return sti_fail(err, STELE_EINVAL, "size_max %zu is over %d", o.size_max, SIZE_MOST);
    }
    if (o.depth_max > STI_DOCS_PEER_DEPTH_MAX) {
        return sti_fail(err, STELE_EINVAL, "depth_max %zu is over %d", o.depth_max,
                STI_DOCS_PEER_DEPTH_MAX);
    }
    *out = o;
    return STELE_OK;
}

/* ---- The store. ---- */

static stele_code open_store(stele_docs *db, const char *dir, stele_error *err)
{
    stele_store_options opts;

    stele_store_options_init(&opts);
    opts.env = db->options.env;
    opts.create_dirs = db->options.create_dirs;
    opts.must_exist = db->options.must_exist;
    opts.read_only = db->options.read_only;
    opts.lock_wait_ms = db->options.lock_wait_ms;
    opts.no_background = db->options.no_background;
    if (!opts.no_background) {
        /* The keys of a change are all over the tree, and a commit writes each page that has got
         * any: the more changes it has, the fewer pages for each of them. Without a thread it is
         * the caller who has to wait for it. */
        opts.batch_interval_ms = COMMIT_MS;
    }
    return stele_store_open(&db->store, dir, &opts, err);
}

static stele_code see_bucket(void *arg, stele_bytes bucket, stele_error *err)
{
    bool *any = arg;

    (void)bucket;
    (void)err;
    *any = true;
    return STELE_END;
}

/* Whatever its form is. */
static bool is_kind(stele_bytes value)
{
    return value.len > 0 &&
           stele_bytes_equal(stele_bytes_of(value.data + 1, value.len - 1), stele_str(KIND));
}

/* *fresh: there is nothing in the store. STELE_EMISMATCH if it is somebody else's. */
static stele_code look(stele_docs *db, bool *fresh, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_bytes kind = stele_nil();
    bool any = false;
    bool found = false;
    stele_code rc = stele_store_read_begin(&read, db->store, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_read_buckets(read, see_bucket, &any, err);
    if (rc == STELE_OK) {
        rc = sti_docs_read(read, STI_DOCS_MET, stele_str("kind"), &kind, &found, err);
    }
    if (rc == STELE_OK && any && !(found && is_kind(kind))) {
        rc = sti_fail(err, STELE_EMISMATCH, "the store holds something else than documents");
    }
    if (rc == STELE_OK && any && kind.data[0] != STI_DOCS_FORM) {
        rc = sti_fail(
                err, STELE_EVERSION, "form %u of a database is not known", (unsigned)kind.data[0]);
    }
    if (rc == STELE_OK) {
        *fresh = !any;
    }
    stele_store_read_end(read);
    return rc;
}

/* Also those that a database of before does not have: creating one again does nothing. */
static stele_code make_buckets(struct sti_docs_write *w, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (int i = 0; i < STI_DOCS_BUCKET_COUNT && rc == STELE_OK; i++) {
        rc = stele_store_batch_create_bucket(
                w->batch, sti_docs_bucket_name((enum sti_docs_bucket)i), err);
    }
    return rc;
}

static stele_code create(struct sti_docs_write *w, stele_error *err)
{
    uint8_t kind[sizeof KIND] = {STI_DOCS_FORM};
    uint8_t server[1 + 4] = {STI_DOCS_FORM};
    stele_code rc;

    memcpy(kind + 1, KIND, sizeof KIND - 1);
    rc = sti_docs_put(w, STI_DOCS_MET, stele_str("kind"), stele_bytes_of(kind, sizeof kind), err);
    /* 0 would be no number of a server. */
    sti_put_be32(server + 1, (uint32_t)(sti_env_random64(&w->db->env) % UINT32_MAX) + 1);
    if (rc == STELE_OK) {
        rc = sti_docs_put(
                w, STI_DOCS_MET, stele_str("server"), stele_bytes_of(server, sizeof server), err);
    }
    return rc == STELE_OK ? sti_docs_put_ceiling(w, (struct sti_docs_time){.seconds = 0}, err) : rc;
}

static stele_code met(struct sti_docs_write *w, const char *name, size_t len, stele_bytes *value,
        stele_error *err)
{
    bool found = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_MET, stele_str(name), value, &found, err);

    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ECORRUPT, "the %s of the database is missing", name);
    }
    return rc == STELE_OK ? sti_docs_check_form(*value, len, name, err) : rc;
}

/* The clock is above all that it gave before. */
static stele_code start_clock(struct sti_docs_write *w, stele_error *err)
{
    struct sti_docs_time ceiling = {.seconds = 0};
    struct sti_docs_version last = {.seconds = 0};
    stele_store_cursor *cursor = NULL;
    stele_bytes server = stele_nil();
    stele_bytes value = stele_nil();
    stele_bytes id = stele_nil();
    stele_code rc = met(w, "server", 4, &server, err);

    if (rc == STELE_OK) {
        rc = met(w, "ceiling", CEILING_SIZE, &value, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    ceiling.seconds = (int64_t)sti_get_be64(value.data + 1);
    ceiling.ns = sti_get_be32(value.data + 9);
    if (sti_get_be32(server.data + 1) == 0 || ceiling.seconds < 0 ||
            ceiling.ns >= STI_DOCS_SECOND_NS) {
        return sti_fail(err, STELE_ECORRUPT, "server or ceiling of the database cannot be");
    }
    if (STI_MUTANT(DOCS_CEILING_IGNORED)) {
        ceiling.seconds = 0;
    }
    sti_docs_clock_init(&w->db->clock, sti_get_be32(server.data + 1), ceiling);
    w->ceiling = ceiling;
    rc = sti_docs_horizon(w->view, &w->db->horizon, err);
    if (rc != STELE_OK) {
        return rc;
    }
    w->horizon = w->db->horizon;
    sti_docs_clock_recover(&w->db->clock, (struct sti_docs_version){.seconds = w->db->horizon});
    rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_LOG), err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_last(cursor, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(cursor, &value, NULL, err);
        if (rc == STELE_OK) {
            rc = sti_docs_log_key_decode(&last, &id, value, err);
        }
        if (rc == STELE_OK) {
            sti_docs_clock_recover(&w->db->clock, last);
        }
    }
    stele_store_cursor_close(cursor);
    return rc == STELE_END ? STELE_OK : rc;
}

/* Whether there are any from before. */
static stele_code look_for_conflicts(struct sti_docs_write *w, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    stele_code rc =
            stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_CFL), err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_first(cursor, err);
    if (rc == STELE_OK) {
        atomic_store(&w->db->conflicts, true);
    }
    stele_store_cursor_close(cursor);
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code start(stele_docs *db, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    bool fresh = false;
    stele_code rc = look(db, &fresh, err);

    if (rc == STELE_OK) {
        rc = sti_docs_write_begin(&w, db, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    rc = make_buckets(&w, err);
    if (rc == STELE_OK && fresh) {
        rc = create(&w, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_undo(&w, err);
    }
    if (rc == STELE_OK) {
        rc = start_clock(&w, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_seq_load(&w, err);
    }
    if (rc == STELE_OK) {
        rc = look_for_conflicts(&w, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_types_load(&w, err);
    }
    return sti_docs_write_end(&w, rc, err);
}

/* Nothing is written: the reader knows what the one read of its beginning sees. */
static stele_code start_reader(stele_docs *db, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    bool fresh = false;
    stele_code rc = look(db, &fresh, err);

    atomic_store(&db->conflicts, true); /* the writer may note some at any time */
    if (rc == STELE_OK && fresh) {
        rc = sti_fail(err, STELE_ENOTFOUND, "the store is empty: there is no database yet");
    }
    if (rc == STELE_OK) {
        rc = stele_store_read_begin(&w.view, db->store, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    rc = start_clock(&w, err);
    if (rc == STELE_OK) {
        rc = sti_docs_types_load(&w, err);
    }
    stele_store_read_end(w.view);
    return rc;
}

/* ---- Open and close. ---- */

/* All but the store. */
static void docs_free(stele_docs *db)
{
    sti_docs_kinds_free(db);
    sti_docs_collator_close(db->collator);
    sti_sha256_free(&db->sha);
    sti_docs_worker_destroy(db);
    sti_cond_destroy(&db->changed);
    sti_mutex_destroy(&db->feed);
    sti_mutex_destroy(&db->kinds);
    sti_docs_line_destroy(&db->line);
    sti_free(db);
}

static stele_code init_locks(stele_docs *db, stele_error *err)
{
    stele_code rc = sti_docs_line_init(&db->line, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_mutex_init(&db->kinds, STI_RANK_DOCS_KINDS, err);
    if (rc != STELE_OK) {
        goto no_kinds;
    }
    rc = sti_mutex_init(&db->feed, STI_RANK_DOCS_FEED, err);
    if (rc != STELE_OK) {
        goto no_feed;
    }
    rc = sti_cond_init(&db->changed, err);
    if (rc != STELE_OK) {
        goto no_changed;
    }
    rc = sti_docs_worker_init(db, err);
    if (rc == STELE_OK) {
        return STELE_OK;
    }
    sti_cond_destroy(&db->changed);
no_changed:
    sti_mutex_destroy(&db->feed);
no_feed:
    sti_mutex_destroy(&db->kinds);
no_kinds:
    sti_docs_line_destroy(&db->line);
    return rc;
}

/* What was left to do when the database was closed, and the types of the options. */
static stele_code go_on(stele_docs *db, stele_error *err)
{
    stele_store_read *read = NULL;
    bool pending = false;
    stele_code rc = db->options.read_only ? STELE_OK : sti_docs_anew_run(db, true, err);

    for (size_t i = 0; i < db->options.type_count && rc == STELE_OK; i++) {
        rc = stele_docs_register(db, db->options.types[i], err);
    }
    if (rc != STELE_OK || db->options.read_only) {
        return rc;
    }
    rc = stele_store_read_begin(&read, db->store, err);
    if (rc == STELE_OK) {
        rc = sti_docs_anew_pending(read, NULL, &pending, err);
        stele_store_read_end(read);
    }
    return rc == STELE_OK && pending ? sti_docs_worker_want(db, err) : rc;
}

stele_code stele_docs_open(
        stele_docs **out, const char *dir, const stele_docs_options *opts, stele_error *err)
{
    stele_docs *db;
    stele_code rc;

    if (out == NULL || dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory, or nowhere to put the database");
    }
    db = sti_calloc(1, sizeof *db);
    if (db == NULL) {
        return sti_fail_memory(err, sizeof *db);
    }
    rc = resolve(&db->options, opts, err);
    if (rc == STELE_OK) {
        rc = init_locks(db, err);
    }
    if (rc != STELE_OK) {
        sti_free(db);
        return rc;
    }
    sti_env_copy(&db->env, db->options.env);
    db->rules = (struct sti_json_rules){
            .size_max = db->options.size_max, .depth_max = db->options.depth_max};
    rc = sti_docs_collator_open(&db->collator, err);
    if (rc == STELE_OK) {
        rc = open_store(db, dir, err);
    }
    if (rc == STELE_OK) {
        rc = db->options.read_only ? start_reader(db, err) : start(db, err);
        if (rc == STELE_OK) {
            rc = go_on(db, err);
        }
        if (rc != STELE_OK) {
            sti_docs_worker_stop(db);
            (void)stele_store_close(db->store, NULL);
        }
    }
    if (rc != STELE_OK) {
        docs_free(db);
        return sti_wrap(err, rc, "database %s", dir);
    }
    *out = db;
    return STELE_OK;
}

/* What was kept ahead is not lost at a clean end. */
static stele_code lower_ceiling(stele_docs *db, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    struct sti_docs_time none = {.seconds = 0};
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_put_ceiling(&w, sti_docs_clock_ceiling(&db->clock, none, 0), err);
    if (rc != STELE_OK) {
        stele_store_batch_abort(w.batch);
        return rc;
    }
    return stele_store_batch_end(w.batch, err);
}

stele_code stele_docs_close(stele_docs *db, stele_error *err)
{
    stele_code rc;
    stele_code close_rc;

    if (db == NULL) {
        return STELE_OK;
    }
    if (atomic_load(&db->users) > 0) {
        return sti_fail(err, STELE_ESTATE, "iterators or batches are open");
    }
    sti_docs_worker_stop(db);
    rc = db->options.read_only ? STELE_OK : lower_ceiling(db, err);
    close_rc = stele_store_close(db->store, rc == STELE_OK ? err : NULL);
    docs_free(db);
    return rc == STELE_OK ? close_rc : rc;
}

const char *stele_docs_name(const stele_docs *db)
{
    return stele_store_dir(db->store);
}

uint32_t stele_docs_server(const stele_docs *db)
{
    return __atomic_load_n(&db->clock.server, __ATOMIC_RELAXED);
}
