/* SPDX-License-Identifier: MIT */
#include "crash/stream_probe.h"

#include "base/coding.h"
#include "crash/stream_files.h"
#include "crash/stream_run.h"
#include "stream/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FILE_MAX = 2 << 20,
    WHOLE_LOST_MAX = 1 /* one whose checksum alone was changed looks whole */
};

/* What reading a damaged stream came to. */
struct seen {
    bool there[STREAM_PROBE_MESSAGES];
    int64_t next;
    bool wrong;
    bool unordered;
    bool missing;
    bool reported;
    const char *what;
};

static void publish_all(struct stream_run *r)
{
    run_open(r);
    run_publish(r, 5);
    run_publish(r, 4);
    run_publish(r, 3);
}

/* All files but logs go. */
static int make_bare(struct sim_world *w)
{
    const stele_vfs *vfs = w->env.vfs;
    struct sim_image *image = sim_disk_image(w->disk);
    stele_dir *d = NULL;
    int rc = vfs->ops->open_dir(vfs, MODEL_DIR, 0, &d);

    for (uint32_t i = 0; i < image->entry_count && rc == 0; i++) {
        const char *name = image->entries[i].name;
        int64_t base;

        if (sti_name_parse(name, &base) != STI_NAME_LOG) {
            rc = d->ops->unlink(d, name);
        }
    }
    rc = rc != 0 ? rc : d->ops->sync(d);
    if (d != NULL) {
        (void)d->ops->close(d);
    }
    sim_image_unref(image);
    return rc;
}

static int fill(void *arg, struct sim_world *w)
{
    const struct model_config *config = arg;
    struct stream_run r;
    int rc;

    run_begin(&r, w, config);
    publish_all(&r);
    rc = run_end(&r);
    return rc == 0 && config->bare ? make_bare(w) : rc;
}

static int fill_and_copy(void *arg, struct sim_world *w)
{
    const struct model_config *config = arg;
    struct stream_run r;

    run_begin(&r, w, config);
    publish_all(&r);
    run_backup(&r);
    return run_end(&r);
}

/* The loops need a check of the undamaged files: the model's own is in stream_explore. */
static int check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    (void)arg;
    (void)w;
    (void)at_op;
    (void)notes;
    (void)why;
    (void)why_len;
    return 0;
}

/* One more may be published behind; a damaged index may claim the offset that it would get. */
static bool is_right(const stele_message *m)
{
    struct model_message more;

    if (m->offset >= 0 && m->offset < STREAM_PROBE_MESSAGES) {
        return model_same(m, model_value(m->offset, 0));
    }
    model_make(&more, model_value(STREAM_PROBE_MESSAGES, 0));
    return m->offset > 0 && stele_bytes_equal(m->key, more.message.key) &&
           stele_bytes_equal(m->value, more.message.value);
}

static void take(struct seen *seen, stele_code rc, const stele_messages *ms, const char *what)
{
    if (rc == STELE_OK) {
        for (size_t i = 0; i < stele_messages_count(ms); i++) {
            if (!is_right(stele_messages_at(ms, i))) {
                seen->wrong = true;
                seen->what = what;
            }
            seen->unordered |= i > 0 && stele_messages_at(ms, i)->offset <=
                                                stele_messages_at(ms, i - 1)->offset;
        }
    } else if (rc == STELE_ENOTFOUND || rc == STELE_EOFFSET) {
        seen->missing = true;
    } else {
        seen->reported = true;
    }
}

static void read_offsets(stele_stream *s, stele_messages *ms, struct seen *seen)
{
    for (int64_t o = 0; o < STREAM_PROBE_MESSAGES; o++) {
        int64_t next;
        stele_code rc = stele_stream_get(s, o, ms, NULL);

        take(seen, rc, ms, "get");
        seen->there[o] = rc == STELE_OK;
        seen->wrong |= rc == STELE_OK && stele_messages_at(ms, 0)->offset != o;
        rc = stele_stream_consume(s, o, STREAM_PROBE_MESSAGES, ms, &next, NULL);
        take(seen, rc, ms, "consume");
        if (rc == STELE_OK &&
                (stele_messages_count(ms) == 0 || stele_messages_at(ms, 0)->offset != o)) {
            seen->missing = true;
        }
    }
}

