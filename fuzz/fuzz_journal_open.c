/* SPDX-License-Identifier: MIT
 *
 * A whole directory of a journal: looked at, checked, played, merged.
 *
 *     byte 0: bit 0: merge without maps; then up to 8 files, each
 *         1 byte: kind (log, snapshot, another name); bit 6: zeros behind, up to a page;
 *             bit 7: make number, salt and checksums right
 *         1 byte: number, 2 bytes: length, and that many bytes
 *
 * It is on the simulated disk. Whatever the files hold: nothing crashes or hangs or leaks; with
 * and without maps the same is played; a journal without faults plays to its end; the figures
 * agree with what is played; and what was merged plays to the same state.
 */
#include "base/coding.h"
#include "base/crc32c.h"
#include "fuzz.h"
#include "journal/merge.h"
#include "journal/play.h"
#include "journal/snap.h"
#include "sim/disk.h"

#include <string.h>

#define DIR_PATH "/j"

enum {
    FILES_MAX = 8,
    FILE_MAX = 8 << 20,
    ROOM = 1 << 17,
    PAGE = 4096,
    KIND_FULL = 0x40,
    KIND_REPAIR = 0x80
};

static const uint64_t seed[2] = {3, 4};

/* What a play gives. */
struct view {
    stele_code code;
    stele_journal_played played;
    uint32_t ops;   /* checksum over all operations */
    uint32_t state; /* over what they come to */
    uint64_t keys;
};

/* A call that may well fail on such files: it has to return, that is all. */
static void ignore(stele_code rc)
{
    (void)rc;
}

/* ---- The files. ---- */

static void name_file(char *out, size_t size, unsigned kind, unsigned number)
{
    static const char *const prefixes[] = {"", "", "", "", "", "", "quarantine-", "other-"};
    static const char *const suffixes[] = {".log", ".log", ".log", ".snap", ".snap", ".unfinished",
            ".log-00000000000000000032", ""};
    int n = snprintf(out, size, "%s%u%s", prefixes[kind % 8], number, suffixes[kind % 8]);

    fuzz_require(n > 0 && (size_t)n < size);
}

static bool is_snap(unsigned kind)
{
    return kind % 8 == 3 || kind % 8 == 4;
}

