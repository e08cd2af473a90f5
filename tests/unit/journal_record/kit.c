/* SPDX-License-Identifier: MIT
 *
 * kit.c: see kit.h.
 */
#include "kit.h"

#include <stele/vfs.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NAME_SIZE = 128
};

/* ---- Beginning and ending. ---- */

static void set_options(struct kit *k)
{
    stele_journal_options_init(&k->opts);
    k->opts.create_dirs = true;
}

void kit_begin(struct kit *k)
{
    memset(k, 0, sizeof *k);
    tmpdir_make(&k->dir);
    set_options(k);
}

void kit_begin_sim(struct kit *k, const struct sim_disk_options *disk)
{
    const struct sim_disk_options options = {.file_max = 20 << 20};

    memset(k, 0, sizeof *k);
    k->w = sim_world_new(7, NULL, disk != NULL ? disk : &options);
    (void)snprintf(k->dir.path, sizeof k->dir.path, "/journal");
    set_options(k);
    k->opts.env = &k->w->env;
    k->opts.no_background = true;
}

void kit_power_cut(struct kit *k, bool keep_all)
{
    struct sim_image *image = sim_crash_now(k->w->disk, keep_all);
    const struct sim_disk_options options = {.file_max = 20 << 20};
    struct sim_world *old = k->w;

    sim_disk_power_off(old->disk);
    (void)stele_journal_close(k->journal, NULL);
    k->journal = NULL;
    k->w = sim_world_new(8, image, &options);
    sim_image_unref(image);
    sim_world_free(old);
    k->opts.env = &k->w->env;
}

void kit_end(struct kit *k)
{
    stele_code rc = stele_journal_close(k->journal, &k->err);

    if (rc != STELE_EFAILED) {
        CHECK_OK(rc, &k->err);
    }
    if (k->w != NULL) {
        assert_int_equal(sim_disk_open_count(k->w->disk), 0);
        sim_world_free(k->w);
    } else {
        tmpdir_remove(&k->dir);
    }
}

void kit_open(struct kit *k)
{
    assert_null(k->journal);
    CHECK_OK(stele_journal_open(&k->journal, k->dir.path, &k->opts, &k->err), &k->err);
}

void kit_close(struct kit *k)
{
    stele_journal *journal = k->journal;

    k->journal = NULL;
    CHECK_OK(stele_journal_close(journal, &k->err), &k->err);
}

void kit_record(struct kit *k)
{
    if (k->journal == NULL) {
        kit_open(k);
    }
    CHECK_OK(stele_journal_record(k->journal, &k->err), &k->err);
}

void kit_stop(struct kit *k)
{
    CHECK_OK(stele_journal_stop(k->journal, &k->err), &k->err);
}

/* ---- Dumping. ---- */

stele_journal_op kit_op(bool put, unsigned key, uint32_t value, char *text)
{
    stele_journal_op op = {
            .kind = put ? STELE_JOURNAL_PUT : STELE_JOURNAL_DELETE,
            .timestamp = value,
    };
    size_t len = (size_t)snprintf(text, 64, "%u", key);

    op.key = stele_bytes_of(text, len);
    if (put) {
        size_t more = (size_t)snprintf(text + len, 64 - len, "%" PRIu32, value);

        op.value = stele_bytes_of(text + len, more);
    }
    return op;
}

static stele_code dump(struct kit *k, bool put, unsigned key, uint32_t value)
{
    char text[64];
    stele_journal_op op = kit_op(put, key, value, text);
    stele_code rc = stele_journal_dump(k->journal, &op, &k->err);

    assert_true(key < KIT_KEYS);
    if (rc == STELE_OK) {
        k->model.values[key] = put ? value : 0;
        k->dumped++;
    }
    return rc;
}

stele_code kit_put(struct kit *k, unsigned key, uint32_t value)
{
    return dump(k, true, key, value);
}

stele_code kit_delete(struct kit *k, unsigned key)
{
    return dump(k, false, key, 0);
}

void kit_fill(struct kit *k, unsigned first, unsigned last)
{
    for (unsigned key = first; key <= last; key++) {
        CHECK_OK(kit_put(k, key, 1000000 + key * 7), &k->err);
    }
}

/* ---- What is played. ---- */

static uint64_t number_of(stele_bytes text)
{
    char copy[32] = {0};

    assert_true(text.len > 0 && text.len < sizeof copy);
    memcpy(copy, text.data, text.len);
    return strtoull(copy, NULL, 10);
}

