/* SPDX-License-Identifier: MIT */
#include "crash/stream_scenarios.h"

#include "crash/stream_model.h"
#include "sim/crash.h"
#include "stream/index_format.h"
#include "stream/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGES = 12,
    SMALL_DISK = 24 << 10
};

struct scene {
    struct model_config config;
    struct sim_world *w;
    stele_stream *s;
    stele_stream_options options;
    stele_messages *ms;
};

static bool begin(struct scene *sc, stele_stream_version version, uint64_t capacity)
{
    struct sim_disk_options disk = {.file_max = 2 << 20, .capacity = capacity};

    memset(sc, 0, sizeof *sc);
    sc->config = (struct model_config){
            .version = version, .times = true, .keys = true, .no_map = true, .rollover = 300};
    sc->w = sim_world_new(1, NULL, &disk);
    model_options(&sc->config, &sc->w->env, &sc->options);
    return stele_messages_new(&sc->ms, NULL) == STELE_OK &&
           stele_stream_open(&sc->s, MODEL_DIR, &sc->options, NULL) == STELE_OK;
}

static bool end(struct scene *sc, bool held)
{
    stele_messages_free(sc->ms);
    held = stele_stream_close(sc->s, NULL) == STELE_OK && held;
    sim_world_free(sc->w);
    return held;
}

static stele_code publish(struct scene *sc)
{
    struct model_message made;
    int64_t next;
    stele_code rc = stele_stream_next_offset(sc->s, &next, NULL);

    model_make(&made, model_value(next, 0));
    return rc != STELE_OK ? rc : stele_stream_publish(sc->s, &made.message, 1, NULL, NULL);
}

static bool fill(struct scene *sc)
{
    bool held = true;

    for (int i = 0; i < MESSAGES && held; i++) {
        held = publish(sc) == STELE_OK;
    }
    return held;
}

/* ---- Promises. ---- */

static bool one_writer(void)
{
    struct scene sc;
    stele_stream *other = NULL;
    bool held = begin(&sc, STELE_STREAM_V2, 0) &&
                stele_stream_open(&other, MODEL_DIR, &sc.options, NULL) == STELE_EBUSY;

    if (other != NULL) {
        (void)stele_stream_close(other, NULL);
    }
    return end(&sc, held);
}

static bool publishes_where_expected(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && publish(&sc) == STELE_OK;
    struct model_message made;
    int64_t next = -1;

    model_make(&made, model_value(1, 0));
    held = held &&
           stele_stream_publish_at(sc.s, 0, &made.message, 1, NULL, NULL) == STELE_ECONFLICT &&
           stele_stream_publish_at(sc.s, 1, &made.message, 1, &next, NULL) == STELE_OK && next == 2;
    return end(&sc, held);
}

static bool works_on_a_full_disk(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V1, SMALL_DISK);
    stele_code rc = STELE_OK;
    int64_t full = 0;

    for (int i = 0; i < MODEL_OFFSETS && rc == STELE_OK && held; i++) {
        rc = publish(&sc);
    }
    held = held && rc == STELE_ENOSPC && stele_stream_next_offset(sc.s, &full, NULL) == STELE_OK;
    for (int64_t i = 0; i < full && held; i++) {
        held = stele_stream_get(sc.s, i, sc.ms, NULL) == STELE_OK &&
               model_same(stele_messages_at(sc.ms, 0), model_value(i, 0));
    }
    stele_messages_clear(sc.ms);
    held = held &&
           stele_stream_trim_by_offset_multi(sc.s, full / 2, NULL, NULL, NULL, NULL) <= STELE_OK &&
           publish(&sc) == STELE_OK;
    return end(&sc, held);
}

