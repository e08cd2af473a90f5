/* SPDX-License-Identifier: MIT
 *
 * kit.c: see kit.h.
 */
#include "kit.h"

#include <stele/vfs.h>

#include <inttypes.h>
#include <stdio.h>

const stele_wal_format kit_formats[KIT_FORMATS] = {STELE_WAL_STELE, STELE_WAL_BLB};

static void set_options(struct kit *k, stele_wal_format format)
{
    stele_wal_options_init(&k->opts);
    k->opts.format = format;
    k->opts.create_dirs = true;
    k->opts.segment_size = 4096;
}

void kit_begin(struct kit *k, stele_wal_format format)
{
    memset(k, 0, sizeof *k);
    tmpdir_make(&k->dir);
    set_options(k, format);
}

void kit_begin_sim(struct kit *k, stele_wal_format format, const struct sim_disk_options *disk)
{
    struct sim_disk_options options = {.no_trace = true};

    memset(k, 0, sizeof *k);
    k->w = sim_world_new(7, NULL, disk != NULL ? disk : &options);
    (void)snprintf(k->dir.path, sizeof k->dir.path, "/log");
    set_options(k, format);
    k->opts.env = &k->w->env;
    k->opts.no_background = true;
}

void kit_open(struct kit *k)
{
    assert_null(k->wal);
    CHECK_OK(stele_wal_open(&k->wal, k->dir.path, &k->opts, &k->err), &k->err);
}

void kit_close(struct kit *k)
{
    stele_wal *wal = k->wal;

    k->wal = NULL;
    CHECK_OK(stele_wal_close(wal, &k->err), &k->err);
}

void kit_reopen(struct kit *k)
{
    kit_close(k);
    kit_open(k);
}

void kit_end(struct kit *k)
{
    stele_code rc = stele_wal_close(k->wal, &k->err);

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

/* ---- Records. ---- */

stele_bytes kit_data(uint64_t id, uint8_t *buffer)
{
    size_t len = (size_t)(id * 37 % 211);

    if (id % 23 == 0) {
        len = KIT_DATA_MAX - 1;
    }
    for (size_t i = 0; i < len; i++) {
        buffer[i] = (uint8_t)(id * 131 + i * 7 + (id >> 8));
    }
    return stele_bytes_of(buffer, len);
}

stele_code kit_append(struct kit *k, uint64_t first, uint64_t count)
{
    stele_wal_record *records = test_calloc(count + 1, sizeof *records);
    uint8_t *data = test_calloc(count + 1, KIT_DATA_MAX);
    stele_code rc;

    for (uint64_t i = 0; i < count; i++) {
        records[i].id = first + i;
        records[i].data = kit_data(first + i, data + i * KIT_DATA_MAX);
    }
    rc = stele_wal_append(k->wal, records, count, &k->err);
    test_free(data);
    test_free(records);
    return rc;
}

void kit_fill(struct kit *k, uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++) {
        CHECK_OK(kit_append(k, id, 1), &k->err);
    }
}

/* ---- What is there. ---- */

static void check_record(uint64_t id, stele_bytes data)
{
    uint8_t buffer[KIT_DATA_MAX];
    stele_bytes expected = kit_data(id, buffer);

    assert_int_equal(data.len, expected.len);
    if (data.len > 0) {
        assert_memory_equal(data.data, expected.data, data.len);
    }
}

void kit_next_is(struct kit *k, uint64_t id, bool any)
{
    uint64_t next = 0;
    bool takes_any = !any;

    CHECK_OK(stele_wal_next_id(k->wal, &next, &takes_any, &k->err), &k->err);
    assert_int_equal(takes_any, any);
    assert_int_equal(next, id);
}

stele_wal_stats kit_stats(struct kit *k)
{
    stele_wal_stats stats;

    memset(&stats, 0xee, sizeof stats);
    CHECK_OK(stele_wal_stat(k->wal, &stats, &k->err), &k->err);
    return stats;
}

