/* SPDX-License-Identifier: MIT
 *
 * A whole directory of a write-ahead log: opened, read, checked, written, recovered,
 * migrated.
 *
 *     byte 0: options; then up to 8 files, each
 *         1 byte: kind (segment of either format, manifest, leftovers);
 *             bit 6: make it as large as the real one: zeros behind a segment, two slots
 *             for a manifest; bit 7: make the checksums right
 *         1 byte: number, 2 bytes: length, and that many bytes
 *
 * It is on the simulated disk. Whatever the files hold: nothing crashes or
 * hangs or leaks, ids follow each other, iterating and reading by id give the same, a reader
 * and a writer see the same log, what was appended is there when the log is opened again, and
 * a directory that was recovered has no faults, and opens.
 */
#include <stele/stele.h>
#include <stele/wal.h>

#include "base/coding.h"
#include "base/crc32c.h"
#include "fuzz.h"
#include "sim/disk.h"
#include "wal/format.h"
#include "wal/manifest.h"

#include <string.h>

#define DIR_PATH "/w"

enum {
    FILES_MAX = 8,
    FILE_MAX = 8 << 20,
    RECORDS_MAX = 100000,
    ROOM = 1 << 17,
    PAGE = 4096,
    KIND_FULL = 0x40,
    KIND_REPAIR = 0x80
};

/* What a handle gives, from its first record to the end or to an error. */
struct view {
    uint64_t first;
    uint64_t last;
    uint64_t count;
    uint32_t sum;
    stele_code code; /* what ended it: STELE_OK at the end */
};

struct run {
    stele_env env;
    stele_wal_options opts;
    struct sim_disk *disk;
    unsigned flags;
};

/* A call that may well fail on such files: it has to return, that is all. */
static void ignore(stele_code rc)
{
    (void)rc;
}

/* ---- The files. ---- */

static const char *name_file(char *out, size_t size, unsigned kind, unsigned number)
{
    switch (kind % 8) {
    case 0:
    case 1:
        (void)snprintf(out, size, "%020u.wal", number);
        break;
    case 2:
    case 3:
        (void)snprintf(out, size, "wal-%010u.log", number);
        break;
    case 4:
    case 5:
        (void)snprintf(out, size, "wal.manifest");
        break;
    case 6:
        (void)snprintf(
                out, size, number % 2 == 0 ? "wal.manifest.tmp" : "tmp-wal-%010u.log", number);
        break;
    default:
        (void)snprintf(out, size, "quarantine-%020u.wal-%020u", number, number);
        break;
    }
    return out;
}

static void repair_stele(uint8_t *data, size_t len)
{
    size_t at = STI_WAL_HEADER_SIZE;

    if (len >= STI_WAL_HEADER_SIZE) {
        sti_put_le32(data + 28, sti_crc32c(0, data, 28));
    }
    while (at + STI_WAL_FRAME_SIZE <= len) {
        size_t size = STI_WAL_FRAME_SIZE + (sti_get_le32(data + at + 4) & 0x3FFFFFFF);

        if (size > len - at) {
            break;
        }
        sti_put_le32(data + at, sti_crc32c(0, data + at + 4, size - 4));
        at += size;
    }
}

static void repair_blb(uint8_t *data, size_t len)
{
    size_t at = 0;

    while (at + STI_WAL_BLB_OVERHEAD <= len) {
        size_t size = STI_WAL_BLB_OVERHEAD + (size_t)sti_get_le32(data + at + 8);

        if (size > len - at) {
            break;
        }
        sti_put_le32(data + at + size - 4, sti_crc32c(0, data + at, size - 4));
        at += size;
    }
}

static void repair_slot(uint8_t *data, size_t len)
{
    uint64_t end = STI_WAL_MANIFEST_HEAD;

    if (len >= STI_WAL_MANIFEST_HEAD) {
        end += (uint64_t)STI_WAL_MANIFEST_ENTRY * sti_get_le32(data + 24);
        if (end + 4 <= len) {
            sti_put_le32(data + end, sti_crc32c(0, data, (size_t)end));
        }
    }
}

/* Bring the bytes of a file into shape, in place; there is room. Its length. */
static size_t shape(uint8_t *data, size_t len, unsigned kind)
{
    unsigned type = kind % 8;

    if (type < 2) {
        if ((kind & KIND_REPAIR) != 0) {
            repair_stele(data, len);
        }
        return (kind & KIND_FULL) != 0 ? (len + PAGE - 1) / PAGE * PAGE : len;
    }
    if (type < 4) {
        if ((kind & KIND_REPAIR) != 0) {
            repair_blb(data, len);
        }
        return (kind & KIND_FULL) != 0 ? len + PAGE : len;
    }
    if (type < 6) {
        if ((kind & KIND_FULL) != 0 && len <= STI_WAL_MANIFEST_SLOT) {
            memcpy(data + STI_WAL_MANIFEST_SLOT, data, len);
            len = (size_t)2 * STI_WAL_MANIFEST_SLOT;
        }
        if ((kind & KIND_REPAIR) != 0) {
            repair_slot(data, len / 2);
            repair_slot(data + len / 2, len / 2);
        }
    }
    return len;
}