static bool lent_messages_stay(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);
    stele_deleted deleted = {0};
    int64_t next;

    held = held && stele_stream_consume(sc.s, 0, 3, sc.ms, &next, NULL) == STELE_OK &&
           stele_messages_count(sc.ms) == 3 &&
           stele_stream_trim_by_count_multi(sc.s, 1, NULL, NULL, &deleted, NULL) == STELE_OK &&
           deleted.count == MESSAGES - 1 && stele_stream_gc(sc.s, 0, NULL) == STELE_OK;
    held = stele_stream_close(sc.s, NULL) == STELE_OK && held;
    sc.s = NULL;
    for (int64_t i = 0; i < 3 && held; i++) {
        held = model_same(stele_messages_at(sc.ms, (size_t)i), model_value(i, 0));
    }
    return end(&sc, held);
}

static bool deletes_past_what_is_not_there(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);
    stele_offsets *set = NULL;
    stele_deleted deleted = {0};

    held = held && stele_offsets_new(&set, NULL) == STELE_OK &&
           stele_offsets_add(set, 1, NULL) == STELE_OK &&
           stele_stream_delete_multi(sc.s, set, NULL, &deleted, NULL) == STELE_OK &&
           stele_offsets_add(set, MESSAGES - 2, NULL) == STELE_OK &&
           stele_stream_delete_multi(sc.s, set, NULL, &deleted, NULL) == STELE_OK &&
           deleted.count == 2;
    stele_offsets_free(set);
    return end(&sc, held);
}

/* ---- Damage in a segment that is not the newest. ---- */

static void each_fault(void *arg, const stele_stream_fault *fault)
{
    (void)fault;
    ++*(int *)arg;
}

static void each_lost(void *arg, int64_t first, int64_t last)
{
    *(int *)arg += first == 1 && last == 1 ? 1 : 0;
}

/* Flip a byte in the value of message 1. */
static bool damage(struct scene *sc)
{
    const stele_vfs *vfs = sc->w->env.vfs;
    struct model_message made;
    char name[STI_NAME_SIZE];
    uint8_t bytes[4096];
    stele_slice slice = {"\xff", 1};
    stele_dir *d = NULL;
    stele_file *f = NULL;
    bool done = false;

    model_make(&made, model_value(1, 0));
    sti_name_log(name, 0);
    if (vfs->ops->open_dir(vfs, MODEL_DIR, 0, &d) == 0 &&
            d->ops->open(d, name, STELE_OPEN_WRITE, &f) == 0) {
        int64_t got = f->ops->pread(f, bytes, sizeof bytes, 0);
        const uint8_t *found = got <= 0 ? NULL
                                        : memmem(bytes, (size_t)got, made.message.value.data,
                                                  made.message.value.len);

        done = found != NULL && f->ops->pwritev(f, &slice, 1, (uint64_t)(found - bytes)) == 1;
    }
    if (f != NULL) {
        (void)f->ops->close(f);
    }
    if (d != NULL) {
        (void)d->ops->close(d);
    }
    return done;
}

static bool damage_is_found_and_told(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);
    stele_stream_recover_events events = {.lost = each_lost};
    int faults = 0;
    int lost = 0;

    held = stele_stream_close(sc.s, NULL) == STELE_OK && held;
    sc.s = NULL;
    events.arg = &lost;
    held = held && damage(&sc) &&
           stele_stream_check_dir(MODEL_DIR, &sc.options, false, each_fault, &faults, NULL, NULL) ==
                   STELE_ECORRUPT &&
           faults > 0 && stele_stream_open(&sc.s, MODEL_DIR, &sc.options, NULL) == STELE_OK &&
           stele_stream_get(sc.s, 1, sc.ms, NULL) == STELE_ECORRUPT &&
           stele_stream_get(sc.s, 2, sc.ms, NULL) == STELE_OK &&
           stele_stream_close(sc.s, NULL) == STELE_OK;
    sc.s = NULL;
    stele_messages_clear(sc.ms);
    held = held &&
           stele_stream_recover_dir(MODEL_DIR, &sc.options, &events, NULL, NULL) == STELE_OK &&
           lost == 1;
    return end(&sc, held);
}

/* ---- Files as a crash, a disk or another program may have left them. ---- */

struct bytes {
    uint8_t data[4096];
    size_t len;
};

static bool close_stream(struct scene *sc)
{
    bool held = stele_stream_close(sc->s, NULL) == STELE_OK;

    sc->s = NULL;
    return held;
}

