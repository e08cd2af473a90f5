/* SPDX-License-Identifier: MIT
 *
 * bbolt_format.c: the parts of a bbolt file, to and from bytes.
 */
#include "store/bbolt_format.h"

#include "base/coding.h"
#include "base/error.h"
#include "base/fnv.h"

enum {
    VERSION = 2,
    CHECKSUM_AT = 56
};

static const uint32_t magic = 0xED0CDAED;

/* ---- Heads. ---- */

/* Two and four bytes, little endian, of which base has only the latter. */
static uint16_t get_le16(const uint8_t *in)
{
    return (uint16_t)(in[0] | (unsigned)in[1] << 8);
}

static void put_le16(uint8_t *out, uint16_t v)
{
    out[0] = (uint8_t)v;
    out[1] = (uint8_t)(v >> 8);
}

void sti_bbolt_head_encode(uint8_t out[STI_BBOLT_HEAD], const struct sti_bbolt_head *head)
{
    sti_put_le64(out, head->number);
    put_le16(out + 8, head->kind);
    put_le16(out + 10, head->count);
    sti_put_le32(out + 12, head->overflow);
}

void sti_bbolt_head_decode(const uint8_t in[STI_BBOLT_HEAD], struct sti_bbolt_head *head)
{
    head->number = sti_get_le64(in);
    head->kind = get_le16(in + 8);
    head->count = get_le16(in + 10);
    head->overflow = sti_get_le32(in + 12);
}

/* ---- Metas. ---- */

void sti_bbolt_meta_encode(uint8_t out[STI_BBOLT_META], const struct sti_bbolt_meta *meta)
{
    memset(out, 0, STI_BBOLT_META);
    sti_put_le32(out, magic);
    sti_put_le32(out + 4, VERSION);
    sti_put_le32(out + 8, meta->page_size);
    sti_put_le64(out + 16, meta->root);
    sti_put_le64(out + 32, meta->free_list);
    sti_put_le64(out + 40, meta->end);
    sti_put_le64(out + 48, meta->transaction);
    sti_put_le64(out + CHECKSUM_AT, sti_fnv1a64(out, CHECKSUM_AT));
}

static bool is_page_size(uint32_t size)
{
    return size >= STI_BBOLT_PAGE_MIN && size <= STI_BBOLT_PAGE_MAX && (size & (size - 1)) == 0;
}

static bool is_page(const struct sti_bbolt_meta *meta, uint64_t number)
{
    return number >= STI_BBOLT_FIRST_PAGE && number < meta->end;
}

stele_code sti_bbolt_meta_decode(
        const uint8_t in[STI_BBOLT_META], struct sti_bbolt_meta *meta, stele_error *err)
{
    const struct sti_bbolt_meta m = {
            .page_size = sti_get_le32(in + 8),
            .root = sti_get_le64(in + 16),
            .free_list = sti_get_le64(in + 32),
            .end = sti_get_le64(in + 40),
            .transaction = sti_get_le64(in + 48),
    };

    if (sti_get_be32(in) == magic) {
        return sti_fail(err, STELE_EVERSION, "written by a machine of the other byte order");
    }
    if (sti_get_le32(in) != magic) {
        return sti_fail(err, STELE_ECORRUPT, "is no bbolt file");
    }
    if (sti_get_le64(in + CHECKSUM_AT) != sti_fnv1a64(in, CHECKSUM_AT)) {
        return sti_fail(err, STELE_ECORRUPT, "the checksum of the meta page is wrong");
    }
    if (sti_get_le32(in + 4) != VERSION) {
        return sti_fail(err, STELE_EVERSION, "version %u of the bbolt format is not known",
                (unsigned)sti_get_le32(in + 4));
    }
    if (!is_page_size(m.page_size)) {
        return sti_fail(err, STELE_ECORRUPT, "pages of %u bytes", (unsigned)m.page_size);
    }
    if (!is_page(&m, m.root) ||
            (m.free_list != STI_BBOLT_NOT_WRITTEN && !is_page(&m, m.free_list))) {
        return sti_fail(err, STELE_ECORRUPT, "the meta page names a page that is not there");
    }
    *meta = m;
    return STELE_OK;
}

