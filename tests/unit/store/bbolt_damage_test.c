/* SPDX-License-Identifier: MIT
 *
 * bbolt_damage_test.c: files that are no bbolt files, or not quite.
 *
 * All start from one small file, written here: an inline bucket, a bucket of several pages, and
 * one with a value over several pages.
 */
#include "base/coding.h"
#include "base/fnv.h"
#include "bbolt_kit.h"
#include "lib/tmpdir.h"
#include "store/bbolt_output.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PAGE = 512,
    META_ROOT = 16 + 16, /* in a meta page */
    META_FREE = 16 + 32,
    META_END = 16 + 40,
    META_SUM = 16 + 56,
    LEAF = 3, /* the first page that is written: a leaf of "tree" */
    FREE = 2
};

struct image {
    struct bbolt_kit k;
    uint8_t *bytes;
    size_t len;
    char *text; /* its listing */
    uint64_t branch;
    uint64_t root; /* the leaf with the buckets */
    uint64_t end;
};

static uint8_t *page(struct image *m, uint64_t number)
{
    return m->bytes + number * PAGE;
}

static void write_small(struct bbolt_kit *k, bool hashed)
{
    struct sti_file file = {0};
    struct sti_bbolt_writer *w = NULL;
    uint8_t *value = bbolt_value(3, 1500);

    CHECK_OK(sti_file_open(
                     &file, &k->dir, BBOLT_FILE, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &k->err),
            &k->err);
    CHECK_OK(sti_bbolt_begin(&w, &file, PAGE, &k->err), &k->err);
    CHECK_OK(sti_bbolt_put_bucket(w, stele_str("inline"), &k->err), &k->err);
    CHECK_OK(sti_bbolt_put(w, stele_str("k1"), stele_str("v1"), &k->err), &k->err);
    CHECK_OK(sti_bbolt_put(w, stele_str("k2"), stele_str("v2"), &k->err), &k->err);
    CHECK_OK(sti_bbolt_put_bucket(w, stele_str("tree"), &k->err), &k->err);
    for (int i = 0; i < 16; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "key-%02d", i);
        CHECK_OK(sti_bbolt_put(w, stele_str(key), stele_bytes_of(value, 100), &k->err), &k->err);
    }
    CHECK_OK(sti_bbolt_put_bucket(w, stele_str("zlong"), &k->err), &k->err);
    CHECK_OK(sti_bbolt_put(w, stele_str("long"), stele_bytes_of(value, 1500), &k->err), &k->err);
    CHECK_OK(sti_bbolt_end(w, hashed, &k->err), &k->err);
    sti_bbolt_writer_free(w);
    sti_file_close(&file);
    free(value);
}

static void begin(struct image *m, bool hashed)
{
    memset(m, 0, sizeof *m);
    bbolt_kit_begin(&m->k, 0);
    write_small(&m->k, hashed);
    m->bytes = bbolt_kit_bytes(&m->k, &m->len);
    CHECK_OK(bbolt_list(&m->k.dir, BBOLT_FILE, &m->text, &m->k.err), &m->k.err);
    m->root = sti_get_le64(m->bytes + META_ROOT);
    m->end = sti_get_le64(m->bytes + META_END);
    for (m->branch = LEAF; page(m, m->branch)[8] != STI_BBOLT_KIND_BRANCH; m->branch++) {
        assert_true(m->branch < m->end);
    }
    assert_int_equal(page(m, LEAF)[8], STI_BBOLT_KIND_LEAF);
    assert_int_equal(page(m, m->root)[8], STI_BBOLT_KIND_LEAF);
    assert_int_equal(m->len, m->end * PAGE + (hashed ? 32 : 0));
}

static void end(struct image *m)
{
    bbolt_kit_end(&m->k);
    free(m->bytes);
    free(m->text);
}

/* Both metas get a checksum that is right. */
static void sign(uint8_t *bytes)
{
    for (int i = 0; i < 2; i++) {
        uint8_t *meta = bytes + (size_t)PAGE * (size_t)i;

        sti_put_le64(meta + META_SUM, sti_fnv1a64(meta + 16, 56));
    }
}