static bool open_stream(struct scene *sc)
{
    return stele_stream_open(&sc->s, MODEL_DIR, &sc->options, NULL) == STELE_OK;
}

static bool next_is(struct scene *sc, int64_t wanted)
{
    int64_t next = -1;

    return stele_stream_next_offset(sc->s, &next, NULL) == STELE_OK && next == wanted;
}

/* Read a file, or (with `set`) make it these bytes. */
static bool with_file(struct scene *sc, const char *name, bool set, struct bytes *bytes)
{
    const stele_vfs *vfs = sc->w->env.vfs;
    stele_dir *d = NULL;
    stele_file *f = NULL;
    int64_t got = -1;

    if (vfs->ops->open_dir(vfs, MODEL_DIR, 0, &d) == 0 &&
            d->ops->open(d, name, set ? STELE_OPEN_WRITE : STELE_OPEN_READ, &f) == 0) {
        stele_slice slice = {bytes->data, bytes->len};

        if (!set) {
            got = f->ops->pread(f, bytes->data, sizeof bytes->data, 0);
            bytes->len = got > 0 ? (size_t)got : 0;
        } else if (f->ops->truncate(f, 0) == 0) {
            got = f->ops->pwritev(f, &slice, 1, 0);
        }
    }
    if (f != NULL) {
        (void)f->ops->close(f);
    }
    if (d != NULL) {
        (void)d->ops->close(d);
    }
    return got > 0 && (size_t)got == bytes->len;
}

static bool remove_file(struct scene *sc, const char *name)
{
    const stele_vfs *vfs = sc->w->env.vfs;
    stele_dir *d = NULL;
    bool done = vfs->ops->open_dir(vfs, MODEL_DIR, 0, &d) == 0 && d->ops->unlink(d, name) == 0;

    if (d != NULL) {
        (void)d->ops->close(d);
    }
    return done;
}

/* The base of the newest log. */
static int64_t newest(struct scene *sc)
{
    struct sim_image *image = sim_disk_image(sc->w->disk);
    int64_t highest = -1;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        int64_t base;

        if (sti_name_parse(image->entries[i].name, &base) == STI_NAME_LOG && base > highest) {
            highest = base;
        }
    }
    sim_image_unref(image);
    return highest;
}

/* Put bytes at the end of a log. */
static bool append_to(struct scene *sc, int64_t base, const void *data, size_t len)
{
    char name[STI_NAME_SIZE];
    struct bytes log;

    sti_name_log(name, base);
    if (!with_file(sc, name, false, &log) || log.len + len > sizeof log.data) {
        return false;
    }
    memcpy(log.data + log.len, data, len);
    log.len += len;
    return with_file(sc, name, true, &log);
}

/* Whether these bytes are somewhere in the files. */
static bool kept(struct scene *sc, const void *data, size_t len)
{
    struct sim_image *image = sim_disk_image(sc->w->disk);
    bool found = false;

    for (uint32_t i = 0; i < image->entry_count && !found; i++) {
        uint64_t size;
        uint8_t *bytes = sim_image_read(image, i, &size);

        found = memmem(bytes, (size_t)size, data, len) != NULL;
        free(bytes);
    }
    sim_image_unref(image);
    return found;
}

static bool recover(struct scene *sc, stele_stream_recovered *out)
{
    return stele_stream_recover_dir(MODEL_DIR, &sc->options, NULL, out, NULL) == STELE_OK;
}

/* A preallocated end. */
static bool zeros_are_no_messages(void)
{
    static const uint8_t zeros[200];
    struct scene sc;
    stele_stream_recovered r = {0};
    bool held = begin(&sc, STELE_STREAM_V1, 0) && fill(&sc);

    held = close_stream(&sc) && held && append_to(&sc, newest(&sc), zeros, sizeof zeros) &&
           recover(&sc, &r) && r.messages == MESSAGES && open_stream(&sc) && next_is(&sc, MESSAGES);
    return end(&sc, held);
}

