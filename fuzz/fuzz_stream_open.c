/* SPDX-License-Identifier: MIT
 *
 * A whole directory: opened, read, checked, written, recovered.
 *
 *     byte 0: options; then up to 8 files, each
 *         1 byte: kind (log, index, side file, leftovers)
 *         2 bytes: base offset, 2 bytes: length, and that many bytes
 *
 * It is on the simulated disk. Whatever the files hold: nothing crashes or
 * hangs, offsets rise, no offset is given twice (not one that the same handle has
 * read, and never one of our own messages), and a directory that was recovered
 * has no faults. That recovery takes back an offset which damage made up is right.
 */
#include <stele/stele.h>

#include "fuzz.h"
#include "sim/disk.h"

#include <inttypes.h>
#include <string.h>

#define DIR_PATH "/s"

enum {
    FILES_MAX = 8,
    FILE_MAX = 8 << 20,
    READS_MAX = 100000
};

struct run {
    stele_env env;
    stele_stream_options opts;
    int64_t top;       /* the highest offset that the present handle gave */
    int64_t published; /* the highest that a message of ours got */
};

/* A call that may well fail on such files: it has to return, that is all. */
static void ignore(stele_code rc)
{
    (void)rc;
}

static void name_file(char *out, size_t size, unsigned kind, unsigned base)
{
    switch (kind % 8) {
    case 0:
    case 1:
        (void)snprintf(out, size, "%020u.log", base);
        break;
    case 2:
        (void)snprintf(out, size, "%020u.index", base);
        break;
    case 3:
        (void)snprintf(out, size, "%020u.keys", base);
        break;
    case 4:
        (void)snprintf(out, size, "%020u.log.rewrite.00000000", base);
        break;
    case 5:
        (void)snprintf(out, size, "%020u.index.rewrite.00000000", base);
        break;
    case 6:
        (void)snprintf(out, size, "%020u.log.recover", base);
        break;
    default:
        (void)snprintf(out, size, "%020u.log.migrate", base);
        break;
    }
}

/* The files of the input on a disk. A name that comes twice counts once. */
static struct sim_disk *make_disk(struct fuzz_input *in)
{
    static const struct sim_disk_options options = {
            .file_max = FILE_MAX, .ordered = true, .no_trace = true};
    struct sim_image *image = sim_image_new(512, 1, FILES_MAX);
    struct sim_disk *disk;
    uint32_t count = 0;

    (void)snprintf(image->dirs[0].path, sizeof image->dirs[0].path, "%s", DIR_PATH);
    while (in->size > 0 && count < FILES_MAX) {
        struct sim_entry *entry = &image->entries[count];
        unsigned kind = fuzz_byte(in);
        unsigned base = fuzz_u16(in);
        size_t want = fuzz_u16(in);
        size_t len;
        uint8_t *bytes = fuzz_bytes(in, want, &len);
        bool twice = false;

        name_file(entry->name, sizeof entry->name, kind, base);
        for (uint32_t i = 0; i < count; i++) {
            twice = twice || strcmp(image->entries[i].name, entry->name) == 0;
        }
        if (!twice) {
            entry->content = sim_content_of_bytes(bytes, len, 512);
            count++;
        }
        free(bytes);
    }
    image->entry_count = count;
    sim_image_seal(image);
    disk = sim_disk_of_image(image, &options);
    sim_image_unref(image);
    return disk;
}

/* ---- Reading all that a handle gives. ---- */

static void ask(struct run *r, stele_stream *s, const stele_message *m, stele_messages *ms)
{
    int64_t next;
    int64_t offset;

    if (stele_stream_get_by_key(s, m->key, ms, NULL) == STELE_OK) {
        const stele_message *got = stele_messages_at(ms, 0);

        fuzz_require(stele_bytes_equal(got->key, m->key) && got->offset >= m->offset);
    }
    ignore(stele_stream_consume_by_key(s, m->key, m->offset, 3, ms, &next, NULL));
    ignore(stele_stream_offset_by_time(s, m->time, &offset, NULL, NULL));
    if (stele_stream_get(s, m->offset, ms, NULL) == STELE_OK) {
        fuzz_require(stele_messages_at(ms, 0)->offset == m->offset);
    }
    r->top = m->offset > r->top ? m->offset : r->top;
}

