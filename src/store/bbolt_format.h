/* SPDX-License-Identifier: MIT
 *
 * bbolt_format.h: the bytes of a bbolt file, as etcd keeps its data.
 *
 * A file is an array of pages of one size, a power of two. They are numbered from 0, and a page is
 * named by its number. A page that is too small for what it holds goes on in those behind it
 * (overflow): together they are one run. All integers are those of the machine that wrote the file;
 * here: little endian, as nearly all are.
 *
 *     page      16 bytes, then what it holds
 *        0   8  number of the page itself
 *        8   2  kind: 1 branch, 2 leaf, 4 meta, 16 free pages
 *       10   2  n, number of elements
 *       12   4  overflow: pages of the run behind this one
 *
 *     meta      pages 0 and 1, behind the page's head
 *        0   4  magic, the number 0xED0CDAED
 *        4   4  version, 2
 *        8   4  size of a page, 512 to 65,536
 *       12   4  flags, 0
 *       16   8  root page of the tree of buckets
 *       24   8  sequence of the root, not used
 *       32   8  page with the free pages; 2^64-1: not written (etcd does so)
 *       40   8  end: pages from here on are not used
 *       48   8  id of the transaction
 *       56   8  FNV-1a 64 of the 56 bytes before
 *
 * A commit writes one of the two metas, in turn. Of two that are valid the one with the higher
 * transaction counts. If one is not, the other does: a commit may have been torn.
 *
 *     branch    n elements of 16 bytes, then the keys, back to back and in the same order
 *        0   4  position of the key, counted from the start of this element
 *        4   4  length of the key
 *        8   8  number of the page below
 *
 *     leaf      n elements of 16 bytes, then key and value of each, back to back
 *        0   4  1 if the value is a bucket, else 0
 *        4   4  position of the key, counted from the start of this element; its value follows it
 *        8   4  length of the key, 1 to 32,768
 *       12   4  length of the value, at most 2^31-2
 *
 * Keys ascend as bytes do. The keys below an element of a branch are its own key or larger, and
 * smaller than that of the next element. No page below a root is empty. What a page has left is
 * zero.
 *
 *     bucket    the value of an element of the tree of buckets, whose key is the name
 *        0   8  root page of the bucket's own tree; 0: it is inline
 *        8   8  sequence, a counter for the user
 *       16   -  inline: a leaf with its page's head, number and overflow 0; else nothing
 *
 * A bucket is inline if its leaf has at most a quarter of a page, and holds no buckets. bbolt can
 * have buckets in buckets; they are refused here, since a store has none.
 *
 *     free pages
 *        0   8  n = 65,535: the true number of elements
 *        -   8  numbers of free pages, ascending
 *
 * Nothing but the metas has a checksum. What etcd's `snapshot save` writes is such a file, up to
 * its end, and 32 bytes of SHA-256 of all before: then the size is 32 more than a multiple of 512.
 */
#ifndef STI_STORE_BBOLT_FORMAT_H
#define STI_STORE_BBOLT_FORMAT_H

#include <stele/bytes.h>

enum {
    STI_BBOLT_HEAD = 16,    /* of a page */
    STI_BBOLT_ELEMENT = 16, /* of a branch or leaf */
    STI_BBOLT_META = 64,
    STI_BBOLT_BUCKET = 16, /* without an inline page */
    STI_BBOLT_PAGE_MIN = 512,
    STI_BBOLT_PAGE_MAX = 65536,
    STI_BBOLT_KEY_MAX = 32768,
    STI_BBOLT_VALUE_MAX = INT32_MAX - 1,
    STI_BBOLT_COUNT_MAX = 65534, /* elements of a page */
    STI_BBOLT_FIRST_PAGE = 2,    /* behind the metas */
    STI_BBOLT_DEPTH_MAX = 64     /* pages from a root to a leaf; each branch has two below it */
};

enum sti_bbolt_kind {
    STI_BBOLT_KIND_BRANCH = 1,
    STI_BBOLT_KIND_LEAF = 2,
    STI_BBOLT_KIND_META = 4,
    STI_BBOLT_KIND_FREE = 16
};

#define STI_BBOLT_NOT_WRITTEN UINT64_MAX

struct sti_bbolt_meta {
    uint32_t page_size;
    uint64_t root;
    uint64_t free_list; /* or STI_BBOLT_NOT_WRITTEN */
    uint64_t end;
    uint64_t transaction;
};

struct sti_bbolt_head {
    uint64_t number;
    uint16_t kind; /* what the file says */
    uint16_t count;
    uint32_t overflow;
};

/* A branch or leaf that was found to be whole. */
struct sti_bbolt_page {
    const uint8_t *data;
    size_t len;
    uint32_t count;
    bool leaf;
};

struct sti_bbolt_element {
    stele_bytes key;
    stele_bytes value; /* leaf */
    uint64_t child;    /* branch */
    bool bucket;       /* leaf */
};

void sti_bbolt_meta_encode(uint8_t out[STI_BBOLT_META], const struct sti_bbolt_meta *meta);
/* What the meta says of itself is sound; the file is not looked at. STELE_ECORRUPT, STELE_EVERSION.
 */
stele_code sti_bbolt_meta_decode(
        const uint8_t in[STI_BBOLT_META], struct sti_bbolt_meta *meta, stele_error *err);

void sti_bbolt_head_encode(uint8_t out[STI_BBOLT_HEAD], const struct sti_bbolt_head *head);
void sti_bbolt_head_decode(const uint8_t in[STI_BBOLT_HEAD], struct sti_bbolt_head *head);

/* Look at all elements of a branch or leaf, `data` being its run, or an inline page. At most
 * slack_max bytes may be left behind the last element: none in an inline page, up to a page in a
 * run. NULL if it is whole: then *out is set. Else what is wrong, and *at is where in `data`. */
const char *sti_bbolt_page_decode(
        stele_bytes data, size_t slack_max, struct sti_bbolt_page *out, size_t *at);

/* The element at `index`, below page->count. Its bytes are those of the page. */
struct sti_bbolt_element sti_bbolt_page_element(const struct sti_bbolt_page *page, uint32_t index);

#endif /* STI_STORE_BBOLT_FORMAT_H */
