/* SPDX-License-Identifier: MIT
 *
 * scrub_test.c: data that is whole by its pages and checksums, and yet not what its records say.
 *
 * Each case changes something in a transaction beside those of the store, and writes the commit
 * record again, so that nothing but the change is wrong.
 */
#include "store/scrub.h"

#include "kit.h"

#include <stdio.h>

struct told {
    size_t count;
    char first[256];
};

static void on_fault(void *arg, const stele_store_fault *f)
{
    struct told *t = arg;

    assert_true(f->code == STELE_ECORRUPT || f->code == STELE_EVERSION);
    assert_string_equal(f->file, "gen-1/data.mdb");
    if (t->count++ == 0) {
        (void)snprintf(t->first, sizeof t->first, "%.*s|%s", (int)f->bucket.len,
                (const char *)f->bucket.data, f->text);
    }
}

static stele_code scrub(struct kit *k, struct told *t, stele_store_checked *sum)
{
    const struct sti_generation expected = {1, k->buckets->commit.store_id};
    struct sti_faults faults = {.each = on_fault, .arg = t};
    const struct sti_deadline none = {.wait = NULL};
    struct sti_lmdb_txn *txn;
    stele_error err;
    stele_code code;

    t->count = 0;
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_scrub(&faults, txn, &expected, &none, &err), &err);
    sti_lmdb_abort(txn);
    code = sti_faults_result(&faults, sum, &err);
    assert_int_equal(sum->faults, t->count);
    assert_int_equal(code == STELE_OK, t->count == 0);
    return code;
}

/* ---- Changes. ---- */

static stele_bytes envelope(uint8_t out[64], uint32_t bucket, stele_bytes key, const char *value)
{
    sti_value_head(out, sti_value_crc(bucket, key, stele_str(value)));
    memcpy(out + STI_VALUE_HEAD, value, strlen(value));
    return stele_bytes_of(out, STI_VALUE_HEAD + strlen(value));
}

static void put_entry(struct sti_lmdb_txn *txn, uint32_t bucket, uint64_t layer, const char *key,
        const char *value)
{
    uint8_t stored[64];
    struct sti_key raw;
    stele_error err;

    sti_key_value(&raw, bucket, layer, stele_str(key));
    CHECK_OK(sti_lmdb_put(txn, STI_LMDB_DATA, sti_key_view(&raw),
                     envelope(stored, bucket, stele_str(key), value), &err),
            &err);
}

static void delete_entry(struct sti_lmdb_txn *txn, uint32_t bucket, const char *key)
{
    struct sti_key raw;
    stele_error err;

    sti_key_value(&raw, bucket, STI_LAYER_TOP, stele_str(key));
    CHECK_OK(sti_lmdb_delete(txn, STI_LMDB_DATA, sti_key_view(&raw), &err), &err);
}

static void another_key(struct sti_lmdb_txn *txn)
{
    put_entry(txn, 1, STI_LAYER_TOP, "more", "x");
}

static void another_value(struct sti_lmdb_txn *txn)
{
    put_entry(txn, 1, STI_LAYER_TOP, "one", "0");
}

static void longer_value(struct sti_lmdb_txn *txn)
{
    put_entry(txn, 1, STI_LAYER_TOP, "one", "11");
}

static void missing_key(struct sti_lmdb_txn *txn)
{
    delete_entry(txn, 1, "one");
}

static void stranger(struct sti_lmdb_txn *txn)
{
    put_entry(txn, 77, STI_LAYER_TOP, "one", "1");
}

static void number_zero(struct sti_lmdb_txn *txn)
{
    static const uint8_t key[] = {0, 0, 0, 0, 0, 'x'};
    stele_error err;

    CHECK_OK(
            sti_lmdb_put(txn, STI_LMDB_DATA, stele_bytes_of(key, sizeof key), stele_str("x"), &err),
            &err);
}

static void short_key(struct sti_lmdb_txn *txn)
{
    stele_error err;

    CHECK_OK(sti_lmdb_put(txn, STI_LMDB_DATA, stele_str("a"), stele_str("x"), &err), &err);
}

static void unlinked_layer(struct sti_lmdb_txn *txn)
{
    put_entry(txn, 1, 99, "one", "1");
}

static void missing_bucket(struct sti_lmdb_txn *txn)
{
    stele_error err;

    CHECK_OK(sti_bucket_remove(txn, stele_str("second"), &err), &err);
}