static void read_keys(stele_stream *s, stele_messages *ms, struct seen *seen)
{
    for (int64_t o = 0; o < STREAM_PROBE_MESSAGES; o++) {
        struct model_message made;
        int64_t at = STELE_OFFSET_OLDEST;
        int64_t newest = -1;
        stele_code rc = STELE_OK;

        model_make(&made, model_value(o, 0));
        while (rc == STELE_OK) {
            rc = stele_stream_consume_by_key(
                    s, made.message.key, at, STREAM_PROBE_MESSAGES, ms, &at, NULL);
            take(seen, rc, ms, "consume by key");
            if (rc != STELE_OK || stele_messages_count(ms) == 0) {
                break;
            }
            newest = stele_messages_at(ms, stele_messages_count(ms) - 1)->offset;
        }
        if (rc == STELE_OK && newest < o) {
            seen->missing = true;
        }
        rc = stele_stream_get_by_key(s, made.message.key, ms, NULL);
        take(seen, rc, ms, "get by key");
        if (rc == STELE_OK && stele_messages_at(ms, 0)->offset < o) {
            seen->missing = true;
        }
    }
}

static void read_times(stele_stream *s, stele_messages *ms, struct seen *seen)
{
    for (int64_t o = 0; o < STREAM_PROBE_MESSAGES; o++) {
        struct model_message made;
        stele_code rc;

        model_make(&made, model_value(o, 0));
        rc = stele_stream_get_by_time(s, made.message.time, ms, NULL);
        take(seen, rc, ms, "get by time");
        if (rc == STELE_OK && stele_messages_at(ms, 0)->offset > o) {
            seen->missing = true;
        }
    }
}

static struct seen read_all(
        const struct model_config *config, struct sim_world *w, const char *dir, bool live)
{
    struct seen seen = {.what = "open"};
    stele_stream_options options;
    stele_messages *ms = NULL;
    stele_stream *s = NULL;
    stele_code rc;

    model_options(config, &w->env, &options);
    options.read_only = !live;
    options.live = live;
    rc = stele_stream_open(&s, dir, &options, NULL);
    rc = rc != STELE_OK ? rc : stele_messages_new(&ms, NULL);
    rc = rc != STELE_OK ? rc : stele_stream_next_offset(s, &seen.next, NULL);
    if (rc != STELE_OK) {
        seen.reported = true;
    } else {
        read_offsets(s, ms, &seen);
        if (config->keys) {
            read_keys(s, ms, &seen);
        }
        if (config->times) {
            read_times(s, ms, &seen);
        }
    }
    stele_messages_free(ms);
    (void)stele_stream_close(s, NULL);
    return seen;
}

static bool check_finds(const struct model_config *config, struct sim_world *w, const char *dir)
{
    stele_stream_options options;

    model_options(config, &w->env, &options);
    return stele_stream_check_dir(dir, &options, false, NULL, NULL, NULL, NULL) != STELE_OK;
}

/* Whether bytes that version 1 does not protect are other ones: offset, time or length of a
 * message; or, without an index, the end of a log is gone. All lie where they were, whatever
 * they say. */
static bool is_excused(const struct model_config *config, const struct sim_image *image)
{
    bool changed = false;
    int count = 0;

    if (config->version != STELE_STREAM_V1 || !config->lenient) {
        return false;
    }
    for (uint32_t i = 0; i < image->entry_count; i++) {
        int64_t offset;
        uint64_t at = 0;
        uint64_t size;
        uint8_t *bytes;

        if (sti_name_parse(image->entries[i].name, &offset) != STI_NAME_LOG) {
            continue;
        }
        bytes = sim_image_read(image, i, &size);
        for (; at + 24 <= size && offset < STREAM_PROBE_MESSAGES; offset++) {
            struct model_message made;

            model_make(&made, model_value(offset, 0));
            changed |= (int64_t)sti_get_be64(bytes + at) != offset ||
                       (int64_t)sti_get_be64(bytes + at + 8) != made.message.time ||
                       sti_get_be32(bytes + at + 16) != made.message.key.len ||
                       sti_get_be32(bytes + at + 20) != made.message.value.len;
            at += 28 + made.message.key.len + made.message.value.len;
            count += at <= size ? 1 : 0;
        }
        free(bytes);
    }
    return changed || (config->bare && count < STREAM_PROBE_MESSAGES);
}

/* ---- Reading what is damaged. ---- */

struct trial {
    const struct model_config *config;
    struct sim_world *w;
    struct sim_image *before;
    bool found; /* by check */
    bool excused;
    bool reported;
    bool lost[STREAM_PROBE_MESSAGES];
    struct crash_why why;
};

