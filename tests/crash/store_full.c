/* SPDX-License-Identifier: MIT
 *
 * store_full.c: a file system of its own that is full to the last byte, and later is not.
 *
 * Creation, commits, durable ends, snapshots; with room again all goes on in the same process, and
 * nothing that was acknowledged is lost. Skipped, and it says so, where no file system can be had.
 */
#include "crash/small_disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PIECE = 4096,
    DISK_MIB = 48
};

struct full {
    struct small_disk disk;
    char store[DISK_PATH_SIZE + 16];
    struct store_bounds bounds;
    uint64_t refused; /* acknowledgements that did not come */
    uint64_t states;  /* that were judged */
    struct store_why why;
};

static bool judge(struct full *f, stele_store *s)
{
    uint64_t last = 0;

    f->states++;
    return store_judge(s, &f->bounds, &last, &f->why) &&
           (last == f->bounds.issued ||
                   store_wrong(&f->why, "batch %" PRIu64 " is not seen", f->bounds.issued));
}

/* No room is the only failure that there may be. What ended is seen, acknowledged or not. */
static bool write_one(struct full *f, stele_store *s, char kind, char end)
{
    static const stele_wait wait = {.timeout_ms = 10000};
    stele_store_batch *batch = NULL;
    uint64_t number = f->bounds.issued + 1;
    stele_error err;
    stele_code code = stele_store_batch_begin(&batch, s, &wait, &err);

    if (code != STELE_OK) {
        f->refused++;
        return code == STELE_ENOSPC || store_wrong(&f->why, "begin: %s", err.message);
    }
    if (store_batch_fill(batch, kind, number, &err) != STELE_OK) {
        stele_store_batch_abort(batch);
        return store_wrong(&f->why, "write: %s", err.message);
    }
    code = store_batch_finish(batch, end, &err);
    if (code != STELE_OK && code != STELE_ENOSPC) {
        return store_wrong(&f->why, "end: %s", err.message);
    }
    f->bounds.kinds[number - 1] = kind;
    f->bounds.issued = number;
    if (code == STELE_ENOSPC) {
        f->refused++;
    } else if (end != '.') {
        f->bounds.acked = number;
    }
    return judge(f, s);
}

static bool write_all(struct full *f, stele_store *s, const char *steps, unsigned times)
{
    bool ok = true;

    for (unsigned i = 0; i < times && ok; i++) {
        for (const char *at = steps; *at != '\0' && ok; at += 2) {
            ok = write_one(f, s, at[0], at[1]);
        }
    }
    return ok;
}

/* Not to be had, or whole. */
static bool create_on_full(struct full *f)
{
    stele_store_options options;
    stele_code code = STELE_ENOSPC;
    unsigned tries = 0;

    stele_store_options_init(&options);
    options.create_dirs = true;
    for (uint64_t leave = 0; code != STELE_OK && tries < 400; leave += PIECE, tries++) {
        stele_store *s = NULL;
        stele_error err;

        if (!small_disk_fill(&f->disk, leave, &f->why)) {
            return false;
        }
        code = stele_store_open(&s, f->store, &options, &err);
        if (code != STELE_OK && code != STELE_ENOSPC) {
            return store_wrong(&f->why, "creation on a full disk: %s", err.message);
        }
        if (code == STELE_OK && !judge(f, s)) {
            return false;
        }
        f->refused += code == STELE_OK ? 0 : 1;
        code = stele_store_close(s, &err) == STELE_OK ? code : STELE_EFAILED;
    }
    return (code == STELE_OK && tries > 1 && small_disk_make_room(&f->disk, &f->why)) ||
           (code != STELE_OK && store_wrong(&f->why, "it was never created"));
}

static bool save_snapshot(struct full *f, stele_store *s, stele_code want)
{
    stele_store_snapshot *snapshot = NULL;
    char path[DISK_PATH_SIZE + 32];
    stele_error err;
    stele_code code = stele_store_snapshot_open(&snapshot, s, &err);

    (void)snprintf(path, sizeof path, "%s/snapshot", f->disk.dir);
    if (code == STELE_OK) {
        code = stele_store_snapshot_save(snapshot, path, NULL, NULL, &err);
    }
    stele_store_snapshot_close(snapshot);
    if ((access(path, F_OK) == 0) != (code == STELE_OK)) {
        return store_wrong(&f->why, "a snapshot is there, or is not: %s", stele_code_name(code));
    }
    return code == want || store_wrong(&f->why, "a snapshot: %s", stele_code_name(code));
}

/* Beside writers: filled, written to, judged, emptied, written to. */
static bool write_on_full(struct full *f, bool background)
{
    stele_store_options options;
    stele_store *s = NULL;
    stele_error err;
    bool ok;

    stele_store_options_init(&options);
    options.no_background = !background;
    options.batch_interval_ms = 5;
    options.batch_limit = 2000;
    if (stele_store_open(&s, f->store, &options, &err) != STELE_OK) {
        return store_wrong(&f->why, "open: %s", err.message);
    }
    ok = write_all(f, s, "s!m.b+", 2) && small_disk_fill(&f->disk, 0, &f->why);
    ok = ok && write_all(f, s, "s!s.b!m!l.", 4) && save_snapshot(f, s, STELE_ENOSPC);
    ok = ok && small_disk_make_room(&f->disk, &f->why) && stele_store_commit(s, &err) == STELE_OK;
    f->bounds.acked = f->bounds.issued;
    ok = ok && write_all(f, s, "s!m+R!", 2) && save_snapshot(f, s, STELE_OK);
    if (stele_store_close(s, &err) != STELE_OK && ok) {
        ok = store_wrong(&f->why, "close: %s", err.message);
    }
    return ok && store_check_files(f->store, &f->why);
}

static bool run(void *arg)
{
    struct full *f = arg;
    char path[DISK_PATH_SIZE + 32];
    bool ok;

    (void)snprintf(f->store, sizeof f->store, "%s/store", f->disk.dir);
    (void)snprintf(path, sizeof path, "%s/snapshot", f->disk.dir);
    ok = create_on_full(f) && write_on_full(f, false);
    ok = ok && unlink(path) == 0 && write_on_full(f, true);
    if (!ok) {
        (void)printf("store full: %s\n", f->why.text[0] == '\0' ? "a step failed" : f->why.text);
    }
    (void)printf("store full: batches %" PRIu64 ", refused %" PRIu64 ", states judged %" PRIu64
                 ", violations %d\n",
            f->bounds.issued, f->refused, f->states, ok ? 0 : 1);
    return ok && f->refused > 0;
}

int main(void)
{
    static struct full f;

    return small_disk_run(&f.disk, DISK_MIB, "store full", run, &f);
}
