/* SPDX-License-Identifier: MIT
 *
 * What is kept of documents one by one: entries of the log, keys of it, infos, versions as text.
 *
 *     byte 0: which
 *
 * What decodes is inside the input, and encodes to the same bytes.
 */
#include "base/sha256.h"
#include "docs/entry.h"
#include "docs/info.h"
#include "fuzz.h"

enum {
    BUF_LIMIT = 1 << 24
};

static bool is_within(stele_bytes part, stele_bytes whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static bool is_same(const stele_buf *buf, stele_bytes bytes)
{
    return buf->len == bytes.len && memcmp(buf->data, bytes.data, bytes.len) == 0;
}

static void entry(stele_bytes bytes, stele_buf *buf)
{
    struct sti_docs_entry e;
    uint8_t hash[2][STI_DOCS_HASH_SIZE];
    stele_error err;

    if (sti_docs_entry_decode(&e, bytes, &err) != STELE_OK) {
        return;
    }
    fuzz_require(e.id.len >= 1 && e.id.len <= STI_DOCS_ID_MAX);
    fuzz_require(is_within(e.id, bytes) && is_within(e.json, bytes));
    fuzz_require(e.is_delete == (e.json.len == 0));
    fuzz_require(sti_docs_entry_encode(&e, buf, &err) == STELE_OK);
    fuzz_require(is_same(buf, bytes));
    fuzz_require(sti_docs_entry_hash(&e, hash[0], &err) == STELE_OK);
    fuzz_require(sti_sha256(&bytes, 1, hash[1], &err) == STELE_OK);
    fuzz_require(memcmp(hash[0], hash[1], sizeof hash[0]) == 0);
}

static void log_key(stele_bytes bytes, stele_buf *buf)
{
    struct sti_docs_version version;
    stele_bytes id;
    stele_error err;

    if (sti_docs_log_key_decode(&version, &id, bytes, &err) == STELE_OK) {
        fuzz_require(is_within(id, bytes));
        fuzz_require(sti_docs_log_key_encode(version, id, buf, &err) == STELE_OK);
        fuzz_require(is_same(buf, bytes));
    }
}

static void info(stele_bytes bytes, stele_buf *buf)
{
    struct sti_docs_info i;
    stele_error err;

    if (sti_docs_info_decode(&i, bytes, &err) != STELE_OK) {
        return;
    }
    for (size_t n = 0; n < i.claim_count; n++) {
        fuzz_require(is_within(i.claims[n].key, bytes));
        fuzz_require(sti_docs_version_compare(i.claims[n].version, i.version) <= 0);
        fuzz_require(n == 0 || stele_bytes_compare(i.claims[n - 1].key, i.claims[n].key) < 0);
    }
    fuzz_require(sti_docs_info_encode(&i, buf, &err) == STELE_OK);
    fuzz_require(is_same(buf, bytes));
    sti_docs_info_free(&i);
}

/* Each text of a version, and the text of any bytes that are a version. */
static void text(stele_bytes bytes)
{
    char again[STI_DOCS_VERSION_TEXT_SIZE];
    struct sti_docs_version v;
    struct sti_docs_version w;
    stele_error err;

    if (sti_docs_version_parse(&v, bytes, &err) == STELE_OK) {
        fuzz_require(sti_docs_version_is_valid(v));
        sti_docs_version_print(again, v);
        fuzz_require(strlen(again) == bytes.len && memcmp(again, bytes.data, bytes.len) == 0);
    }
    if (bytes.len >= STI_DOCS_VERSION_SIZE &&
            sti_docs_version_get(&v, bytes.data, &err) == STELE_OK) {
        sti_docs_version_print(again, v);
        fuzz_require(sti_docs_version_parse(&w, stele_str(again), &err) == STELE_OK);
        fuzz_require(sti_docs_version_compare(v, w) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned what = fuzz_byte(&in);
    size_t len;
    uint8_t *copy = fuzz_bytes(&in, in.size, &len);
    stele_bytes bytes = stele_bytes_of(copy, len);
    stele_buf buf;

    stele_buf_init(&buf, BUF_LIMIT);
    switch (what % 4) {
    case 0:
        entry(bytes, &buf);
        break;
    case 1:
        log_key(bytes, &buf);
        break;
    case 2:
        info(bytes, &buf);
        break;
    default:
        text(bytes);
        break;
    }
    stele_buf_free(&buf);
    free(copy);
    return 0;
}