static int judge_reading(struct trial *t, bool live)
{
    struct seen seen = read_all(t->config, t->w, MODEL_DIR, live);
    bool v1 = t->config->version == STELE_STREAM_V1;

    t->reported |= seen.reported;
    if (seen.wrong && !t->excused && !(v1 && t->found)) {
        return crash_wrong(&t->why, "%s gives a message that was not published so", seen.what);
    }
    if (seen.unordered && !(v1 && t->found)) {
        return crash_wrong(&t->why, "messages come in another order");
    }
    if (seen.missing && !seen.reported && !t->found && !t->excused) {
        return crash_wrong(&t->why, "a message is missing, and nothing says so");
    }
    if (seen.reported && !t->found && !t->excused) {
        return crash_wrong(&t->why, "a call meets damage that check does not find");
    }
    return 0;
}

/* ---- Recovery. ---- */

static void each_lost(void *arg, int64_t first, int64_t last)
{
    struct trial *t = arg;

    for (int64_t i = first; i <= last && i >= 0 && i < STREAM_PROBE_MESSAGES; i++) {
        t->lost[i] = true;
    }
}

static int judge_kept(const struct trial *t, const struct seen *seen)
{
    struct model_found whole;
    struct model published;
    int whole_lost = 0;

    model_init(&published);
    for (int64_t i = 0; i < STREAM_PROBE_MESSAGES; i++) {
        struct sim_note note = {SIM_ACK, MODEL_PUBLISH, model_value(i, 0), 0};

        model_add(&published, &note);
    }
    model_find(&whole, t->before, MODEL_DIR, t->config, &published);
    for (int64_t i = 0; i < STREAM_PROBE_MESSAGES; i++) {
        if (seen->there[i] == t->lost[i]) {
            return crash_wrong(&t->why,
                    seen->there[i] ? "recovery says that %" PRId64 " is lost, which is there"
                                   : "recovery does not say that %" PRId64 " is lost",
                    i);
        }
        whole_lost += whole.whole[i] && !seen->there[i] ? 1 : 0;
    }
    if (whole_lost > WHOLE_LOST_MAX) {
        return crash_wrong(&t->why, "recovery loses messages that were whole");
    }
    return seen->next >= STREAM_PROBE_MESSAGES
                   ? 0
                   : crash_wrong(&t->why, "after recovery the next offset is %" PRId64, seen->next);
}

/* A writer opens what is damaged, and goes on; on a disk of its own. */
static int judge_writer(struct trial *t)
{
    struct sim_disk_options disk = {
            .sector_size = t->before->sector_size, .file_max = FILE_MAX, .no_trace = true};
    struct sim_world *w = sim_world_new(t->w->seed, t->before, &disk);
    bool v1 = t->config->version == STELE_STREAM_V1;
    stele_stream_options options;
    struct model_message made;
    struct sim_image *after;
    stele_stream *s = NULL;
    bool went_on = true;
    struct seen seen;
    int result;

    model_options(t->config, &w->env, &options);
    model_make(&made, model_value(STREAM_PROBE_MESSAGES, 0));
    if (stele_stream_open(&s, MODEL_DIR, &options, NULL) == STELE_OK) {
        went_on = stele_stream_publish(s, &made.message, 1, NULL, NULL) == STELE_OK;
        went_on = stele_stream_close(s, NULL) == STELE_OK && went_on;
    }
    after = sim_disk_image(w->disk);
    result = model_check_pieces(t->before, after, MODEL_DIR, &t->why);
    seen = read_all(t->config, w, MODEL_DIR, false);
    if (result == 0 && !went_on) {
        result = crash_wrong(&t->why, "a writer opens, and cannot write");
    }
    if (result == 0 && seen.unordered) {
        result = crash_wrong(&t->why, "a writer leaves messages in another order");
    }
    if (result == 0 && seen.wrong && !t->excused && !(v1 && t->found)) {
        result = crash_wrong(
                &t->why, "behind a writer %s gives what was not published so", seen.what);
    }
    sim_image_unref(after);
    sim_world_free(w);
    return result;
}

