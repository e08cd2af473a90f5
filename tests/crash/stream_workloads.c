/* SPDX-License-Identifier: MIT */
#include "crash/stream_workloads.h"

#include "crash/stream_check.h"
#include "crash/stream_run.h"
#include "stream/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROLLOVER = 300,
    ROLLOVER_LATE = 3000,
    FILE_MAX = 2 << 20,
    DAMAGED = 6, /* in a sealed segment of what is recovered */
    WORKLOADS_MAX = 240
};

/* ---- Scripts. ---- */

static void script_publish(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 1);
    run_sync(r);
    run_publish(r, 2);
    run_publish(r, 1);
    run_sync(r);
    run_publish(r, 1);
}

static void script_rollover(struct stream_run *r)
{
    run_open(r);
    for (int i = 0; i < 4; i++) {
        run_publish(r, 3);
        if (i % 2 == 1) {
            run_sync(r);
        }
    }
}

/* A mirror of another log: its offsets have gaps, between segments as well. */
static void script_given(struct stream_run *r)
{
    run_open(r);
    run_publish_given(r, 2, 3);
    run_publish_given(r, 3, 1);
    run_sync(r);
    run_publish_given(r, 2, 0);
    run_publish_given(r, 1, 9);
    run_close(r);
    run_open(r);
    run_publish_given(r, 1, 2);
    run_publish(r, 1);
    run_sync(r);
    run_publish_given(r, 1, 1);
}

/* Several segments are begun before the first of them is sealed. */
static void script_behind(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 4);
    run_publish(r, 4);
    run_publish(r, 4);
    run_work(r);
    run_work(r);
    run_publish(r, 4);
    run_work(r);
    run_sync(r);
    run_publish(r, 4);
    run_publish(r, 1);
}

/* A deletion has to wait for what is behind. */
static void script_behind_delete(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 4);
    run_publish(r, 4);
    run_publish(r, 2);
    run_delete(r, 5, 6, 1);
    run_publish(r, 3);
    run_publish(r, 1);
    run_work(r);
    run_delete(r, 8, 13, 1);
    run_publish(r, 1);
}

static void script_reopen(struct stream_run *r)
{
    for (int i = 0; i < 3; i++) {
        run_open(r);
        run_publish(r, 2);
        if (i == 1) {
            run_sync(r);
        }
        run_publish(r, 1);
        run_close(r);
    }
}

/* A message of several sectors comes where another was torn. */
static void script_torn_again(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 3);
    run_sync(r);
    run_publish(r, 1);
}

/* Many at once, so that much is torn; and, when there was no room for all of them, one. */
static void script_refused(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 2);
    run_publish(r, 6);
    run_sync(r);
    run_publish(r, 6);
}

/* Twelve messages in three segments, the last with what is not synced yet. */
static void fill(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 5);
    run_publish(r, 4);
    run_publish(r, 2);
    run_sync(r);
    run_publish(r, 1);
    run_lend(r);
}

static void script_delete_middle(struct stream_run *r)
{
    fill(r);
    run_delete(r, 2, 3, 1);
    run_publish(r, 1);
}

/* The first segment has nothing to delete any more. */
static void script_delete_gaps(struct stream_run *r)
{
    fill(r);
    run_delete(r, 1, 1, 1);
    run_delete(r, 1, 11, 5);
    run_gc(r);
    run_publish(r, 1);
    run_sync(r);
}

static void script_delete_first(struct stream_run *r)
{
    fill(r);
    run_delete(r, 5, 6, 1);
    run_sync(r);
}

static void script_delete_segment(struct stream_run *r)
{
    fill(r);
    run_delete(r, 0, 4, 1);
    run_publish(r, 1);
    run_sync(r);
}

static void script_delete_head_middle(struct stream_run *r)
{
    fill(r);
    run_delete(r, 10, 10, 1);
    run_publish(r, 1);
    run_sync(r);
    run_publish(r, 1);
}

static void script_delete_head_last(struct stream_run *r)
{
    fill(r);
    run_delete(r, 11, 11, 1);
    run_publish(r, 1);
    run_sync(r);
}