static void is_found(struct image *m, stele_code code, const char *message)
{
    char *text = NULL;

    bbolt_kit_set_bytes(&m->k, m->bytes, m->len);
    CHECK_CODE(bbolt_list(&m->k.dir, BBOLT_FILE, &text, &m->k.err), code);
    CHECK_MESSAGE_HAS(&m->k.err, message);
    assert_string_equal(m->k.err.file, BBOLT_FILE);
    assert_null(text);
}

static void is_same(struct image *m)
{
    char *text = NULL;

    bbolt_kit_set_bytes(&m->k, m->bytes, m->len);
    CHECK_OK(bbolt_list(&m->k.dir, BBOLT_FILE, &text, &m->k.err), &m->k.err);
    assert_string_equal(text, m->text);
    free(text);
}

/* ---- One field at a time. ---- */

enum where {
    ON_LEAF,
    ON_BRANCH,
    ON_ROOT,
    ON_FREE,
    ON_METAS
};

struct wrong {
    enum where where;
    size_t at; /* in the page */
    int size;
    uint64_t value;
    const char *message;
};

#define MANY UINT64_C(0xFFFFFFFF)

static const struct wrong wrongs[] = {
        {ON_LEAF, 0, 8, 4, "page 3: it has the number of another page"},
        {ON_LEAF, 8, 2, 0, "page 3: neither a branch nor a leaf"},
        {ON_LEAF, 8, 2, 3, "neither a branch nor a leaf"},
        {ON_LEAF, 8, 2, 4, "neither a branch nor a leaf"},
        {ON_LEAF, 8, 2, 16, "neither a branch nor a leaf"},
        {ON_LEAF, 8, 2, 0x102, "neither a branch nor a leaf"},
        {ON_LEAF, 8, 2, 1, "an element is not behind the one before"},
        {ON_LEAF, 10, 2, 0, "it has no elements, and is not empty"},
        {ON_LEAF, 10, 2, 3, "an element is not behind the one before"},
        {ON_LEAF, 10, 2, 5, "an element is not behind the one before"},
        {ON_LEAF, 10, 2, 60, "more elements than there is room for"},
        {ON_LEAF, 10, 2, 65535, "more elements than there is room for"},
        {ON_LEAF, 12, 4, 1, "page 3: longer than what it holds"},
        {ON_LEAF, 12, 4, 1000, "page 3: it goes on behind the last page"},
        {ON_LEAF, 12, 4, MANY, "page 3: it goes on behind the last page"},
        {ON_LEAF, 16, 4, 2, "an element of no known kind"},
        {ON_LEAF, 16, 4, MANY, "an element of no known kind"},
        {ON_LEAF, 20, 4, 0, "an element is not behind the one before"},
        {ON_LEAF, 20, 4, MANY, "an element is not behind the one before"},
        {ON_LEAF, 24, 4, 0, "a key that is empty or too long"},
        {ON_LEAF, 24, 4, 32769, "a key that is empty or too long"},
        {ON_LEAF, 24, 4, MANY, "a key that is empty or too long"},
        {ON_LEAF, 24, 4, 5, "an element is not behind the one before"},
        {ON_LEAF, 28, 4, 500, "an element reaches out of its page"},
        {ON_LEAF, 28, 4, 0x7FFFFFFE, "an element reaches out of its page"},
        {ON_LEAF, 28, 4, MANY, "an element reaches out of its page"},
        {ON_LEAF, 28, 4, 99, "an element is not behind the one before"},
        {ON_BRANCH, 10, 2, 0, "it has no elements, and is not empty"},
        {ON_BRANCH, 16, 4, 1, "an element is not behind the one before"},
        {ON_BRANCH, 20, 4, 0, "a key that is empty or too long"},
        {ON_BRANCH, 24, 8, 0, "it leads to a page that is not there"},
        {ON_BRANCH, 24, 8, 1, "it leads to a page that is not there"},
        {ON_BRANCH, 24, 8, 1000, "it leads to a page that is not there"},
        {ON_BRANCH, 24, 8, UINT64_MAX, "it leads to a page that is not there"},
        {ON_BRANCH, 24, 8, FREE, "page 2: it is free, or used twice"},
        {ON_BRANCH, 24, 8, 4, "page 4: its keys do not belong below the page above it"},
        {ON_BRANCH, 40, 8, LEAF, "page 3: it is free, or used twice"},
        {ON_ROOT, 8, 2, 1, "an element is not behind the one before"},
        {ON_ROOT, 10, 2, 0, "it has no elements, and is not empty"},
        {ON_ROOT, 16, 4, 0, "an entry that is in no bucket"},
        {ON_FREE, 8, 2, 2, "page 2: not the list of free pages"},
        {ON_FREE, 10, 2, 1, "page 2: a free page that is not there, or not in order"},
        {ON_FREE, 10, 2, 65, "page 2: more free pages than there is room for"},
        {ON_FREE, 12, 4, 1, "page 3: it is free, or used twice"},
        {ON_FREE, 12, 4, MANY, "page 2: it goes on behind the last page"},
        {ON_METAS, 16 + 8, 4, 0, "pages of 0 bytes"},
        {ON_METAS, 16 + 8, 4, 256, "pages of 256 bytes"},
        {ON_METAS, 16 + 8, 4, 768, "pages of 768 bytes"},
        {ON_METAS, 16 + 8, 4, 131072, "pages of 131072 bytes"},
        {ON_METAS, META_ROOT, 8, 1, "the meta page names a page that is not there"},
        {ON_METAS, META_ROOT, 8, 1000, "the meta page names a page that is not there"},
        {ON_METAS, META_ROOT, 8, FREE, "page 2: it is free, or used twice"},
        {ON_METAS, META_ROOT, 8, LEAF, "an entry that is in no bucket"},
        {ON_METAS, META_FREE, 8, 0, "the meta page names a page that is not there"},
        {ON_METAS, META_FREE, 8, 1000, "the meta page names a page that is not there"},
        {ON_METAS, META_FREE, 8, LEAF, "page 3: not the list of free pages"},
        {ON_METAS, META_END, 8, 2, "the meta page names a page that is not there"},
        {ON_METAS, META_END, 8, 1000, "the file ends before its 1000 pages of 512 bytes"},
        {ON_METAS, META_END, 8, UINT64_MAX, "the file ends before its 18446744073709551615 pages"},
};