/* Cut a piece out of the value of a message, and see what recovery leaves of it. */
static bool recovery_keeps_what_it_cuts(void)
{
    struct scene sc;
    struct model_message made;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);

    model_make(&made, model_value(1, 0));
    held = close_stream(&sc) && held && damage(&sc) && recover(&sc, NULL) &&
           kept(&sc, (const uint8_t *)made.message.value.data + 1, made.message.value.len - 1);
    return end(&sc, held);
}

static bool recovery_gives_no_offset_again(void)
{
    struct scene sc;
    char name[STI_NAME_SIZE];
    struct bytes log;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);

    held = close_stream(&sc) && held;
    sti_name_log(name, newest(&sc));
    held = held && with_file(&sc, name, false, &log);
    log.data[log.len - 1] ^= 0xff;
    held = held && with_file(&sc, name, true, &log) && recover(&sc, NULL) && open_stream(&sc) &&
           next_is(&sc, MESSAGES);
    return end(&sc, held);
}

/* Two crashes tear the same place. */
static bool every_torn_end_is_kept(void)
{
    static const char first[] = "the first torn end, of some length";
    static const char second[] = "another torn end, of other length and content";
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);

    held = close_stream(&sc) && held && append_to(&sc, newest(&sc), first, sizeof first - 1) &&
           open_stream(&sc) && close_stream(&sc) &&
           append_to(&sc, newest(&sc), second, sizeof second - 1) && open_stream(&sc) &&
           kept(&sc, first, sizeof first - 1) && kept(&sc, second, sizeof second - 1);
    return end(&sc, held);
}

/* As a log that was copied onto itself. What was cut off is in quarantine. */
static bool no_message_is_there_twice(void)
{
    int64_t next = -1;
    struct scene sc;
    char name[STI_NAME_SIZE];
    struct bytes log;
    stele_stream_recovered r = {0};
    bool held = begin(&sc, STELE_STREAM_V1, 0) && fill(&sc);

    held = close_stream(&sc) && held;
    sti_name_log(name, newest(&sc));
    held = held && with_file(&sc, name, false, &log) &&
           append_to(&sc, newest(&sc), log.data, log.len);
    sti_name_index(name, newest(&sc));
    held = held && remove_file(&sc, name) && open_stream(&sc) &&
           stele_stream_consume(sc.s, MESSAGES - 1, MESSAGES, sc.ms, &next, NULL) == STELE_OK &&
           stele_messages_count(sc.ms) == 1;
    stele_messages_clear(sc.ms);
    held = held && close_stream(&sc) && recover(&sc, &r) && r.messages == MESSAGES;
    return end(&sc, held);
}

/* A log is gone, and its index still tells which offsets it had. */
static bool a_lost_log_keeps_its_offsets(void)
{
    struct scene sc;
    char name[STI_NAME_SIZE];
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);
    int64_t next = -1;

    held = close_stream(&sc) && held;
    sti_name_log(name, newest(&sc));
    held = held && remove_file(&sc, name);
    held = held && open_stream(&sc) && stele_stream_next_offset(sc.s, &next, NULL) == STELE_OK &&
           next >= MESSAGES;
    return end(&sc, held);
}

/* From now on what the disk holds is what a power cut leaves of it. */
static bool cut_power(struct scene *sc, bool keep_all)
{
    struct sim_disk_options disk = {.file_max = 2 << 20};
    struct sim_image *image;

    (void)sim_disk_settle(sc->w->disk);
    image = sim_crash_now(sc->w->disk, keep_all);
    sim_disk_power_off(sc->w->disk);
    (void)stele_stream_close(sc->s, NULL);
    sc->s = NULL;
    sim_world_free(sc->w);
    sc->w = sim_world_new(1, image, &disk);
    sim_image_unref(image);
    sc->options.env = &sc->w->env;
    return true;
}