/* ---- Branches and leaves. ---- */

struct sti_bbolt_element sti_bbolt_page_element(const struct sti_bbolt_page *page, uint32_t index)
{
    const uint8_t *in = page->data + STI_BBOLT_HEAD + (size_t)STI_BBOLT_ELEMENT * index;
    struct sti_bbolt_element e = {.child = 0, .bucket = false};

    if (page->leaf) {
        const uint8_t *key = in + sti_get_le32(in + 4);

        e.bucket = sti_get_le32(in) != 0;
        e.key = stele_bytes_of(key, sti_get_le32(in + 8));
        e.value = stele_bytes_of(key + e.key.len, sti_get_le32(in + 12));
    } else {
        e.key = stele_bytes_of(in + sti_get_le32(in), sti_get_le32(in + 4));
        e.value = stele_nil();
        e.child = sti_get_le64(in + 8);
    }
    return e;
}

/* What is wrong with an element whose bytes begin at `start`, and where they end. Both sizes are
 * below 2^32, so their sum cannot overflow. */
static const char *element_fault(
        const struct sti_bbolt_page *page, uint32_t index, size_t start, size_t *end)
{
    size_t own = STI_BBOLT_HEAD + (size_t)STI_BBOLT_ELEMENT * index;
    const uint8_t *in = page->data + own;
    uint64_t position = own + (uint64_t)sti_get_le32(page->leaf ? in + 4 : in);
    uint64_t key_len = sti_get_le32(page->leaf ? in + 8 : in + 4);
    uint64_t value_len = page->leaf ? sti_get_le32(in + 12) : 0;

    if (page->leaf && sti_get_le32(in) > 1) {
        return "an element of no known kind";
    }
    if (position != start) {
        return "an element is not behind the one before";
    }
    if (key_len == 0 || key_len > STI_BBOLT_KEY_MAX) {
        return "a key that is empty or too long";
    }
    if (value_len > STI_BBOLT_VALUE_MAX || key_len + value_len > page->len - start) {
        return "an element reaches out of its page";
    }
    *end = start + (size_t)(key_len + value_len);
    return NULL;
}

static const char *order_fault(const struct sti_bbolt_page *page, uint32_t index)
{
    if (index > 0 && stele_bytes_compare(sti_bbolt_page_element(page, index - 1).key,
                             sti_bbolt_page_element(page, index).key) >= 0) {
        return "keys do not ascend";
    }
    return NULL;
}

/* A page without elements is zero behind its head: so one whose number of elements was damaged is
 * not taken for it. */
static bool is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

const char *sti_bbolt_page_decode(
        stele_bytes data, size_t slack_max, struct sti_bbolt_page *out, size_t *at)
{
    struct sti_bbolt_page page = {.data = data.data, .len = data.len};
    struct sti_bbolt_head head;
    size_t end;

    *at = 0;
    if (data.len < STI_BBOLT_HEAD) {
        return "too short for a page";
    }
    sti_bbolt_head_decode(data.data, &head);
    if (head.kind != STI_BBOLT_KIND_BRANCH && head.kind != STI_BBOLT_KIND_LEAF) {
        return "neither a branch nor a leaf";
    }
    page.leaf = head.kind == STI_BBOLT_KIND_LEAF;
    page.count = head.count;
    end = STI_BBOLT_HEAD + (size_t)STI_BBOLT_ELEMENT * page.count;
    if (page.count > STI_BBOLT_COUNT_MAX || end > data.len) {
        return "more elements than there is room for";
    }
    for (uint32_t i = 0; i < page.count; i++) {
        const char *fault = element_fault(&page, i, end, &end);

        if (fault == NULL) {
            fault = order_fault(&page, i);
        }
        if (fault != NULL) {
            *at = STI_BBOLT_HEAD + (size_t)STI_BBOLT_ELEMENT * i;
            return fault;
        }
    }
    if (data.len - end > slack_max) {
        return "longer than what it holds";
    }
    if (page.count == 0 && !is_zero(data.data + end, data.len - end)) {
        return "it has no elements, and is not empty";
    }
    *out = page;
    return NULL;
}