static void put(uint8_t *out, int size, uint64_t value)
{
    for (int i = 0; i < size; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

static void test_fields(void **state)
{
    struct image m;

    (void)state;
    begin(&m, false);
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *w = &wrongs[i];
        const uint64_t pages[] = {LEAF, m.branch, m.root, FREE, 0};
        uint8_t *at = page(&m, pages[w->where]);
        uint8_t *before = malloc(m.len);

        assert_non_null(before);
        memcpy(before, m.bytes, m.len);
        put(at + w->at, w->size, w->value);
        if (w->where == ON_METAS) {
            put(at + PAGE + w->at, w->size, w->value);
            sign(m.bytes);
        }
        is_found(&m, STELE_ECORRUPT, w->message);
        memcpy(m.bytes, before, m.len);
        free(before);
    }
    is_same(&m);
    end(&m);
}

/* ---- What takes more than a field. ---- */

static void test_metas(void **state)
{
    struct image m;

    (void)state;
    begin(&m, false);
    /* One is enough, whichever it is; without the first the size of a page has to be found. */
    m.bytes[META_SUM] ^= 1;
    is_same(&m);
    m.bytes[PAGE + META_SUM] ^= 1;
    is_found(&m, STELE_ECORRUPT, "at 0: the checksum of the meta page is wrong");
    m.bytes[META_SUM] ^= 1;
    is_same(&m);
    m.bytes[16] ^= 1;
    is_found(&m, STELE_ECORRUPT, "at 0: is no bbolt file");
    m.bytes[16] ^= 1;
    sign(m.bytes);
    m.bytes[16 + 4] = m.bytes[PAGE + 16 + 4] = 3;
    sign(m.bytes);
    is_found(&m, STELE_EVERSION, "version 3 of the bbolt format is not known");
    memcpy(m.bytes + 16, "\xED\x0C\xDA\xED", 4);
    is_found(&m, STELE_EVERSION, "the other byte order");
    end(&m);
}

static void test_second_meta_of_every_page_size(void **state)
{
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 0);
    for (uint32_t size = 512; size <= 65536; size *= 2) {
        const struct bbolt_shape shape = {size, 1, 1, 1, 1, false};
        struct sti_bbolt_reader *r = NULL;
        uint8_t *bytes;
        size_t len;

        bbolt_kit_write(&k, &shape);
        bytes = bbolt_kit_bytes(&k, &len);
        memset(bytes, 0xAA, 80);
        bbolt_kit_set_bytes(&k, bytes, len);
        CHECK_OK(sti_bbolt_open(&r, &k.dir, BBOLT_FILE, &k.err), &k.err);
        assert_int_equal(sti_bbolt_info(r).page_size, size);
        assert_true(sti_bbolt_info(r).one_meta);
        sti_bbolt_close(r);
        free(bytes);
    }
    bbolt_kit_end(&k);
}