static stele_code operate(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct kit_model *m = arg;
    uint64_t key = number_of(op->key);

    (void)err;
    assert_true(key < KIT_KEYS);
    assert_true(op->kind == STELE_JOURNAL_PUT || op->kind == STELE_JOURNAL_DELETE);
    assert_true(stele_is_nil(op->subkey));
    m->values[key] = op->kind == STELE_JOURNAL_PUT ? (uint32_t)number_of(op->value) : 0;
    return STELE_OK;
}

stele_code kit_play(struct kit *k, struct kit_model *out)
{
    stele_journal *reader = NULL;
    stele_code rc;

    memset(out, 0, sizeof *out);
    CHECK_OK(stele_journal_open(&reader, k->dir.path, &k->opts, &k->err), &k->err);
    rc = stele_journal_play(reader, operate, out, &k->played, &k->err);
    CHECK_OK(stele_journal_close(reader, NULL), NULL);
    return rc;
}

void kit_holds(struct kit *k)
{
    struct kit_model *got = test_malloc(sizeof *got);

    CHECK_OK(kit_play(k, got), &k->err);
    assert_int_equal(k->played.count, k->dumped);
    for (unsigned i = 0; i < KIT_KEYS; i++) {
        if (got->values[i] != k->model.values[i]) {
            print_error("key %u\n", i);
        }
        assert_int_equal(got->values[i], k->model.values[i]);
    }
    test_free(got);
}

stele_journal_stats kit_stats(struct kit *k)
{
    stele_journal_stats stats;

    memset(&stats, 0xee, sizeof stats);
    CHECK_OK(stele_journal_stat(k->journal, &stats, &k->err), &k->err);
    return stats;
}

/* ---- Files, and faults. ---- */

struct looking {
    const char *prefix;
    const char *suffix;
    size_t count;
    char last[NAME_SIZE];
};

static int look_at(void *arg, const char *name)
{
    struct looking *l = arg;
    size_t len = strlen(name);
    size_t tail = strlen(l->suffix);

    if (strncmp(name, l->prefix, strlen(l->prefix)) == 0 && len >= tail &&
            strcmp(name + len - tail, l->suffix) == 0) {
        l->count++;
        if (strcmp(name, l->last) > 0) {
            (void)snprintf(l->last, sizeof l->last, "%s", name);
        }
    }
    return 0;
}

static void look(struct kit *k, struct looking *l)
{
    const stele_vfs *vfs = k->w != NULL ? k->w->env.vfs : stele_vfs_posix();
    stele_dir *dir = NULL;

    assert_int_equal(vfs->ops->open_dir(vfs, k->dir.path, STELE_OPEN_READ, &dir), 0);
    assert_int_equal(dir->ops->list(dir, look_at, l), 0);
    assert_int_equal(dir->ops->close(dir), 0);
}

size_t kit_count_files(struct kit *k, const char *prefix, const char *suffix)
{
    struct looking l = {.prefix = prefix, .suffix = suffix};

    look(k, &l);
    return l.count;
}

void kit_find_file(struct kit *k, const char *prefix, const char *suffix, char *out)
{
    struct looking l = {.prefix = prefix, .suffix = suffix};

    look(k, &l);
    assert_true(l.count > 0);
    memcpy(out, l.last, sizeof l.last);
}

void kit_write_file(struct kit *k, const char *name, const uint8_t *bytes, size_t len)
{
    const stele_vfs *vfs = k->w != NULL ? k->w->env.vfs : stele_vfs_posix();
    const unsigned flags = STELE_OPEN_WRITE | STELE_OPEN_CREATE;
    const stele_slice slice = {bytes, len};
    stele_dir *dir = NULL;
    stele_file *file = NULL;

    assert_int_equal(vfs->ops->open_dir(vfs, k->dir.path, flags, &dir), 0);
    assert_int_equal(dir->ops->open(dir, name, flags, &file), 0);
    if (len > 0) {
        assert_int_equal(file->ops->pwritev(file, &slice, 1, 0), len);
    }
    assert_int_equal(file->ops->sync(file, false), 0);
    assert_int_equal(file->ops->close(file), 0);
    assert_int_equal(dir->ops->sync(dir), 0);
    assert_int_equal(dir->ops->close(dir), 0);
}

void kit_fault(struct kit *k, unsigned calls, uint64_t at, int error, bool persistent)
{
    const struct sim_fault fault = {
            .calls = calls, .at = at, .error = error, .persistent = persistent};

    sim_disk_set_fault(k->w->disk, &fault);
}

void kit_no_fault(struct kit *k)
{
    sim_disk_set_fault(k->w->disk, NULL);
}
