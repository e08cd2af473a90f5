/* SPDX-License-Identifier: MIT
 *
 * What a store believes of LMDB's bytes before a checksum has been compared.
 *
 *     byte 0: which
 *     0: a data file: 2 bytes: its length in units of 256 bytes; then pieces, each
 *         2 bytes: position in units of 8 bytes, 2 bytes: length, and that many bytes
 *     1: an envelope: 1 byte: length of the key, key, value
 *     2: a key of LMDB
 *
 * The walk over the pages of any file ends, within the file, and counts no page twice. An envelope
 * that opens is the one that is made of what was in it; a key that is taken apart is the one that
 * is made of its parts.
 */
#include "fuzz.h"
#include "sim/disk.h"
#include "store/keys.h"
#include "store/pages.h"
#include "store/value.h"

#include <string.h>

#define DIR_PATH "/s"

static void count(void *arg, int64_t position, const char *text)
{
    uint64_t *faults = arg;

    fuzz_require(position >= -1 && text[0] != '\0');
    ++*faults;
}

static void walk(struct sti_dir *dir, uint64_t txn_id)
{
    struct sti_pages_found found = {0};
    uint64_t faults = 0;
    stele_error err;
    stele_code code = sti_pages_check(dir, txn_id, count, &faults, &found, &err);

    fuzz_require(code == STELE_OK || code == STELE_EBUSY);
    if (code == STELE_OK) {
        fuzz_require(faults == found.faults);
        fuzz_require(faults > 0 || found.used + found.free + 2 == found.pages);
    }
}

static void pages(struct fuzz_input *in)
{
    const struct sim_disk_options options = {.no_trace = true};
    struct sim_disk *disk = sim_disk_new(&options);
    size_t size = (size_t)fuzz_u16(in) * 256;
    uint8_t *bytes = calloc(1, size + 1);
    struct sti_dir dir = {.raw = NULL};
    struct sti_file file = {.raw = NULL};
    uint64_t txn_id = 0;
    stele_env env;

    fuzz_require(disk != NULL && bytes != NULL);
    while (in->size > 4) {
        size_t at = (size_t)fuzz_u16(in) * 8;
        size_t len = fuzz_u16(in);
        size_t got;
        uint8_t *piece = fuzz_bytes(in, len, &got);

        if (at < size) {
            memcpy(bytes + at, piece, got < size - at ? got : size - at);
        }
        free(piece);
    }
    stele_env_init(&env);
    env.vfs = sim_disk_vfs(disk);
    fuzz_require(sti_dir_open(&dir, &env, DIR_PATH, STELE_OPEN_CREATE, NULL) == STELE_OK);
    fuzz_require(sti_file_open(&file, &dir, "data.mdb", STELE_OPEN_WRITE | STELE_OPEN_CREATE,
                         NULL) == STELE_OK);
    fuzz_require(size == 0 || sti_file_write(&file, 0, bytes, size, NULL) == STELE_OK);
    sti_file_close(&file);
    if (sti_pages_newest(&dir, &txn_id, NULL) == STELE_OK) {
        walk(&dir, txn_id);
    }
    walk(&dir, 3);
    walk(&dir, 4);
    sti_dir_close(&dir);
    sim_disk_free(disk);
    free(bytes);
}

static void envelope(struct fuzz_input *in)
{
    size_t key_len;
    size_t len;
    uint8_t *key = fuzz_bytes(in, fuzz_byte(in), &key_len);
    uint8_t *stored = fuzz_bytes(in, in->size, &len);
    stele_bytes k = stele_bytes_of(key, key_len);
    struct sti_value_mark mark;
    stele_bytes value;
    uint8_t head[STI_VALUE_HEAD];

    fuzz_require((sti_value_mark(&mark, stele_bytes_of(stored, len), NULL) == STELE_OK) ==
                 (len >= STI_VALUE_HEAD));
    if (len >= STI_VALUE_HEAD && (len & 1) != 0) {
        /* An odd length: make it right first. */
        sti_value_head(stored,
                sti_value_crc(7, k, stele_bytes_of(stored + STI_VALUE_HEAD, len - STI_VALUE_HEAD)));
        fuzz_require(sti_value_open(&value, 7, k, stele_bytes_of(stored, len), NULL) == STELE_OK);
    }
    if (sti_value_open(&value, 7, k, stele_bytes_of(stored, len), NULL) == STELE_OK) {
        fuzz_require(value.data == stored + STI_VALUE_HEAD && value.len == len - STI_VALUE_HEAD);
        sti_value_head(head, sti_value_crc(7, k, value));
        fuzz_require(memcmp(head, stored, sizeof head) == 0);
    }
    free(key);
    free(stored);
}

static void key(struct fuzz_input *in)
{
    size_t len;
    uint8_t *bytes = fuzz_bytes(in, in->size, &len);
    struct sti_key_parts parts;
    struct sti_key again;

    if (sti_key_parse(stele_bytes_of(bytes, len), &parts)) {
        if (parts.is_link) {
            sti_key_link(&again, parts.bucket, parts.layer, parts.chunk);
        } else {
            sti_key_value(&again, parts.bucket, parts.layer, parts.chunk);
        }
        fuzz_require(again.len == len && memcmp(again.bytes, bytes, len) == 0);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    switch (fuzz_byte(&in) % 3) {
    case 0:
        pages(&in);
        break;
    case 1:
        envelope(&in);
        break;
    default:
        key(&in);
        break;
    }
    return 0;
}