/* A commit of bbolt that was torn: what was before is there, and it is said that one is missing. */
static void test_torn_commit(void **state)
{
    struct tmpdir golden;
    struct sti_bbolt_reader *r = NULL;
    struct bbolt_kit k;
    uint8_t *bytes;
    size_t len;
    char *before = NULL;
    char *after = NULL;
    uint64_t newest;

    (void)state;
    (void)snprintf(golden.path, sizeof golden.path, "%s/golden/bbolt", STELE_TESTS_DIR);
    bytes = tmpdir_read(&golden, "deep.db", &len);
    newest = sti_get_le64(bytes + 16 + 48) > sti_get_le64(bytes + PAGE + 16 + 48) ? 0 : PAGE;
    bbolt_kit_begin(&k, 0);
    bbolt_kit_set_bytes(&k, bytes, len);
    CHECK_OK(bbolt_list(&k.dir, BBOLT_FILE, &after, &k.err), &k.err);
    bytes[newest + META_SUM] ^= 0x80;
    bbolt_kit_set_bytes(&k, bytes, len);
    CHECK_OK(bbolt_list(&k.dir, BBOLT_FILE, &before, &k.err), &k.err);
    assert_string_not_equal(before, after);
    /* The last commit made the bucket "f". */
    assert_null(strstr(before, "b 66\n"));
    assert_non_null(strstr(after, "b 66\n"));
    CHECK_OK(sti_bbolt_open(&r, &k.dir, BBOLT_FILE, &k.err), &k.err);
    assert_true(sti_bbolt_info(r).one_meta);
    sti_bbolt_close(r);
    free(before);
    free(after);
    free(bytes);
    bbolt_kit_end(&k);
}

static void test_order(void **state)
{
    struct image m;
    uint8_t *key;

    (void)state;
    begin(&m, false);
    /* The leaf has keys key-00 to key-03, back to back with their values of 100 bytes. */
    key = page(&m, LEAF) + 16 + 4 * 16;
    assert_memory_equal(key, "key-00", 6);
    key[5] = '1';
    is_found(&m, STELE_ECORRUPT, "keys do not ascend");
    key[5] = '5';
    is_found(&m, STELE_ECORRUPT, "keys do not ascend");
    key[5] = '/';
    is_found(&m, STELE_ECORRUPT, "its keys do not belong below the page above it");
    key[5] = '0';
    key[3 * 106 + 5] = '4';
    is_found(&m, STELE_ECORRUPT, "its keys do not belong below the page above it");
    key[3 * 106 + 5] = '3';
    is_same(&m);
    end(&m);
}