/* The files of the input on a disk. A name that comes twice counts once. */
static struct sim_disk *make_disk(struct fuzz_input *in)
{
    static const struct sim_disk_options options = {
            .file_max = FILE_MAX, .ordered = true, .no_trace = true};
    struct sim_image *image = sim_image_new(512, 1, FILES_MAX);
    uint8_t *data = malloc(ROOM);
    struct sim_disk *disk;
    uint32_t count = 0;

    fuzz_require(data != NULL);
    (void)snprintf(image->dirs[0].path, sizeof image->dirs[0].path, "%s", DIR_PATH);
    while (in->size > 0 && count < FILES_MAX) {
        struct sim_entry *entry = &image->entries[count];
        unsigned kind = fuzz_byte(in);
        unsigned number = fuzz_byte(in);
        size_t want = fuzz_u16(in);
        size_t len = want < in->size ? want : in->size;
        bool twice = false;

        (void)name_file(entry->name, sizeof entry->name, kind, number);
        for (uint32_t i = 0; i < count; i++) {
            twice = twice || strcmp(image->entries[i].name, entry->name) == 0;
        }
        if (!twice) {
            memset(data, 0, ROOM);
            memcpy(data, in->data, len);
            entry->content = sim_content_of_bytes(data, shape(data, len, kind), 512);
            count++;
        }
        in->data += len;
        in->size -= len;
    }
    free(data);
    image->entry_count = count;
    sim_image_seal(image);
    disk = sim_disk_of_image(image, &options);
    sim_image_unref(image);
    return disk;
}

/* ---- Reading all that a handle gives. ---- */

static void read_one(stele_wal *w, const stele_wal_record *record)
{
    stele_buf buf;

    stele_buf_init(&buf, STELE_WAL_RECORD_MAX);
    fuzz_require(stele_wal_read(w, record->id, &buf, NULL) == STELE_OK);
    fuzz_require(buf.len == record->data.len);
    fuzz_require(buf.len == 0 || memcmp(buf.data, record->data.data, buf.len) == 0);
    stele_buf_free(&buf);
}

static void bounds_fit(stele_wal *w, const struct view *v)
{
    uint64_t first = 0;
    uint64_t last = 0;
    bool empty = false;
    stele_buf buf;

    fuzz_require(stele_wal_first_id(w, &first, &empty, NULL) == STELE_OK);
    fuzz_require(empty || v->count == 0 || first == v->first);
    fuzz_require(stele_wal_last_id(w, &last, &empty, NULL) == STELE_OK);
    if (v->code == STELE_OK) {
        fuzz_require(empty == (v->count == 0));
        fuzz_require(empty || last == v->last);
    }
    if (!empty && last != UINT64_MAX) {
        stele_buf_init(&buf, STELE_WAL_RECORD_MAX);
        fuzz_require(stele_wal_read(w, last + 1, &buf, NULL) != STELE_OK);
        stele_buf_free(&buf);
    }
}

static void read_all(stele_wal *w, struct view *v)
{
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    stele_code rc = STELE_OK;
    stele_wal_stats stats;

    *v = (struct view){0};
    fuzz_require(stele_wal_iter_open(&it, w, 0, NULL) == STELE_OK);
    while (v->count < RECORDS_MAX && (rc = stele_wal_iter_next(it, &record, NULL)) == STELE_OK) {
        fuzz_require(v->count == 0 || record.id == v->last + 1);
        v->first = v->count == 0 ? record.id : v->first;
        v->last = record.id;
        v->sum = record.data.len == 0 ? v->sum + 1
                                      : sti_crc32c(v->sum, record.data.data, record.data.len);
        if (v->count % 4 == 0) {
            read_one(w, &record);
        }
        v->count++;
    }
    fuzz_require(rc != STELE_OK);
    v->code = rc == STELE_END ? STELE_OK : rc;
    fuzz_require(stele_wal_iter_close(it, NULL) == v->code);
    bounds_fit(w, v);
    ignore(stele_wal_stat(w, &stats, NULL));
}

static bool view_reader(const struct run *r, struct view *v)
{
    stele_wal_options opts = r->opts;
    stele_wal *w = NULL;

    opts.read_only = true;
    if (stele_wal_open(&w, DIR_PATH, &opts, NULL) != STELE_OK) {
        return false;
    }
    read_all(w, v);
    (void)stele_wal_close(w, NULL);
    return true;
}

static bool same(const struct view *a, const struct view *b)
{
    return a->count == b->count && a->sum == b->sum && a->code == b->code &&
           (a->count == 0 || (a->first == b->first && a->last == b->last));
}

/* ---- Writing. ---- */