/* Whole messages lie behind a torn one in the newest segment; the last one is `last`. */
static bool tear_in_the_middle(struct scene *sc, struct model_message *last)
{
    char name[STI_NAME_SIZE];
    struct bytes log;
    bool held = fill(sc) && publish(sc) == STELE_OK && publish(sc) == STELE_OK;

    model_make(last, model_value(MESSAGES + 1, 0));
    held = close_stream(sc) && held;
    sti_name_log(name, newest(sc));
    held = held && with_file(sc, name, false, &log);
    log.data[log.len / 2] ^= 0xff;
    return held && with_file(sc, name, true, &log) && cut_power(sc, true);
}

static bool a_torn_end_is_kept_durably(void)
{
    struct scene sc;
    struct model_message last;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && tear_in_the_middle(&sc, &last) &&
                open_stream(&sc) && cut_power(&sc, false) &&
                kept(&sc, last.message.value.data, last.message.value.len);

    return end(&sc, held);
}

static bool a_torn_end_is_cut(void)
{
    struct scene sc;
    struct model_message last;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && tear_in_the_middle(&sc, &last) &&
                open_stream(&sc) && next_is(&sc, MESSAGES + 2) && publish(&sc) == STELE_OK &&
                stele_stream_sync(sc.s, NULL, NULL) == STELE_OK && cut_power(&sc, true) &&
                stele_stream_check_dir(MODEL_DIR, &sc.options, false, NULL, NULL, NULL, NULL) ==
                        STELE_OK;

    return end(&sc, held);
}

/* As another program would have copied it, without a sync. */
static bool copy_file(stele_dir *target, const char *name, const uint8_t *bytes, uint64_t size)
{
    stele_slice slice = {bytes, (size_t)size};
    stele_file *f = NULL;
    bool done = target->ops->open(target, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f) == 0 &&
                (size == 0 || f->ops->pwritev(f, &slice, 1, 0) == (int64_t)size);

    if (f != NULL) {
        (void)f->ops->close(f);
    }
    return done;
}

static bool copy_all(struct scene *sc)
{
    const stele_vfs *vfs = sc->w->env.vfs;
    struct sim_image *image = sim_disk_image(sc->w->disk);
    stele_dir *d = NULL;
    bool held = vfs->ops->open_dir(vfs, MODEL_TARGET, STELE_OPEN_CREATE, &d) == 0;

    for (uint32_t i = 0; i < image->entry_count && held; i++) {
        uint64_t size;
        uint8_t *bytes = sim_image_read(image, i, &size);

        held = copy_file(d, image->entries[i].name, bytes, size);
        free(bytes);
    }
    if (d != NULL) {
        (void)d->ops->close(d);
    }
    sim_image_unref(image);
    return held;
}

static bool a_copy_is_durable(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);

    held = close_stream(&sc) && held && copy_all(&sc) &&
           stele_stream_backup_dir(MODEL_DIR, MODEL_TARGET, &sc.options, NULL, NULL) == STELE_OK &&
           cut_power(&sc, false) &&
           stele_stream_open(&sc.s, MODEL_TARGET, &sc.options, NULL) == STELE_OK &&
           next_is(&sc, MESSAGES);
    for (int64_t i = 0; i < MESSAGES && held; i++) {
        held = stele_stream_get(sc.s, i, sc.ms, NULL) == STELE_OK &&
               model_same(stele_messages_at(sc.ms, 0), model_value(i, 0));
    }
    stele_messages_clear(sc.ms);
    return end(&sc, held);
}

/* ---- Times. ---- */

/* The first messages have the latest times, so that all later index times are theirs. */
static bool times_rise_over_segments(void)
{
    struct scene sc;
    char name[STI_NAME_SIZE];
    struct bytes index;
    bool held = begin(&sc, STELE_STREAM_V2, 0);

    for (int64_t i = 0; i < MESSAGES && held; i++) {
        struct model_message made;

        model_make(&made, model_value(i, 0));
        made.message.time = i == 1 ? 5000 : 1 + i;
        held = stele_stream_publish(sc.s, &made.message, 1, NULL, NULL) == STELE_OK;
    }
    for (int opened = 0; opened < 2 && held; opened++) {
        for (int64_t i = 2; i < MESSAGES && held; i++) {
            held = stele_stream_get_by_time(sc.s, i, sc.ms, NULL) == STELE_OK &&
                   stele_messages_at(sc.ms, 0)->offset == 1;
        }
        stele_messages_clear(sc.ms);
        held = close_stream(&sc) && held && newest(&sc) > 0 && open_stream(&sc);
    }
    sti_name_index(name, newest(&sc));
    held = close_stream(&sc) && held && with_file(&sc, name, false, &index) &&
           index.len > STI_INDEX_HEADER_SIZE &&
           sti_item_time(index.data + STI_INDEX_HEADER_SIZE) == 5000;
    return end(&sc, held);
}