static void rewrite(struct sti_lmdb_txn *txn, const char *name, uint32_t number, uint64_t more)
{
    struct sti_bucket b;
    stele_error err;

    CHECK_OK(sti_bucket_find(txn, stele_str(name), &b, &err), &err);
    b.number = number == 0 ? b.number : number;
    b.keys += more;
    CHECK_OK(sti_bucket_write(txn, stele_str(name), &b, &err), &err);
}

static void same_number(struct sti_lmdb_txn *txn)
{
    rewrite(txn, "empty", 1, 0);
}

/* That of the deleted one, which has entries still. */
static void old_number(struct sti_lmdb_txn *txn)
{
    rewrite(txn, "empty", 3, 0);
}

static void without_hash(struct sti_lmdb_txn *txn)
{
    struct sti_bucket b = {.number = 4};
    stele_error err;

    CHECK_OK(sti_bucket_remove(txn, stele_str("empty"), &err), &err);
    CHECK_OK(sti_bucket_write(txn, stele_str("other"), &b, &err), &err);
}

static void high_number(struct sti_lmdb_txn *txn)
{
    rewrite(txn, "empty", 1000, 0);
}

static void other_count(struct sti_lmdb_txn *txn)
{
    rewrite(txn, "second", 0, 1);
}

static void living_garbage(struct sti_lmdb_txn *txn)
{
    stele_error err;

    CHECK_OK(sti_garbage_add(txn, 1, &err), &err);
}

static void record(struct sti_lmdb_txn *txn, stele_bytes key, const char *value)
{
    stele_error err;

    CHECK_OK(sti_lmdb_put(txn, STI_LMDB_NAMES, key, stele_str(value), &err), &err);
}

static void damaged_garbage(struct sti_lmdb_txn *txn)
{
    record(txn, stele_bytes_of("g\0\0\0\7", 5), "01234");
}

static void short_garbage(struct sti_lmdb_txn *txn)
{
    record(txn, stele_str("g"), "01234");
}

static void unknown_record(struct sti_lmdb_txn *txn)
{
    record(txn, stele_str("x"), "value");
}

static void second_commit(struct sti_lmdb_txn *txn)
{
    record(txn, stele_str("commit"), "value");
}

static void long_name(struct sti_lmdb_txn *txn)
{
    static uint8_t key[511];

    memset(key, 'b', sizeof key);
    record(txn, stele_bytes_of(key, sizeof key), "value");
}

static void no_name(struct sti_lmdb_txn *txn)
{
    record(txn, stele_str("b"), "value");
}

static void damaged_record(struct sti_lmdb_txn *txn)
{
    record(txn, stele_str("bempty"), "value");
}

/* ---- Cases. ---- */

static const struct {
    void (*change)(struct sti_lmdb_txn *txn);
    const char *told;
    bool more; /* than one fault */
} cases[] = {
        {another_key, "first|it has 5 keys and", false},
        {another_value, "first|the hash of its keys differs", false},
        {longer_value, "first|it has 4 keys and", false},
        {missing_key, "first|it has 3 keys and", false},
        {stranger, "|there are entries of bucket number 77, which is none", false},
        {number_zero, "|there are entries of bucket number 0, which is none", false},
        {short_key, "|there is an entry with a key of no known form", false},
        {unlinked_layer, "|the tree has", false},
        {missing_bucket, "|there are 2 buckets instead of 3", false},
        {same_number, "empty|it has 4 keys", true},
        {old_number, "empty|it has", true},
        {without_hash, "|the hash of the buckets differs", false},
        {high_number, "empty|it has a number that cannot be", true},
        {other_count, "second|it has 1 keys", true},
        {living_garbage, "|number 1 is that of two buckets", false},
        {damaged_garbage, "|the record of a deleted bucket has version", false},
        {short_garbage, "|the record of a deleted bucket is damaged", false},
        {unknown_record, "|a record of no known kind", false},
        {second_commit, "|a record of no known kind", false},
        {long_name, "bbbb", false},
        {no_name, "|the name has a wrong length", false},
        {damaged_record, "empty|the record of a bucket has version", true},
};