static void script_delete_head_all(struct stream_run *r)
{
    fill(r);
    run_delete(r, 9, 11, 1);
    run_publish(r, 2);
    run_sync(r);
}

static void script_delete_everything(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 3);
    run_delete(r, 0, 2, 1);
    run_close(r);
    run_open(r);
    run_publish(r, 1);
    run_delete(r, 3, 3, 1);
    run_publish(r, 1);
}

static void script_trim(struct stream_run *r)
{
    fill(r);
    run_trim(r, stele_stream_find_by_offset, stele_stream_trim_by_offset_multi, 7);
    run_publish(r, 1);
    run_trim(r, stele_stream_find_by_count, stele_stream_trim_by_count_multi, 2);
    run_gc(r);
    run_sync(r);
}

static void script_compact(struct stream_run *r)
{
    fill(r);
    run_trim(r, stele_stream_find_updates, stele_stream_compact_updates_multi, INT64_MAX);
    run_publish(r, 1);
    run_trim(r, stele_stream_find_deletes, stele_stream_compact_deletes_multi, INT64_MAX);
}

static void script_migrate_dir(struct stream_run *r)
{
    run_migrate(r, r->config->version == STELE_STREAM_V1 ? STELE_STREAM_V2 : STELE_STREAM_V1);
    run_migrate(r, r->config->version);
}

static void script_migrate_open(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 2);
    run_sync(r);
}

static void script_recover(struct stream_run *r)
{
    run_recover(r);
    run_open(r);
    run_publish(r, 1);
    run_sync(r);
}

static void script_backup(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 5);
    run_publish(r, 1);
    run_backup(r);
    run_publish(r, 2);
    run_delete(r, 1, 1, 1);
    run_backup(r);
    run_publish(r, 1);
}

/* As another program copies files, without a sync. */
static int copy_file(stele_dir *target, const char *name, const uint8_t *bytes, uint64_t size)
{
    stele_slice slice = {bytes, (size_t)size};
    stele_file *f = NULL;
    int rc = target->ops->open(target, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f);

    if (rc == 0 && size > 0 && f->ops->pwritev(f, &slice, 1, 0) != (int64_t)size) {
        rc = -1;
    }
    if (f != NULL) {
        (void)f->ops->close(f);
    }
    return rc;
}

static void copy_files(struct stream_run *r)
{
    const stele_vfs *vfs = r->w->env.vfs;
    struct sim_image *image = sim_disk_image(r->w->disk);
    stele_dir *d = NULL;
    int rc = vfs->ops->open_dir(vfs, MODEL_TARGET, STELE_OPEN_CREATE, &d);

    for (uint32_t i = 0; i < image->entry_count && rc == 0; i++) {
        uint64_t size;
        uint8_t *bytes = sim_image_read(image, i, &size);

        rc = copy_file(d, image->entries[i].name, bytes, size);
        free(bytes);
    }
    if (d != NULL) {
        (void)d->ops->close(d);
    }
    sim_image_unref(image);
    r->over = r->over || rc != 0;
}

/* Into a copy that nobody made durable. */
static void script_backup_over(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 5);
    run_publish(r, 2);
    run_close(r);
    copy_files(r);
    run_open(r);
    run_backup(r);
    run_publish(r, 1);
}

/* ---- What is there before. ---- */

static int setup_filled(const struct model_config *config, struct sim_world *w)
{
    struct stream_run r;

    run_begin(&r, w, config);
    fill(&r);
    return run_end(&r);
}

/* The same in the other version. */
static int setup_other(const struct model_config *config, struct sim_world *w)
{
    struct model_config other = *config;

    other.version = config->version == STELE_STREAM_V1 ? STELE_STREAM_V2 : STELE_STREAM_V1;
    other.eager_migrate = false;
    return setup_filled(&other, w);
}

