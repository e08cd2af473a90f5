/* SPDX-License-Identifier: MIT
 *
 * Packets of reconciliation, from a peer that says what it likes, against a log of some entries.
 *
 *     the whole input is a packet: 0x11 is answered, 0x91 is gone on with
 *
 * What comes out is within its bound, and is itself a packet.
 */
#include "base/coding.h"
#include "fleet/recon.h"
#include "fuzz.h"

enum {
    ENTRIES = 200, /* every one a second after the one before */
    KEY_SIZE = STI_DOCS_VERSION_SIZE + 1,
    BUF_LIMIT = 1 << 24
};

static void key_of(size_t i, uint8_t key[KEY_SIZE])
{
    sti_docs_version_put(key, (struct sti_docs_version){.seconds = (int64_t)i, .server = 1});
    key[KEY_SIZE - 1] = 'k';
}

static void hash_of(size_t i, uint8_t hash[STI_DOCS_HASH_SIZE])
{
    for (size_t j = 0; j < STI_DOCS_HASH_SIZE; j++) {
        hash[j] = (uint8_t)(i * 31 + j * 7);
    }
}

static size_t place(stele_bytes bound)
{
    uint8_t key[KEY_SIZE];
    size_t i = 0;

    while (i < ENTRIES) {
        key_of(i, key);
        if (!stele_is_nil(bound) &&
                stele_bytes_compare(stele_bytes_of(key, sizeof key), bound) >= 0) {
            break;
        }
        i++;
    }
    return i;
}

static stele_code sum(void *arg, stele_bytes low, stele_bytes high, struct sti_docs_aggregate *out,
        stele_error *err)
{
    size_t to = place(high);

    (void)arg;
    (void)err;
    *out = (struct sti_docs_aggregate){.count = 0};
    for (size_t i = place(low); i < to; i++) {
        uint8_t hash[STI_DOCS_HASH_SIZE];

        hash_of(i, hash);
        sti_docs_aggregate_add_hash(out, hash);
    }
    return STELE_OK;
}

static stele_code keys(void *arg, stele_bytes low, stele_bytes high, sti_fleet_key_fn each,
        void *each_arg, stele_error *err)
{
    size_t to = place(high);
    stele_code rc = STELE_OK;

    (void)arg;
    for (size_t i = place(low); rc == STELE_OK && i < to; i++) {
        uint8_t hash[STI_DOCS_HASH_SIZE];
        uint8_t key[KEY_SIZE];

        key_of(i, key);
        hash_of(i, hash);
        rc = each(each_arg, stele_bytes_of(key, sizeof key), hash, err);
    }
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code cuts(void *arg, stele_bytes low, stele_bytes high, size_t parts,
        sti_fleet_cut_fn each, void *each_arg, stele_error *err)
{
    size_t from = place(low);
    size_t count = place(high) - from;
    stele_code rc = STELE_OK;

    (void)arg;
    fuzz_require(count >= parts);
    for (size_t i = 1; rc == STELE_OK && i < parts; i++) {
        uint8_t before[KEY_SIZE];
        uint8_t at[KEY_SIZE];

        key_of(from + count * i / parts - 1, before);
        key_of(from + count * i / parts, at);
        rc = each(each_arg, stele_bytes_of(before, sizeof before), stele_bytes_of(at, sizeof at),
                err);
    }
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code found(void *arg, enum sti_fleet_side lacks,
        const struct sti_fleet_fetch_item *item, stele_error *err)
{
    (void)arg;
    (void)lacks;
    (void)err;
    fuzz_require(sti_fleet_bound_compare(&item->low, &item->high) < 0);
    fuzz_require(item->ids.len % STI_FLEET_SHORT_SIZE == 0);
    return STELE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sti_fleet_set_ops ops = {.sum = sum, .keys = keys, .cuts = cuts};
    const struct sti_fleet_set set = {.ops = &ops};
    struct fuzz_input in = {data, size};
    struct sti_fleet_recon_head head;
    size_t len;
    uint8_t *copy = fuzz_bytes(&in, in.size, &len);
    stele_bytes bytes = stele_bytes_of(copy, len);
    stele_buf out;

    stele_buf_init(&out, BUF_LIMIT);
    if (sti_fleet_recon_head_decode(&head, bytes, NULL) == STELE_OK) {
        stele_code rc = sti_fleet_recon_answer(
                &set, (struct sti_docs_version){.seconds = 5}, bytes, &out, NULL);

        fuzz_require(rc == STELE_OK || rc == STELE_ECORRUPT);
        fuzz_require(rc != STELE_OK ||
                     sti_fleet_recon_head_decode(&head, stele_buf_view(&out), NULL) == STELE_OK);
        fuzz_require(out.len <= STI_FLEET_RECON_FLUSH + 64 * 1024);
        stele_buf_clear(&out);
        fuzz_require(sti_fleet_recon_head_decode(&head, bytes, NULL) == STELE_OK);
        rc = sti_fleet_recon_go_on(&set, &head, bytes, found, NULL, &out, NULL);
        fuzz_require(rc == STELE_OK || rc == STELE_ECORRUPT);
        fuzz_require(out.len <= STI_FLEET_RECON_FLUSH + 64 * 1024);
    }
    stele_buf_free(&out);
    free(copy);
    return 0;
}