/* "first" 1, "second" 2, "third" 3 deleted, "empty" 4. */
static void fill(struct kit *k)
{
    static uint8_t key[1500];
    struct sti_apply *a;
    stele_error err;

    (void)kit_bucket(k, "first");
    (void)kit_bucket(k, "second");
    (void)kit_bucket(k, "third");
    (void)kit_bucket(k, "empty");
    memset(key, 'k', sizeof key);
    a = kit_begin(k);
    CHECK_OK(sti_apply_put(a, 1, stele_bytes_of(key, 481), stele_str("long"), &err), &err);
    CHECK_OK(sti_apply_put(a, 1, stele_bytes_of(key, 1500), stele_str("longer"), &err), &err);
    CHECK_OK(sti_apply_put(a, 1, stele_str("one"), stele_str("1"), &err), &err);
    CHECK_OK(sti_apply_put(a, 1, stele_str("two"), stele_str("2"), &err), &err);
    CHECK_OK(sti_apply_put(a, 2, stele_str("three"), stele_str("3"), &err), &err);
    for (unsigned i = 0; i < 6000; i++) {
        char out[32];

        CHECK_OK(sti_apply_put(a, 3, kit_numbered(out, "k", i), stele_str("v"), &err), &err);
    }
    kit_commit(k, a);
    a = kit_begin(k);
    CHECK_OK(sti_apply_drop(a, 3, &err), &err);
    kit_commit(k, a);
}

static void test_whole(void **state)
{
    struct kit *k = *state;
    stele_store_checked sum;
    struct told t;

    CHECK_CODE(scrub(k, &t, &sum), STELE_OK);
    assert_int_equal(sum.buckets, 0);
    fill(k);
    /* A part of the deleted bucket is still there. */
    CHECK_CODE(scrub(k, &t, &sum), STELE_OK);
    assert_int_equal(sum.buckets, 3);
    assert_int_equal(sum.keys, 5);
    kit_commit(k, kit_begin(k));
    kit_commit(k, kit_begin(k));
    CHECK_CODE(scrub(k, &t, &sum), STELE_OK);
    assert_int_equal(sum.keys, 5);
}

static void change(struct kit *k, void (*how)(struct sti_lmdb_txn *txn), bool with_record)
{
    struct sti_commit_record r;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    how(txn);
    if (with_record) {
        r = k->buckets->commit;
        CHECK_OK(sti_commit_record_write(txn, &r, &err), &err);
    }
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
}

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stele_store_checked sum;
        struct told t;
        void *p = NULL;
        struct kit *k;

        (void)kit_set_up(&p);
        k = p;
        fill(k);
        change(k, cases[i].change, true);
        assert_true(scrub(k, &t, &sum) < STELE_OK);
        if (strncmp(t.first, cases[i].told, strlen(cases[i].told)) != 0) {
            print_error("%zu: \"%s\" instead of \"%s\"\n", i, t.first, cases[i].told);
            fail();
        }
        if (!cases[i].more && t.count != 1) {
            print_error("%zu: %zu faults\n", i, t.count);
            fail();
        }
        (void)kit_tear_down(&p);
    }
}

static void nothing(struct sti_lmdb_txn *txn)
{
    (void)txn;
}

/* Somebody else wrote, and did not say so. */
static void test_foreign_commit(void **state)
{
    struct kit *k = *state;
    stele_store_checked sum;
    struct told t;

    fill(k);
    change(k, nothing, true);
    CHECK_CODE(scrub(k, &t, &sum), STELE_OK);
    change(k, another_key, false);
    CHECK_CODE(scrub(k, &t, &sum), STELE_ECORRUPT);
    assert_int_equal(strncmp(t.first, "|the newest page 0 or 1 is of", 29), 0);
}

/* Below a damaged link nothing can be read, but other buckets can. */
static void damage_link(struct sti_lmdb_txn *txn)
{
    static uint8_t chunk[STI_KEY_CHUNK];
    uint8_t link[STI_LINK_SIZE];
    struct sti_key raw;
    stele_error err;

    memset(chunk, 'k', sizeof chunk);
    sti_key_link(&raw, 1, STI_LAYER_TOP, stele_bytes_of(chunk, sizeof chunk));
    sti_link_encode(link, sti_key_view(&raw), 1);
    link[3] ^= 1;
    CHECK_OK(sti_lmdb_put(txn, STI_LMDB_DATA, sti_key_view(&raw), stele_bytes_of(link, sizeof link),
                     &err),
            &err);
}

static void test_link(void **state)
{
    struct kit *k = *state;
    stele_store_checked sum;
    struct told t;

    fill(k);
    change(k, damage_link, true);
    CHECK_CODE(scrub(k, &t, &sum), STELE_ECORRUPT);
    assert_int_equal(t.count, 1);
    assert_int_equal(strncmp(t.first, "first|the checksum of a link", 28), 0);
    assert_int_equal(sum.buckets, 3);
    assert_int_equal(sum.keys, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_whole),
            TEST(test_foreign_commit),
            TEST(test_link),
            cmocka_unit_test(test_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