void kit_holds(struct kit *k, uint64_t first, uint64_t last)
{
    uint64_t a = 4711;
    uint64_t b = 4711;
    bool empty = false;
    stele_wal_stats stats = kit_stats(k);
    stele_wal_iter *it;
    stele_buf buf;

    CHECK_OK(stele_wal_first_id(k->wal, &a, &empty, &k->err), &k->err);
    assert_int_equal(empty, first > last);
    CHECK_OK(stele_wal_last_id(k->wal, &b, &empty, &k->err), &k->err);
    assert_int_equal(empty, first > last);
    assert_int_equal(a, empty ? 4711 : first);
    assert_int_equal(b, empty ? 4711 : last);
    assert_int_equal(stats.empty, empty);
    assert_int_equal(stats.first_id, empty ? 0 : first);
    assert_int_equal(stats.last_id, empty ? 0 : last);
    it = kit_iter(k, 0);
    kit_gives_all(it, first, last);
    CHECK_OK(stele_wal_iter_close(it, &k->err), &k->err);
    stele_buf_init(&buf, KIT_DATA_MAX);
    for (uint64_t id = first; id <= last; id++) {
        stele_buf_clear(&buf);
        CHECK_OK(stele_wal_read(k->wal, id, &buf, &k->err), &k->err);
        check_record(id, stele_buf_view(&buf));
    }
    CHECK_CODE(stele_wal_read(k->wal, last + 1, &buf, &k->err), STELE_ENOTFOUND);
    if (first > 0) {
        CHECK_CODE(stele_wal_read(k->wal, first - 1, &buf, &k->err), STELE_ENOTFOUND);
    }
    stele_buf_free(&buf);
}

/* ---- Iterators. ---- */

stele_wal_iter *kit_iter(struct kit *k, uint64_t start)
{
    stele_wal_iter *it = NULL;

    CHECK_OK(stele_wal_iter_open(&it, k->wal, start, &k->err), &k->err);
    return it;
}

void kit_gives(stele_wal_iter *it, uint64_t id)
{
    stele_wal_record record = {.id = 4711};
    stele_error err;

    CHECK_OK(stele_wal_iter_next(it, &record, &err), &err);
    assert_int_equal(record.id, id);
    check_record(id, record.data);
    record.id = 0;
    CHECK_OK(stele_wal_iter_record(it, &record, &err), &err);
    assert_int_equal(record.id, id);
    check_record(id, record.data);
}

void kit_gives_all(stele_wal_iter *it, uint64_t first, uint64_t last)
{
    stele_wal_record record;
    stele_error err;

    for (uint64_t id = first; id <= last; id++) {
        kit_gives(it, id);
    }
    CHECK_CODE(stele_wal_iter_next(it, &record, &err), STELE_END);
    CHECK_CODE(stele_wal_iter_record(it, &record, &err), STELE_ESTATE);
    CHECK_OK(stele_wal_iter_error(it, &err), &err);
}

void kit_lost(stele_wal_iter *it)
{
    stele_error err;

    CHECK_CODE(stele_wal_iter_next(it, NULL, &err), STELE_ESTATE);
    CHECK_CODE(stele_wal_iter_next(it, NULL, &err), STELE_ESTATE);
    CHECK_CODE(stele_wal_iter_error(it, &err), STELE_ESTATE);
    CHECK_CODE(stele_wal_iter_close(it, &err), STELE_ESTATE);
}

/* ---- Files, and faults. ---- */

struct counting {
    const char *prefix;
    const char *suffix;
    size_t count;
};

static int count_name(void *arg, const char *name)
{
    struct counting *c = arg;
    size_t len = strlen(name);
    size_t tail = strlen(c->suffix);

    if (strncmp(name, c->prefix, strlen(c->prefix)) == 0 && len >= tail &&
            strcmp(name + len - tail, c->suffix) == 0) {
        c->count++;
    }
    return 0;
}

size_t kit_count_files(struct kit *k, const char *prefix, const char *suffix)
{
    const stele_vfs *vfs = k->w != NULL ? k->w->env.vfs : stele_vfs_posix();
    struct counting c = {prefix, suffix, 0};
    stele_dir *dir = NULL;

    assert_int_equal(vfs->ops->open_dir(vfs, k->dir.path, STELE_OPEN_READ, &dir), 0);
    assert_int_equal(dir->ops->list(dir, count_name, &c), 0);
    assert_int_equal(dir->ops->close(dir), 0);
    return c.count;
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
