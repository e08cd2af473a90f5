/* SPDX-License-Identifier: MIT
 *
 * A bbolt file of any bytes: read, written anew, and read again.
 *
 *     byte 0: bit 0: make the checksums of both metas right, the second being at the size of a page
 *         that the first one says; bit 1: write pages of 512 bytes, else of 4,096. The rest is the
 *         file
 *
 * Whatever is in it: nothing crashes or hangs or leaks, and what the reader gives is in order and
 * within the limits, so that a writer takes it, and the new file holds the same.
 */
#include "base/coding.h"
#include "base/fnv.h"
#include "fuzz.h"
#include "sim/disk.h"
#include "store/bbolt_format.h"
#include "store/bbolt_read.h"
#include "store/bbolt_write.h"

enum {
    FILE_MAX = 8 << 20,
    REPAIR = 1,
    META_SUMMED = 56
};

/* What a reader gave, in one number: counts, names, keys and values. */
struct content {
    uint64_t hash;
    uint64_t buckets;
    uint64_t entries;
};

static void add(struct content *c, stele_bytes bytes)
{
    c->hash = (c->hash ^ sti_fnv1a64(bytes.data, bytes.len)) * 0x9E3779B97F4A7C15U + bytes.len;
}

/* The hashes read each byte, so a sanitizer sees those that are not there. */
static stele_code copy_bucket(
        struct sti_bbolt_reader *r, struct sti_bbolt_writer *w, struct content *c, stele_error *err)
{
    stele_bytes key;
    stele_bytes value;
    stele_code rc;

    while ((rc = sti_bbolt_next_entry(r, &key, &value, err)) == STELE_OK) {
        add(c, key);
        add(c, value);
        c->entries++;
        if (w != NULL) {
            fuzz_require(sti_bbolt_put(w, key, value, err) == STELE_OK);
        }
    }
    return rc;
}

/* Read all, and write it to `w`, which may be NULL. */
static stele_code copy(
        struct sti_bbolt_reader *r, struct sti_bbolt_writer *w, struct content *c, stele_error *err)
{
    stele_bytes name;
    stele_code rc;

    while ((rc = sti_bbolt_next_bucket(r, &name, err)) == STELE_OK) {
        add(c, name);
        c->buckets++;
        if (w != NULL) {
            fuzz_require(sti_bbolt_put_bucket(w, name, err) == STELE_OK);
        }
        rc = copy_bucket(r, w, c, err);
        if (rc != STELE_END) {
            break;
        }
    }
    if (rc == STELE_END) {
        rc = sti_bbolt_check_unused(r, err);
    } else {
        fuzz_require(sti_bbolt_next_bucket(r, &name, NULL) == rc);
    }
    return rc;
}

static void read_again(struct sti_dir *dir, const struct content *before)
{
    struct sti_bbolt_reader *r = NULL;
    struct content after = {0};
    stele_error err;

    fuzz_require(sti_bbolt_open(&r, dir, "new", &err) == STELE_OK);
    fuzz_require(!sti_bbolt_info(r).one_meta && sti_bbolt_info(r).hashed);
    fuzz_require(copy(r, NULL, &after, &err) == STELE_OK);
    fuzz_require(after.hash == before->hash);
    fuzz_require(after.buckets == before->buckets && after.entries == before->entries);
    sti_bbolt_close(r);
}

static void read_old(struct sti_dir *dir, unsigned page_size)
{
    struct sti_bbolt_reader *r = NULL;
    struct sti_bbolt_writer *w = NULL;
    struct sti_file file = {0};
    struct content before = {0};
    stele_error err = {.message = ""};
    stele_code rc = sti_bbolt_open(&r, dir, "old", &err);

    if (rc != STELE_OK) {
        fuzz_require(rc == STELE_ECORRUPT || rc == STELE_EVERSION);
        return;
    }
    fuzz_require(sti_file_open(&file, dir, "new", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &err) ==
                 STELE_OK);
    fuzz_require(sti_bbolt_begin(&w, &file, page_size, &err) == STELE_OK);
    rc = copy(r, w, &before, &err);
    if (rc == STELE_OK) {
        fuzz_require(sti_bbolt_end(w, true, &err) == STELE_OK);
    } else {
        fuzz_require(rc == STELE_ECORRUPT || rc == STELE_ENOTSUP);
        fuzz_require(err.message[0] != '\0' && err.position >= 0);
    }
    sti_bbolt_writer_free(w);
    sti_file_close(&file);
    sti_bbolt_close(r);
    if (rc == STELE_OK) {
        read_again(dir, &before);
    }
}

static void sign(uint8_t *bytes, size_t len, uint64_t at)
{
    if (at + STI_BBOLT_HEAD + STI_BBOLT_META <= len) {
        uint8_t *meta = bytes + at + STI_BBOLT_HEAD;

        sti_put_le64(meta + META_SUMMED, sti_fnv1a64(meta, META_SUMMED));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sim_disk_options options = {.file_max = FILE_MAX, .no_trace = true};
    struct fuzz_input in = {data, size};
    unsigned what = fuzz_byte(&in);
    struct sim_disk *disk = sim_disk_new(&options);
    struct sti_dir dir = {0};
    struct sti_file file = {0};
    stele_env env;
    stele_error err;
    size_t len;
    uint8_t *bytes = fuzz_bytes(&in, FILE_MAX / 4, &len);

    if ((what & REPAIR) != 0 && len >= STI_BBOLT_HEAD + STI_BBOLT_META) {
        sign(bytes, len, 0);
        sign(bytes, len, sti_get_le32(bytes + STI_BBOLT_HEAD + 8));
    }
    stele_env_init(&env);
    env.vfs = sim_disk_vfs(disk);
    fuzz_require(sti_dir_open(&dir, &env, "/d", STELE_OPEN_CREATE, &err) == STELE_OK);
    fuzz_require(sti_file_open(&file, &dir, "old", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &err) ==
                 STELE_OK);
    fuzz_require(sti_file_write(&file, 0, bytes, len, &err) == STELE_OK);
    sti_file_close(&file);
    read_old(&dir, (what & 2) != 0 ? STI_BBOLT_PAGE_MIN : STI_BBOLT_PAGE_DEFAULT);
    sti_dir_close(&dir);
    fuzz_require(sim_disk_open_count(disk) == 0);
    sim_disk_free(disk);
    free(bytes);
    return 0;
}