static void append_one(stele_wal *w, struct view *v)
{
    const stele_bytes data = stele_str("appended");
    uint64_t id = 0;
    stele_buf buf;

    if (stele_wal_append_next(w, &data, 1, &id, NULL) != STELE_OK) {
        return;
    }
    fuzz_require(v->count == 0 || v->code != STELE_OK || id == v->last + 1);
    stele_buf_init(&buf, 64);
    fuzz_require(stele_wal_read(w, id, &buf, NULL) == STELE_OK);
    fuzz_require(stele_bytes_equal(stele_buf_view(&buf), data));
    stele_buf_free(&buf);
    read_all(w, v);
    fuzz_require(v->code != STELE_OK || v->last == id);
}

static void cut_some(const struct run *r, stele_wal *w, struct view *v)
{
    uint64_t id = v->first + (r->flags >> 4);

    if (v->count == 0 || (r->flags & 12) == 0) {
        return;
    }
    if ((r->flags & 4) != 0) {
        ignore(stele_wal_truncate(w, id, NULL));
    }
    if ((r->flags & 8) != 0) {
        ignore(stele_wal_trim(w, id, NULL));
    }
    read_all(w, v);
}

/* Open as a writer, write, and open again. */
static bool write_some(const struct run *r)
{
    struct view before = {0};
    struct view v = {0};
    struct view after = {0};
    bool readable = view_reader(r, &before);
    stele_wal *w = NULL;

    if (stele_wal_open(&w, DIR_PATH, &r->opts, NULL) != STELE_OK) {
        return false;
    }
    read_all(w, &v);
    fuzz_require(readable);
    fuzz_require(same(&before, &v));
    append_one(w, &v);
    cut_some(r, w, &v);
    append_one(w, &v);
    fuzz_require(stele_wal_close(w, NULL) == STELE_OK);
    fuzz_require(view_reader(r, &after));
    fuzz_require(same(&v, &after));
    w = NULL;
    fuzz_require(stele_wal_open(&w, DIR_PATH, &r->opts, NULL) == STELE_OK);
    read_all(w, &after);
    fuzz_require(same(&v, &after));
    fuzz_require(stele_wal_close(w, NULL) == STELE_OK);
    return true;
}

static void recover(const struct run *r)
{
    stele_wal_options opts = r->opts;
    stele_wal_recovered dry;
    stele_wal_recovered done;
    stele_wal_checked checked;
    struct view v = {0};
    stele_code planned;

    opts.dry_run = true;
    planned = stele_wal_recover_dir(DIR_PATH, &opts, NULL, &dry, NULL);
    opts.dry_run = false;
    if (stele_wal_recover_dir(DIR_PATH, &opts, NULL, &done, NULL) != STELE_OK) {
        return;
    }
    fuzz_require(planned == STELE_OK);
    fuzz_require(dry.records == done.records && dry.cut_bytes == done.cut_bytes);
    fuzz_require(stele_wal_check_dir(DIR_PATH, &opts, NULL, NULL, &checked, NULL) == STELE_OK);
    fuzz_require(checked.faults == 0 && checked.records == done.records);
    fuzz_require(view_reader(r, &v));
    fuzz_require(v.code == STELE_OK && v.count == done.records);
    fuzz_require(write_some(r));
}

static void migrate(const struct run *r)
{
    struct view before = {0};
    struct view after = {0};
    stele_wal_stats stats;

    if (!view_reader(r, &before) ||
            stele_wal_stat_dir(DIR_PATH, &r->opts, &stats, NULL) != STELE_OK ||
            stele_wal_migrate_dir(DIR_PATH, &r->opts,
                    stats.format == STELE_WAL_BLB ? STELE_WAL_STELE : STELE_WAL_BLB, NULL, NULL,
                    NULL) != STELE_OK) {
        return;
    }
    fuzz_require(view_reader(r, &after));
    fuzz_require(same(&before, &after));
    fuzz_require(write_some(r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct run r = {.flags = fuzz_byte(&in)};
    stele_wal_stats stats;

    r.disk = make_disk(&in);
    stele_env_init(&r.env);
    r.env.vfs = sim_disk_vfs(r.disk);
    stele_wal_options_init(&r.opts);
    r.opts.env = &r.env;
    r.opts.must_exist = true;
    r.opts.no_map = (r.flags & 1) != 0;
    r.opts.no_recycle = (r.flags & 2) != 0;
    r.opts.segment_size = PAGE;
    r.opts.no_background = true;
    ignore(stele_wal_stat_dir(DIR_PATH, &r.opts, &stats, NULL));
    ignore(stele_wal_check_dir(DIR_PATH, &r.opts, NULL, NULL, NULL, NULL));
    (void)write_some(&r);
    recover(&r);
    migrate(&r);
    fuzz_require(sim_disk_open_count(r.disk) == 0);
    sim_disk_free(r.disk);
    return 0;
}