/* The root's first element is the inline bucket, the next one that with pages of its own. */
static void test_buckets(void **state)
{
    struct image m;
    struct sti_bbolt_page root;
    struct sti_bbolt_element element;
    uint8_t *value;
    size_t at;

    (void)state;
    begin(&m, false);
    assert_null(sti_bbolt_page_decode(stele_bytes_of(page(&m, m.root), PAGE), PAGE, &root, &at));
    element = sti_bbolt_page_element(&root, 0);
    value = m.bytes + (element.value.data - m.bytes);
    value[0] = LEAF;
    is_found(&m, STELE_ECORRUPT, "a bucket whose root is not there");
    value[0] = 0;
    value[8] = 77; /* the sequence, which is not looked at */
    is_same(&m);
    value[16] = 1; /* number */
    is_found(&m, STELE_ECORRUPT, "an inline bucket that is no leaf");
    value[16] = 0;
    value[28] = 1; /* overflow */
    is_found(&m, STELE_ECORRUPT, "an inline bucket that is no leaf");
    value[28] = 0;
    value[26] = 1; /* elements */
    is_found(&m, STELE_ECORRUPT, "an element is not behind the one before");
    value[26] = 0;
    is_found(&m, STELE_ECORRUPT, "longer than what it holds");
    value[26] = 2;
    value[32] = 1; /* the first entry is a bucket */
    is_found(&m, STELE_ENOTSUP, "bucket \"k1\" is in bucket \"inline\"");
    value[32] = 0;
    value[48 + 12]--; /* the last value is shorter */
    is_found(&m, STELE_ECORRUPT, "longer than what it holds");
    value[48 + 12]++;
    element = sti_bbolt_page_element(&root, 1);
    value = m.bytes + (element.value.data - m.bytes);
    put(value, 8, 0);
    is_found(&m, STELE_ECORRUPT, "too short for a page");
    put(value, 8, 1);
    is_found(&m, STELE_ECORRUPT, "a bucket whose root is not there");
    put(value, 8, m.end);
    is_found(&m, STELE_ECORRUPT, "a bucket whose root is not there");
    put(value, 8, m.root);
    is_found(&m, STELE_ECORRUPT, "it is free, or used twice");
    put(value, 8, LEAF);
    is_found(&m, STELE_ECORRUPT, "it is neither used nor free");
    end(&m);
}

static void test_free_pages(void **state)
{
    struct image m;
    uint8_t *list;

    (void)state;
    begin(&m, false);
    /* Two more pages, zero, at first of unknown use. */
    m.len += 2 * (size_t)PAGE;
    is_same(&m);
    for (int i = 0; i < 2; i++) {
        put(m.bytes + (size_t)PAGE * (size_t)i + META_END, 8, m.end + 2);
    }
    sign(m.bytes);
    is_found(&m, STELE_ECORRUPT, "it is neither used nor free");
    list = page(&m, FREE);
    put(list + 10, 2, 2);
    put(list + 16, 8, m.end);
    put(list + 24, 8, m.end + 1);
    is_same(&m);
    put(list + 24, 8, m.end + 2);
    is_found(&m, STELE_ECORRUPT, "a free page that is not there, or not in order");
    put(list + 24, 8, m.end);
    is_found(&m, STELE_ECORRUPT, "a free page that is not there, or not in order");
    put(list + 16, 8, FREE);
    is_found(&m, STELE_ECORRUPT, "it is itself one of the free pages");
    put(list + 16, 8, LEAF);
    put(list + 24, 8, m.end);
    is_found(&m, STELE_ECORRUPT, "page 3: it is free, or used twice");
    /* The true number stands in front of the pages, where there are many. */
    put(list + 10, 2, 65535);
    put(list + 16, 8, 2);
    put(list + 24, 8, m.end);
    put(list + 32, 8, m.end + 1);
    is_same(&m);
    put(list + 16, 8, 62);
    is_found(&m, STELE_ECORRUPT, "more free pages than there is room for");
    put(list + 16, 8, UINT64_MAX);
    is_found(&m, STELE_ECORRUPT, "more free pages than there is room for");
    end(&m);
}

/* A path of `branches` pages to a leaf with one empty bucket; the last branch leads to `child`, if
 * that is not 0. */