/* ---- A disk that does not do what it says. ---- */

static const stele_vfs *true_vfs;
static const stele_dir_ops *true_dir;
static const stele_file_ops *true_file;
static const char *false_path;
static int64_t (*false_write)(stele_file *f, const stele_slice *slices, int count, uint64_t at);
static stele_dir_ops false_dir;
static stele_file_ops false_file;

enum {
    SOME_MESSAGES = 100 /* a write of more bytes is one of messages */
};

static int false_open(stele_dir *d, const char *name, unsigned flags, stele_file **out)
{
    int rc = true_dir->open(d, name, flags, out);

    if (rc == 0) {
        true_file = (*out)->ops;
        false_file = *true_file;
        false_file.pwritev = false_write;
        (*out)->ops = &false_file;
    }
    return rc;
}

static int false_open_dir(const stele_vfs *v, const char *path, unsigned flags, stele_dir **out)
{
    int rc = true_vfs->ops->open_dir(true_vfs, path, flags, out);

    (void)v;
    if (rc == 0 && strcmp(path, false_path) == 0) {
        true_dir = (*out)->ops;
        false_dir = *true_dir;
        false_dir.open = false_open;
        (*out)->ops = &false_dir;
    }
    return rc;
}

static void make_false(struct scene *sc, const char *path,
        int64_t (*write)(stele_file *f, const stele_slice *slices, int count, uint64_t at))
{
    static const stele_vfs_ops ops = {.version = 1, .open_dir = false_open_dir};
    static const stele_vfs vfs = {.ops = &ops};

    true_vfs = sc->w->env.vfs;
    false_path = path;
    false_write = write;
    sc->w->env.vfs = &vfs;
}

static int64_t flipping_write(stele_file *f, const stele_slice *slices, int count, uint64_t at)
{
    static uint8_t changed[1 << 16];
    stele_slice slice = {changed, slices[0].len};

    if (slices[0].len < SOME_MESSAGES || slices[0].len > sizeof changed) {
        return true_file->pwritev(f, slices, count, at);
    }
    memcpy(changed, slices[0].data, slices[0].len);
    changed[slices[0].len / 2] ^= 1;
    return true_file->pwritev(f, &slice, 1, at);
}

static bool a_copy_is_read_back(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);

    held = close_stream(&sc) && held;
    make_false(&sc, MODEL_TARGET, flipping_write);
    held = held && stele_stream_backup_dir(MODEL_DIR, MODEL_TARGET, &sc.options, NULL, NULL) ==
                           STELE_ECORRUPT;
    sc.w->env.vfs = true_vfs;
    return end(&sc, held);
}

/* The bytes are there, and then an error comes. */
static int64_t refusing_write(stele_file *f, const stele_slice *slices, int count, uint64_t at)
{
    int64_t put = true_file->pwritev(f, slices, count, at);

    return slices[0].len < SOME_MESSAGES ? put : -ENOSPC;
}

static stele_code publish_equal(struct scene *sc, size_t count)
{
    stele_message list[8];

    for (size_t i = 0; i < count; i++) {
        list[i] = stele_message_invalid();
        list[i].time = 1000;
        list[i].key = stele_str("key");
        list[i].value = stele_str("a value");
    }
    return stele_stream_publish(sc->s, list, count, NULL, NULL);
}

/* Many messages are refused, and a single one of the same length goes in: what is behind it in
 * the file would be the next ones of those that were refused. */