static void repair(uint8_t *data, size_t len, unsigned number, bool snap)
{
    size_t at = STI_WAL_HEADER_SIZE;

    if (len < STI_WAL_HEADER_SIZE) {
        return;
    }
    sti_put_le64(data + 16, number);
    if (snap) {
        sti_put_le32(data + 24, STI_JOURNAL_SNAP_SALT);
    }
    sti_put_le32(data + 28, sti_crc32c(0, data, 28));
    while (at + STI_WAL_FRAME_SIZE <= len) {
        size_t size = STI_WAL_FRAME_SIZE + (sti_get_le32(data + at + 4) & 0x3FFFFFFF);

        if (size > len - at) {
            break;
        }
        memcpy(data + at + 16, data + 24, 4);
        sti_put_le32(data + at, sti_crc32c(0, data + at + 4, size - 4));
        at += size;
    }
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
        size_t full = (kind & KIND_FULL) != 0 ? (len + PAGE) / PAGE * PAGE : len;
        bool twice = false;

        name_file(entry->name, sizeof entry->name, kind, number);
        for (uint32_t i = 0; i < count; i++) {
            twice = twice || strcmp(image->entries[i].name, entry->name) == 0;
        }
        if (!twice) {
            memset(data, 0, ROOM);
            memcpy(data, in->data, len);
            if ((kind & KIND_REPAIR) != 0) {
                repair(data, len, number, is_snap(kind));
            }
            entry->content = sim_content_of_bytes(data, full, 512);
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

/* ---- Playing. ---- */

struct reading {
    struct view *view;
    struct sti_journal_merge *merge;
};

static stele_code read_op(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct reading *r = arg;
    struct sti_journal_settings settings = {0};
    size_t size = sti_journal_op_size(op);
    uint8_t *bytes = malloc(size);
    stele_journal_op again;

    fuzz_require(bytes != NULL);
    fuzz_require(sti_journal_op_check(op, err) == STELE_OK);
    fuzz_require(sti_journal_op_encode(bytes, op, NULL) == size);
    fuzz_require(
            sti_journal_op_decode(&again, stele_bytes_of(bytes, size), &settings, err) == STELE_OK);
    r->view->ops = sti_crc32c(r->view->ops, bytes, size);
    fuzz_require(
            sti_journal_merge_add(r->merge, &again, stele_bytes_of(bytes, size), err) == STELE_OK);
    sti_journal_settings_free(&settings);
    free(bytes);
    return STELE_OK;
}

static stele_code sum_state(void *arg, stele_bytes encoded, stele_error *err)
{
    struct view *v = arg;

    (void)err;
    v->state = sti_crc32c(v->state, encoded.data, encoded.len);
    v->keys++;
    return STELE_OK;
}

static void play(struct sti_dir *dir, bool no_map, struct view *v)
{
    struct reading r = {.view = v};
    struct sti_journal_chain chain;

    memset(v, 0, sizeof *v);
    fuzz_require(sti_journal_merge_new(&r.merge, seed, true, NULL) == STELE_OK);
    v->code = sti_journal_chain_load(&chain, dir, STI_CHAIN_VERIFIED, no_map, NULL);
    if (v->code == STELE_OK) {
        v->code = sti_journal_play_chain(&chain, NULL, read_op, &r, &v->played, NULL);
        fuzz_require(v->code == STELE_OK || v->code == STELE_ECORRUPT || v->code == STELE_EVERSION);
        fuzz_require(v->code != STELE_OK || v->played.count >= chain.end.count);
    }
    fuzz_require(sti_journal_merge_settle(r.merge, NULL) == STELE_OK);
    fuzz_require(sti_journal_merge_each(r.merge, sum_state, v, NULL) == STELE_OK);
    sti_journal_chain_free(&chain);
    sti_journal_merge_free(r.merge);
}

/* ---- Merging. ---- */

static void merge(struct sti_dir *dir, bool no_map, const struct view *before)
{
    struct sti_journal_chain chain;
    struct sti_journal_end end;
    struct view after;
    uint64_t number;

    if (sti_journal_chain_load(&chain, dir, STI_CHAIN_SHALLOW, no_map, NULL) != STELE_OK) {
        return;
    }
    number = chain.highest + 1;
    if (sti_journal_snap_merge(dir, &chain, number, seed, &end, NULL) != STELE_OK) {
        sti_journal_chain_free(&chain);
        play(dir, no_map, &after);
        fuzz_require(after.code == before->code && after.ops == before->ops);
        return;
    }
    sti_journal_chain_free(&chain);
    /* What could be merged could be played. */
    fuzz_require(before->code == STELE_OK && before->played.count == end.count);
    play(dir, no_map, &after);
    fuzz_require(after.code == STELE_OK && after.played.count == end.count);
    fuzz_require(after.played.ops == end.ops && after.keys == end.ops && before->keys == end.ops);
    fuzz_require(after.state == before->state && after.ops == after.state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned flags = fuzz_byte(&in);
    struct sim_disk *disk = make_disk(&in);
    stele_journal_options opts;
    stele_journal_stats stats;
    stele_journal_checked checked;
    struct sti_dir dir;
    struct view mapped;
    struct view read;
    stele_env env;
    stele_code rc;

    stele_env_init(&env);
    env.vfs = sim_disk_vfs(disk);
    memset(&opts, 0, sizeof opts);
    opts.struct_size = sizeof opts;
    opts.env = &env;
    fuzz_require(sti_dir_open(&dir, &env, DIR_PATH, STELE_OPEN_READ, NULL) == STELE_OK);
    play(&dir, false, &mapped);
    play(&dir, true, &read);
    fuzz_require(mapped.code == read.code && mapped.ops == read.ops);
    fuzz_require(
            mapped.played.count == read.played.count && mapped.played.torn == read.played.torn);
    rc = stele_journal_check_dir(DIR_PATH, &opts, NULL, NULL, NULL, &checked, NULL);
    fuzz_require(rc != STELE_OK || (mapped.code == STELE_OK && !mapped.played.torn));
    fuzz_require(rc == STELE_OK || rc == STELE_ECORRUPT || rc == STELE_EVERSION);
    rc = stele_journal_stat_dir(DIR_PATH, &opts, &stats, NULL);
    fuzz_require(mapped.code != STELE_OK || (rc == STELE_OK && stats.count == mapped.played.count));
    ignore(rc);
    merge(&dir, (flags & 1) != 0, &mapped);
    sti_dir_close(&dir);
    fuzz_require(sim_disk_open_count(disk) == 0);
    sim_disk_free(disk);
    return 0;
}