static uint8_t *make_chain(unsigned branches, uint64_t child, size_t *len)
{
    static const uint8_t empty[STI_BBOLT_BUCKET + STI_BBOLT_HEAD] = {
            [STI_BBOLT_BUCKET + 8] = STI_BBOLT_KIND_LEAF};
    const struct sti_bbolt_meta meta = {
            .page_size = PAGE,
            .root = 2,
            .free_list = STI_BBOLT_NOT_WRITTEN,
            .end = 3 + (uint64_t)branches,
    };
    uint8_t *bytes = calloc(3 + (size_t)branches, PAGE);

    assert_non_null(bytes);
    *len = (3 + (size_t)branches) * PAGE;
    sti_bbolt_meta_encode(bytes + 16, &meta);
    for (unsigned i = 0; i <= branches; i++) {
        bool leaf = i == branches;
        const struct sti_bbolt_item item = {
                .key_len = 1,
                .value_len = leaf ? sizeof empty : 0,
                .child = child != 0 && i + 1 == branches ? child : i + 3,
                .bucket = leaf,
        };
        const struct sti_bbolt_items items = {
                .kind = leaf ? STI_BBOLT_KIND_LEAF : STI_BBOLT_KIND_BRANCH,
                .items = &item,
                .count = 1,
        };
        uint8_t *out = bytes + (size_t)PAGE * (i + 2);

        out += sti_bbolt_items_encode(out, &items, i + 2, 0);
        *out++ = 'k';
        memcpy(out, empty, leaf ? sizeof empty : 0);
    }
    return bytes;
}

static void test_chains(void **state)
{
    const struct {
        unsigned branches;
        uint64_t child;
        const char *message;
    } chains[] = {
            {0, 0, NULL},
            {63, 0, NULL},
            {64, 0, "page 65: too far from its root"},
            {300, 0, "too far from its root"},
            {1, 2, "page 2: it is free, or used twice"},
            {20, 2, "page 2: it is free, or used twice"},
            {20, 21, "page 21: it is free, or used twice"},
    };
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 0);
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        size_t len;
        uint8_t *bytes = make_chain(chains[i].branches, chains[i].child, &len);
        char *text = NULL;

        bbolt_kit_set_bytes(&k, bytes, len);
        if (chains[i].message == NULL) {
            CHECK_OK(bbolt_list(&k.dir, BBOLT_FILE, &text, &k.err), &k.err);
            assert_string_equal(text, "b 6b\n");
        } else {
            CHECK_CODE(bbolt_list(&k.dir, BBOLT_FILE, &text, &k.err), STELE_ECORRUPT);
            CHECK_MESSAGE_HAS(&k.err, chains[i].message);
        }
        free(text);
        free(bytes);
    }
    bbolt_kit_end(&k);
}

/* ---- Every cut and every bit. ---- */

static void cut_everywhere(bool hashed)
{
    struct image m;
    size_t same = 0;

    begin(&m, hashed);
    for (size_t len = 0; len < m.len; len++) {
        char *text = NULL;
        stele_code rc;

        bbolt_kit_set_bytes(&m.k, m.bytes, len);
        rc = bbolt_list(&m.k.dir, BBOLT_FILE, &text, &m.k.err);
        if (rc == STELE_OK) {
            assert_string_equal(text, m.text);
            same++;
        } else {
            assert_int_equal(rc, STELE_ECORRUPT);
        }
        free(text);
    }
    /* Without its hash a snapshot is a bbolt file as any other. */
    assert_int_equal(same, hashed ? 1 : 0);
    end(&m);
}

static void test_cuts(void **state)
{
    (void)state;
    cut_everywhere(false);
    cut_everywhere(true);
}

/* The bytes that the format does not protect: keys and values, and of the last entry of a page its
 * lengths, since zeros may follow it. */
