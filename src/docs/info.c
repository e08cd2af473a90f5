/* SPDX-License-Identifier: MIT
 *
 * info.c: the bytes of an info, and how claims come about.
 */
#include "docs/info.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"

enum {
    FLAG_DELETED = 1,
    FLAG_CLAIMS = 2,
    KEY_LEN_SIZE = 2,
    CLAIM_SIZE_MIN = KEY_LEN_SIZE + STI_DOCS_VERSION_SIZE
};

void sti_docs_info_free(struct sti_docs_info *info)
{
    sti_free(info->claims);
    *info = (struct sti_docs_info){.claims = NULL};
}

/* The next claim, which `at` is moved beyond. */
static stele_code decode_claim(
        struct sti_docs_claim *out, stele_bytes bytes, size_t *at, stele_error *err)
{
    const uint8_t *in = bytes.data + *at;
    size_t rest = bytes.len - *at;
    size_t key_len;

    if (rest < CLAIM_SIZE_MIN) {
        return sti_fail(err, STELE_ECORRUPT, "a short claim to a key, %zu bytes", rest);
    }
    key_len = (size_t)in[0] << 8 | in[1];
    if (key_len > rest - CLAIM_SIZE_MIN) {
        return sti_fail(err, STELE_ECORRUPT, "a short claim to a key of %zu bytes, %zu bytes",
                key_len, rest);
    }
    out->key = stele_bytes_of(in + KEY_LEN_SIZE, key_len);
    *at += CLAIM_SIZE_MIN + key_len;
    return sti_docs_version_get(&out->version, in + KEY_LEN_SIZE + key_len, err);
}

static stele_code decode_claims(
        struct sti_docs_info *info, stele_bytes bytes, size_t at, stele_error *err)
{
    while (at < bytes.len) {
        struct sti_docs_claim *claim = &info->claims[info->claim_count];
        stele_code rc = decode_claim(claim, bytes, &at, err);

        if (rc != STELE_OK) {
            return rc;
        }
        if (info->claim_count > 0 && stele_bytes_compare(claim[-1].key, claim->key) >= 0) {
            return sti_fail(err, STELE_ECORRUPT, "claims to keys that do not ascend");
        }
        if (sti_docs_version_compare(claim->version, info->version) > 0) {
            return sti_fail(err, STELE_ECORRUPT, "a claim to a key from after the document");
        }
        info->claim_count++;
    }
    return STELE_OK;
}

stele_code sti_docs_info_decode(struct sti_docs_info *out, stele_bytes bytes, stele_error *err)
{
    struct sti_docs_info info = {.claims = NULL};
    size_t at = STI_DOCS_VERSION_SIZE + 1;
    size_t count_max = bytes.len / CLAIM_SIZE_MIN;
    unsigned flags;
    stele_code rc;

    if (bytes.len < STI_DOCS_VERSION_SIZE) {
        return sti_fail(err, STELE_ECORRUPT, "a short info of a document, %zu bytes", bytes.len);
    }
    rc = sti_docs_version_get(&info.version, bytes.data, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (bytes.len == STI_DOCS_VERSION_SIZE) {
        *out = info;
        return STELE_OK;
    }
    flags = bytes.data[STI_DOCS_VERSION_SIZE];
    if ((flags != FLAG_DELETED && flags != FLAG_CLAIMS) ||
            (flags == FLAG_CLAIMS) != (bytes.len > at)) {
        return sti_fail(
                err, STELE_ECORRUPT, "an info of %zu bytes with flags 0x%02x", bytes.len, flags);
    }
    info.deleted = flags == FLAG_DELETED;
    if (flags == FLAG_CLAIMS) {
        info.claims = sti_calloc(count_max, sizeof *info.claims);
        if (info.claims == NULL) {
            return sti_fail_memory(err, bytes.len);
        }
        rc = decode_claims(&info, bytes, at, err);
    }
    if (rc != STELE_OK) {
        sti_docs_info_free(&info);
        return rc;
    }
    *out = info;
    return STELE_OK;
}

static stele_code encode_claim(const struct sti_docs_claim *claim, stele_buf *out, stele_error *err)
{
    uint8_t len[KEY_LEN_SIZE] = {(uint8_t)(claim->key.len >> 8), (uint8_t)claim->key.len};
    uint8_t version[STI_DOCS_VERSION_SIZE];
    stele_code rc;

    sti_assert(claim->key.len <= STI_DOCS_CLAIM_KEY_MAX);
    sti_docs_version_put(version, claim->version);
    rc = stele_buf_append(out, stele_bytes_of(len, sizeof len), err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, claim->key, err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, stele_bytes_of(version, sizeof version), err);
    }
    return rc;
}