static bool nothing_of_a_refused_publish_stays(void)
{
    struct sim_disk_options disk = {.file_max = 2 << 20};
    struct scene sc;
    struct sim_world *killed;
    struct sim_world *w;
    struct sim_image *image;
    bool held = begin(&sc, STELE_STREAM_V2, 0);

    held = close_stream(&sc) && held;
    make_false(&sc, MODEL_DIR, refusing_write);
    held = held && open_stream(&sc) && publish_equal(&sc, 8) == STELE_ENOSPC &&
           publish_equal(&sc, 1) == STELE_OK;
    image = sim_disk_image(sc.w->disk);
    held = stele_stream_close(sc.s, NULL) == STELE_OK && held;
    sc.s = NULL;
    sc.w->env.vfs = true_vfs;
    killed = sim_world_new(1, image, &disk);
    sim_image_unref(image);
    w = sc.w;
    sc.w = killed;
    sc.options.env = &killed->env;
    held = held && open_stream(&sc) && next_is(&sc, 1);
    held = end(&sc, held);
    sim_world_free(w);
    return held;
}

/* ---- A side file that was made for another index. ---- */

/* Messages of the same lengths in the same places, with the keys in another order. */
static bool fill_keys(struct scene *sc, bool reversed)
{
    bool held = true;

    for (int i = 0; i < MESSAGES && held; i++) {
        char key[8];
        stele_message m = stele_message_invalid();

        (void)snprintf(key, sizeof key, "k%02d", reversed ? MESSAGES - 1 - i : i);
        m.time = 1000 + i;
        m.key = stele_str(key);
        m.value = stele_str("a value of some length");
        held = stele_stream_publish(sc->s, &m, 1, NULL, NULL) == STELE_OK;
    }
    return close_stream(sc) && held;
}

static bool a_side_file_belongs_to_its_index(void)
{
    struct scene other;
    struct scene sc;
    char name[STI_NAME_SIZE];
    struct bytes side;
    bool held = begin(&other, STELE_STREAM_V2, 0) && fill_keys(&other, true);

    sti_name_keys(name, 0);
    held = held && with_file(&other, name, false, &side);
    held = end(&other, held) && begin(&sc, STELE_STREAM_V2, 0) && fill_keys(&sc, false) &&
           with_file(&sc, name, true, &side) && open_stream(&sc);
    for (int i = 0; i < MESSAGES && held; i++) {
        char key[8];
        int64_t offset = -1;

        (void)snprintf(key, sizeof key, "k%02d", i);
        held = stele_stream_offset_by_key(sc.s, stele_str(key), &offset, NULL) == STELE_OK &&
               offset == i;
    }
    return end(&sc, held);
}

static const struct scenario scenarios[] = {
        {"one writer", one_writer},
        {"publish where expected", publishes_where_expected},
        {"a full disk", works_on_a_full_disk},
        {"lent messages", lent_messages_stay},
        {"delete past nothing", deletes_past_what_is_not_there},
        {"damage told", damage_is_found_and_told},
        {"zeros are no messages", zeros_are_no_messages},
        {"recovery keeps what it cuts", recovery_keeps_what_it_cuts},
        {"recovery gives no offset again", recovery_gives_no_offset_again},
        {"every torn end is kept", every_torn_end_is_kept},
        {"no message is there twice", no_message_is_there_twice},
        {"a lost log keeps its offsets", a_lost_log_keeps_its_offsets},
        {"a torn end is kept durably", a_torn_end_is_kept_durably},
        {"a torn end is cut", a_torn_end_is_cut},
        {"times rise over segments", times_rise_over_segments},
        {"a refused publish", nothing_of_a_refused_publish_stays},
        {"a copy is read back", a_copy_is_read_back},
        {"a copy is durable", a_copy_is_durable},
        {"a side file belongs to its index", a_side_file_belongs_to_its_index},
};

const struct scenario *stream_scenarios(size_t *count)
{
    *count = sizeof scenarios / sizeof scenarios[0];
    return scenarios;
}