static void mark_entries(const struct sti_bbolt_page *p, uint8_t *start, uint8_t *open)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct sti_bbolt_element e = sti_bbolt_page_element(p, i);
        size_t own = STI_BBOLT_HEAD + (size_t)STI_BBOLT_ELEMENT * i;

        memset(open + (e.key.data - start), 1, e.key.len);
        if (!e.bucket) {
            memset(open + (e.value.data - start), 1, e.value.len);
        }
        if (!e.bucket && i + 1 == p->count) {
            memset(open + (p->data - start) + own + 8, 1, 8);
        }
        if (e.bucket && e.value.len > STI_BBOLT_BUCKET) {
            struct sti_bbolt_page inside;
            size_t at;
            stele_bytes bytes =
                    stele_bytes_of(e.value.data + STI_BBOLT_BUCKET, e.value.len - STI_BBOLT_BUCKET);

            assert_null(sti_bbolt_page_decode(bytes, 0, &inside, &at));
            for (uint32_t j = 0; j < inside.count; j++) {
                struct sti_bbolt_element f = sti_bbolt_page_element(&inside, j);

                memset(open + (f.key.data - start), 1, f.key.len + f.value.len);
            }
        }
    }
}

static uint8_t *mark_open(struct image *m)
{
    uint8_t *open = calloc(m->len, 1);

    assert_non_null(open);
    for (uint64_t i = LEAF; i < m->end;) {
        struct sti_bbolt_head head;
        struct sti_bbolt_page p;
        size_t at;

        sti_bbolt_head_decode(page(m, i), &head);
        assert_null(sti_bbolt_page_decode(
                stele_bytes_of(page(m, i), (1 + (size_t)head.overflow) * PAGE), PAGE, &p, &at));
        if (p.leaf) {
            mark_entries(&p, m->bytes, open);
        }
        i += 1 + (uint64_t)head.overflow;
    }
    return open;
}

static void flip_everything(bool hashed)
{
    struct image m;
    struct sti_file file = {0};
    size_t counts[3] = {0};
    uint8_t *open;

    begin(&m, hashed);
    open = mark_open(&m);
    CHECK_OK(sti_file_open(&file, &m.k.dir, BBOLT_FILE, STELE_OPEN_WRITE, &m.k.err), &m.k.err);
    for (size_t bit = 0; bit < m.len * 8; bit++) {
        uint8_t flipped = (uint8_t)(m.bytes[bit / 8] ^ 1U << bit % 8);
        char *text = NULL;
        stele_code rc;

        CHECK_OK(sti_file_write(&file, bit / 8, &flipped, 1, &m.k.err), &m.k.err);
        rc = bbolt_list(&m.k.dir, BBOLT_FILE, &text, &m.k.err);
        if (rc != STELE_OK) {
            assert_true(rc == STELE_ECORRUPT || rc == STELE_ENOTSUP || rc == STELE_EVERSION);
            counts[0]++;
        } else if (strcmp(text, m.text) == 0) {
            counts[1]++;
        } else {
            if (open[bit / 8] == 0) {
                fail_msg(
                        "bit %zu of byte %zu in page %zu", bit % 8, bit / 8 % PAGE, bit / 8 / PAGE);
            }
            counts[2]++;
        }
        free(text);
        CHECK_OK(sti_file_write(&file, bit / 8, &m.bytes[bit / 8], 1, &m.k.err), &m.k.err);
    }
    print_message("%zu bits: %zu found, %zu of no effect, %zu inside of entries\n", m.len * 8,
            counts[0], counts[1], counts[2]);
    if (hashed) {
        assert_int_equal(counts[0], m.len * 8);
    }
    assert_true(counts[0] > 0);
    sti_file_close(&file);
    free(open);
    end(&m);
}

static void test_flips(void **state)
{
    (void)state;
    flip_everything(false);
    flip_everything(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_fields),
            cmocka_unit_test(test_metas),
            cmocka_unit_test(test_second_meta_of_every_page_size),
            cmocka_unit_test(test_torn_commit),
            cmocka_unit_test(test_order),
            cmocka_unit_test(test_buckets),
            cmocka_unit_test(test_free_pages),
            cmocka_unit_test(test_chains),
            cmocka_unit_test(test_cuts),
            cmocka_unit_test(test_flips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