/* Change a byte in the value of a message, wherever it is. */
static int damage(struct sim_world *w, int64_t offset)
{
    const stele_vfs *vfs = w->env.vfs;
    struct sim_image *image = sim_disk_image(w->disk);
    struct model_message made;
    int rc = -1;

    model_make(&made, model_value(offset, 0));
    for (uint32_t i = 0; i < image->entry_count && rc != 0; i++) {
        uint64_t size;
        uint8_t *bytes = sim_image_read(image, i, &size);
        uint8_t *found = memmem(bytes, (size_t)size, made.value, made.message.value.len);
        stele_dir *d = NULL;
        stele_file *f = NULL;
        stele_slice slice = {"\xff", 1};

        if (found != NULL && vfs->ops->open_dir(vfs, MODEL_DIR, 0, &d) == 0 &&
                d->ops->open(d, image->entries[i].name, STELE_OPEN_WRITE, &f) == 0 &&
                f->ops->pwritev(f, &slice, 1, (uint64_t)(found - bytes) + 4) == 1) {
            rc = 0;
        }
        if (f != NULL) {
            (void)f->ops->close(f);
        }
        if (d != NULL) {
            (void)d->ops->close(d);
        }
        free(bytes);
    }
    sim_image_unref(image);
    if (rc == 0) {
        sim_note_intent(w, MODEL_DAMAGED, (uint64_t)offset);
    }
    return rc;
}

/* A message in the middle of a sealed segment, the first of another one, and
 * one in the newest. */
static int setup_damaged(const struct model_config *config, struct sim_world *w)
{
    int rc = setup_filled(config, w);

    rc = rc != 0 ? rc : damage(w, 2);
    rc = rc != 0 ? rc : damage(w, DAMAGED);
    return rc != 0 ? rc : damage(w, 10);
}

/* The newest message. */
static int setup_damaged_end(const struct model_config *config, struct sim_world *w)
{
    int rc = setup_filled(config, w);

    return rc != 0 ? rc : damage(w, 11);
}

/* A crash tore the end of the log, what was there is in quarantine, and there is room. */
static int setup_torn(const struct model_config *config, struct sim_world *w)
{
    static const char torn[] = "the torn end of another message";
    stele_slice slice = {torn, sizeof torn - 1};
    const stele_vfs *vfs = w->env.vfs;
    char name[STI_NAME_SIZE];
    stele_dir *d = NULL;
    stele_file *f = NULL;
    stele_file_stat stat;
    struct stream_run r;
    bool done;

    run_begin(&r, w, config);
    run_open(&r);
    run_publish(&r, 5);
    run_close(&r);
    sti_name_log(name, 0);
    done = vfs->ops->open_dir(vfs, MODEL_DIR, 0, &d) == 0 &&
           d->ops->open(d, name, STELE_OPEN_WRITE, &f) == 0 && f->ops->stat(f, &stat) == 0 &&
           f->ops->pwritev(f, &slice, 1, stat.size) == (int64_t)slice.len;
    if (f != NULL) {
        (void)f->ops->close(f);
    }
    if (d != NULL) {
        (void)d->ops->close(d);
    }
    run_open(&r);
    return done ? run_end(&r) : -1;
}

/* ---- The table. ---- */

struct script {
    const char *name;
    void (*run)(struct stream_run *r);
    int (*setup)(const struct model_config *config, struct sim_world *w);
    bool recover;
    bool eager_migrate;
    bool keep_version;
    int64_t rollover; /* or 0: the usual one */
};

static const struct script scripts[] = {
        {.name = "publish", .run = script_publish},
        {.name = "rollover", .run = script_rollover},
        {.name = "given", .run = script_given},
        {.name = "behind", .run = script_behind},
        {.name = "behind-delete", .run = script_behind_delete},
        {.name = "reopen", .run = script_reopen},
        {.name = "delete-middle", .run = script_delete_middle},
        {.name = "refused", .run = script_refused},
        {.name = "torn-again",
                .run = script_torn_again,
                .setup = setup_torn,
                .rollover = ROLLOVER_LATE},
        {.name = "delete-gaps", .run = script_delete_gaps},
        {.name = "delete-first", .run = script_delete_first},
        {.name = "delete-segment", .run = script_delete_segment},
        {.name = "delete-head-middle", .run = script_delete_head_middle},
        {.name = "delete-head-last", .run = script_delete_head_last},
        {.name = "delete-head-all", .run = script_delete_head_all},
        {.name = "delete-everything", .run = script_delete_everything},
        {.name = "trim", .run = script_trim, .keep_version = true},
        {.name = "compact", .run = script_compact},
        {.name = "migrate", .run = script_migrate_dir, .setup = setup_filled},
        {.name = "migrate-open",
                .run = script_migrate_open,
                .setup = setup_other,
                .eager_migrate = true},
        {.name = "recover", .run = script_recover, .setup = setup_damaged, .recover = true},
        {.name = "recover-end", .run = script_recover, .setup = setup_damaged_end, .recover = true},
        {.name = "recover-torn", .run = script_publish, .recover = true},
        {.name = "backup", .run = script_backup},
        {.name = "backup-over", .run = script_backup_over},
};