stele_code sti_docs_info_encode(const struct sti_docs_info *info, stele_buf *out, stele_error *err)
{
    uint8_t head[STI_DOCS_VERSION_SIZE + 1];
    bool plain = !info->deleted && info->claim_count == 0;
    size_t len = out->len;
    stele_code rc;

    sti_assert(!info->deleted || info->claim_count == 0);
    sti_docs_version_put(head, info->version);
    head[STI_DOCS_VERSION_SIZE] = info->deleted ? FLAG_DELETED : FLAG_CLAIMS;
    rc = stele_buf_append(
            out, stele_bytes_of(head, plain ? STI_DOCS_VERSION_SIZE : sizeof head), err);
    for (size_t i = 0; i < info->claim_count && rc == STELE_OK; i++) {
        rc = encode_claim(&info->claims[i], out, err);
    }
    if (rc != STELE_OK) {
        out->len = len;
    }
    return rc;
}

/* The claim to a key, looked for from *at on; *at is moved to where the next key may be. */
static const struct sti_docs_claim *find_claim(
        const struct sti_docs_info *info, stele_bytes key, size_t *at)
{
    while (*at < info->claim_count) {
        int order = stele_bytes_compare(info->claims[*at].key, key);

        if (order >= 0) {
            return order == 0 ? &info->claims[*at] : NULL;
        }
        ++*at;
    }
    return NULL;
}

static stele_code check_keys(struct sti_docs_keys keys, stele_error *err)
{
    for (size_t i = 0; i < keys.count; i++) {
        if (keys.list[i].len > STI_DOCS_CLAIM_KEY_MAX) {
            return sti_fail(err, STELE_ETOOBIG, "a unique key of %zu bytes, of at most %d",
                    keys.list[i].len, STI_DOCS_CLAIM_KEY_MAX);
        }
        sti_assert(i == 0 || stele_bytes_compare(keys.list[i - 1], keys.list[i]) < 0);
    }
    return STELE_OK;
}

stele_code sti_docs_info_after(struct sti_docs_info *out, const struct sti_docs_info *old,
        struct sti_docs_version version, bool is_delete, struct sti_docs_keys keys,
        stele_error *err)
{
    struct sti_docs_info info = {
            .version = version, .deleted = is_delete && !STI_MUTANT(DOCS_TOMBSTONE_LIVES)};
    size_t at = 0;
    stele_code rc = check_keys(keys, err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_assert(!is_delete || keys.count == 0);
    sti_assert(old == NULL || sti_docs_version_compare(old->version, version) <= 0);
    if (keys.count > 0) {
        info.claims = sti_calloc(keys.count, sizeof *info.claims);
        if (info.claims == NULL) {
            return sti_fail_memory(err, keys.count * sizeof *info.claims);
        }
    }
    for (; info.claim_count < keys.count; info.claim_count++) {
        stele_bytes key = keys.list[info.claim_count];
        const struct sti_docs_claim *held = old == NULL ? NULL : find_claim(old, key, &at);

        info.claims[info.claim_count] = (struct sti_docs_claim){.key = key,
                .version = held == NULL || STI_MUTANT(DOCS_CLAIM_IS_NEW) ? version : held->version};
    }
    *out = info;
    return STELE_OK;
}

static bool holds(struct sti_docs_keys keys, stele_bytes key, size_t *at)
{
    while (*at < keys.count) {
        int order = stele_bytes_compare(keys.list[*at], key);

        if (order >= 0) {
            return order == 0;
        }
        ++*at;
    }
    return false;
}

void sti_docs_info_late(struct sti_docs_info *info, struct sti_docs_version version,
        struct sti_docs_version next, struct sti_docs_keys keys)
{
    size_t at = 0;

    sti_assert(sti_docs_version_compare(version, next) < 0);
    sti_assert(sti_docs_version_compare(next, info->version) <= 0);
    for (size_t i = 0; i < info->claim_count; i++) {
        struct sti_docs_claim *claim = &info->claims[i];
        bool in_run = sti_docs_version_compare(claim->version, version) < 0;
        bool held = holds(keys, claim->key, &at);

        if (in_run && !held) {
            claim->version = next; /* It breaks the run, which begins after it now. */
        } else if (!in_run && held && sti_docs_version_compare(claim->version, next) == 0) {
            claim->version = version; /* The run begins with it now. */
        }
    }
}