static void read_all(struct run *r, stele_stream *s)
{
    int64_t offset = STELE_OFFSET_OLDEST;
    int64_t last = -1;
    int64_t next = 0;
    stele_messages *ms = NULL;
    stele_messages *one = NULL;
    stele_stream_stats stats;

    fuzz_require(stele_messages_new(&ms, NULL) == STELE_OK);
    fuzz_require(stele_messages_new(&one, NULL) == STELE_OK);
    fuzz_require(stele_stream_next_offset(s, &next, NULL) == STELE_OK);
    for (int reads = 0; reads < READS_MAX; reads++) {
        int64_t from = offset;
        size_t count;

        if (stele_stream_consume(s, from, 7, ms, &offset, NULL) != STELE_OK) {
            break;
        }
        count = stele_messages_count(ms);
        for (size_t i = 0; i < count; i++) {
            const stele_message *m = stele_messages_at(ms, i);

            fuzz_require(m->offset > last && m->offset >= from && m->offset < next);
            last = m->offset;
            if (i % 4 == 0) {
                ask(r, s, m, one);
            }
        }
        fuzz_require(count == 0 || offset == last + 1);
        if (count == 0 && offset >= next) {
            break;
        }
        fuzz_require(offset > from);
    }
    r->top = last > r->top ? last : r->top;
    ignore(stele_stream_stat(s, &stats, NULL));
    stele_messages_free(ms);
    stele_messages_free(one);
}

static void read_with(struct run *r, bool live)
{
    stele_stream_options opts = r->opts;
    stele_stream *s = NULL;

    opts.live = live;
    opts.read_only = !live;
    opts.recover = opts.check = false;
    r->top = -1;
    if (stele_stream_open(&s, DIR_PATH, &opts, NULL) == STELE_OK) {
        read_all(r, s);
        (void)stele_stream_close(s, NULL);
    }
}

/* ---- Writing. ---- */

static void write_some(struct run *r)
{
    const stele_message m = {
            .time = 1700000000000000, .key = stele_str("key"), .value = stele_str("value")};
    stele_messages *ms = NULL;
    stele_stream *s = NULL;
    int64_t next = 0;

    if (stele_stream_open(&s, DIR_PATH, &r->opts, NULL) != STELE_OK) {
        return;
    }
    r->top = -1;
    read_all(r, s);
    fuzz_require(stele_messages_new(&ms, NULL) == STELE_OK);
    if (stele_stream_publish(s, &m, 1, &next, NULL) == STELE_OK) {
        fuzz_require(next - 1 > r->top && next - 1 > r->published);
        r->published = next - 1;
        fuzz_require(stele_stream_get(s, next - 1, ms, NULL) == STELE_OK);
        fuzz_require(stele_bytes_equal(stele_messages_at(ms, 0)->value, m.value));
    }
    stele_messages_free(ms);
    ignore(stele_stream_trim_by_count_multi(s, 2, NULL, NULL, NULL, NULL));
    read_all(r, s);
    (void)stele_stream_close(s, NULL);
}

static void recover(struct run *r)
{
    stele_stream_checked checked;
    stele_stream_options opts = r->opts;

    opts.recover = opts.check = false;
    ignore(stele_stream_check_dir(DIR_PATH, &opts, false, NULL, NULL, NULL, NULL));
    if (stele_stream_recover_dir(DIR_PATH, &opts, NULL, NULL, NULL) == STELE_OK) {
        fuzz_require(stele_stream_check_dir(DIR_PATH, &opts, false, NULL, NULL, &checked, NULL) ==
                     STELE_OK);
        fuzz_require(checked.faults == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned flags = fuzz_byte(&in);
    struct sim_disk *disk = make_disk(&in);
    struct run r = {.top = -1, .published = -1};

    stele_env_init(&r.env);
    r.env.vfs = sim_disk_vfs(disk);
    stele_stream_options_init(&r.opts);
    r.opts.env = &r.env;
    r.opts.key_index = (flags & 1) != 0;
    r.opts.time_index = (flags & 2) != 0;
    r.opts.index_auto = (flags & 4) != 0;
    r.opts.recover = (flags & 8) != 0;
    r.opts.check = (flags & 16) != 0;
    r.opts.no_map = (flags & 32) != 0;
    r.opts.eager_migrate = (flags & 64) != 0;
    r.opts.new_segments = (flags & 128) != 0 ? STELE_STREAM_V1 : STELE_STREAM_V2;
    r.opts.no_background = true;
    r.opts.rollover = 4096;
    read_with(&r, false);
    read_with(&r, true);
    write_some(&r);
    recover(&r);
    write_some(&r);
    read_with(&r, false);
    sim_disk_free(disk);
    return 0;
}