static int judge_recovery(struct trial *t)
{
    stele_stream_recover_events events = {.arg = t, .lost = each_lost};
    stele_stream_recovered recovered;
    stele_stream_options options;
    struct sim_image *after;
    struct seen seen;
    int result;

    model_options(t->config, &t->w->env, &options);
    if (stele_stream_recover_dir(MODEL_DIR, &options, &events, &recovered, NULL) != STELE_OK) {
        t->reported = true;
        return 0;
    }
    after = sim_disk_image(t->w->disk);
    result = model_check_pieces(t->before, after, MODEL_DIR, &t->why);
    sim_image_unref(after);
    seen = read_all(t->config, t->w, MODEL_DIR, false);
    if (result == 0 && seen.unordered) {
        result = crash_wrong(&t->why, "after recovery messages come in another order");
    }
    if (result != 0 || t->excused) {
        return result;
    }
    if (seen.wrong || seen.reported || check_finds(t->config, t->w, MODEL_DIR)) {
        return crash_wrong(&t->why, "recovery leaves damage");
    }
    for (int64_t i = 0; i < STREAM_PROBE_MESSAGES; i++) {
        recovered.messages -= seen.there[i] ? 1 : 0;
    }
    return recovered.messages == 0 ? judge_kept(t, &seen)
                                   : crash_wrong(&t->why, "recovery counts other messages");
}

static enum sim_probe probe(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    struct trial t = {.config = arg, .w = w, .why = {why, why_len}};
    int result;

    (void)notes;
    t.before = sim_disk_image(w->disk);
    t.found = t.reported = check_finds(t.config, w, MODEL_DIR);
    t.excused = is_excused(t.config, t.before);
    result = judge_reading(&t, false);
    result = result != 0 ? result : judge_reading(&t, true);
    /* It cannot know, either, and would hide what reading finds. */
    if (t.config->version != STELE_STREAM_V1 || t.config->lenient) {
        result = result != 0 ? result : judge_writer(&t);
        result = result != 0 ? result : judge_recovery(&t);
    }
    sim_image_unref(t.before);
    return result != 0 ? SIM_PROBE_SILENT : t.reported ? SIM_PROBE_REPORTED : SIM_PROBE_RIGHT;
}

/* ---- The copy. ---- */

static enum sim_probe probe_copy(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    const struct model_config *config = arg;
    struct seen source = read_all(config, w, MODEL_DIR, true);
    stele_stream_options options;
    struct seen seen;

    (void)notes;
    model_options(config, &w->env, &options);
    if (stele_stream_backup_dir(MODEL_DIR, MODEL_TARGET, &options, NULL, NULL) != STELE_OK) {
        return SIM_PROBE_REPORTED;
    }
    seen = read_all(config, w, MODEL_TARGET, false);
    if (seen.wrong || seen.unordered || seen.reported || check_finds(config, w, MODEL_TARGET)) {
        (void)snprintf(why, why_len, "a copy that was reported as good is not");
        return SIM_PROBE_SILENT;
    }
    /* A log that was cut between two messages looks as after a deletion. */
    if (seen.missing && (source.reported || !source.missing)) {
        (void)snprintf(why, why_len, "a copy that was reported as good lacks a message");
        return SIM_PROBE_SILENT;
    }
    return SIM_PROBE_RIGHT;
}

/* After a run whose writes may have stored something else: a copy that was acknowledged is good. */
static enum sim_probe probe_acknowledged(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    const struct model_config *config = arg;
    uint64_t next;
    struct seen seen;

    if (!sim_notes_max(notes, SIM_ACK, MODEL_BACKUP, &next)) {
        return SIM_PROBE_REPORTED;
    }
    seen = read_all(config, w, MODEL_TARGET, false);
    if (seen.wrong || seen.unordered || seen.missing || seen.reported ||
            check_finds(config, w, MODEL_TARGET)) {
        (void)snprintf(why, why_len, "a copy that was acknowledged is not good");
        return SIM_PROBE_SILENT;
    }
    return SIM_PROBE_RIGHT;
}

static struct sim_workload workload(const char *name, const struct model_config *config)
{
    return (struct sim_workload){.name = name,
            .arg = (void *)(uintptr_t)config,
            .disk = {.file_max = FILE_MAX},
            .run = fill,
            .check = check,
            .probe = probe};
}

struct sim_workload stream_probe_workload(const char *name, const struct model_config *config)
{
    return workload(name, config);
}

struct sim_workload stream_copy_workload(const char *name, const struct model_config *config)
{
    struct sim_workload w = workload(name, config);

    w.run = fill_and_copy;
    w.probe = probe_copy;
    return w;
}

struct sim_workload stream_lie_workload(const char *name, const struct model_config *config)
{
    struct sim_workload w = stream_copy_workload(name, config);

    w.probe = probe_acknowledged;
    return w;
}