struct way {
    const char *name;
    struct model_config config;
};

static const struct way ways[] = {
        {"v2-both-map", {.version = STELE_STREAM_V2, .times = true, .keys = true}},
        {"v2-both-write",
                {.version = STELE_STREAM_V2, .times = true, .keys = true, .no_map = true}},
        {"v2-both-behind",
                {.version = STELE_STREAM_V2, .times = true, .keys = true, .deferred = true}},
        {"v1-both-behind",
                {.version = STELE_STREAM_V1, .times = true, .keys = true, .deferred = true}},
        {"v2-none-autosync", {.version = STELE_STREAM_V2, .auto_sync = true}},
        {"v1-both", {.version = STELE_STREAM_V1, .times = true, .keys = true}},
        {"v1-none-autosync", {.version = STELE_STREAM_V1, .auto_sync = true}},
};

enum {
    SCRIPTS = sizeof scripts / sizeof scripts[0],
    WAYS = sizeof ways / sizeof ways[0]
};

_Static_assert(SCRIPTS *WAYS <= WORKLOADS_MAX, "the list below");

/* What a workload's functions get. */
struct one {
    char name[64];
    const struct script *script;
    struct model_config config;
};

static int do_setup(void *arg, struct sim_world *w)
{
    const struct one *one = arg;

    return one->script->setup(&one->config, w);
}

static int do_run(void *arg, struct sim_world *w)
{
    const struct one *one = arg;
    struct stream_run r;

    run_begin(&r, w, &one->config);
    one->script->run(&r);
    return run_end(&r);
}

static int do_check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    const struct one *one = arg;

    (void)at_op;
    return stream_check(&one->config, w, notes, why, why_len);
}

const struct sim_workload *stream_workloads(size_t *count)
{
    static struct one all[WORKLOADS_MAX];
    static struct sim_workload list[WORKLOADS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < SCRIPTS; i++) {
        for (size_t j = 0; j < WAYS; j++, n++) {
            struct one *one = &all[n];

            one->script = &scripts[i];
            one->config = ways[j].config;
            one->config.rollover = scripts[i].rollover > 0 ? scripts[i].rollover : ROLLOVER;
            one->config.recover = scripts[i].recover;
            one->config.eager_migrate = scripts[i].eager_migrate;
            one->config.keep_version = scripts[i].keep_version;
            (void)snprintf(one->name, sizeof one->name, "%s-%s", scripts[i].name, ways[j].name);
            list[n] = (struct sim_workload){.name = one->name,
                    .arg = one,
                    .disk = {.file_max = FILE_MAX},
                    .setup = scripts[i].setup != NULL ? do_setup : NULL,
                    .run = do_run,
                    .check = do_check};
        }
    }
    *count = n;
    return list;
}

/* ---- Command lines. ---- */

struct stream_choice stream_choose(int argc, char **argv)
{
    struct stream_choice choice = {.only = NULL};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            choice.list = true;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            choice.only = argv[++i];
        } else {
            choice.bad = true;
        }
    }
    if (choice.bad) {
        (void)fprintf(stderr, "usage: %s [--list] [--only PART-OF-A-NAME]\n", argv[0]);
    }
    return choice;
}

bool stream_chosen(const struct stream_choice *choice, const char *name)
{
    return choice->only == NULL || strstr(name, choice->only) != NULL;
}

bool stream_full(void)
{
    const char *full = getenv("STELE_FULL");

    return full != NULL && full[0] != '\0' && strcmp(full, "0") != 0;
}
