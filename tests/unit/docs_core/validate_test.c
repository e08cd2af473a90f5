/* SPDX-License-Identifier: MIT
 *
 * validate_test.c: a database fits together after every kind of change; what was damaged is found,
 * and mended by making it anew, which changes nothing where nothing is damaged.
 */
#include "docs/state.h"
#include "kit.h"

#include <inttypes.h>
#include <stdio.h>

#define TYPE(method, version)                                                              \
    "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'" method "','unique':true}," \
    "{'name':'tags','fields':['tags'],'method':'binary','array':true},"                    \
    "{'name':'two','fields':['n','u'],'method':'binary'}],'version':" version "}"

enum {
    STEPS = 600,
    ROUNDS = 120,
    IDS = 12
};

static uint64_t below(uint64_t *state, uint64_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % bound;
}

static void print_fault(void *arg, const stele_docs_fault *fault)
{
    uint64_t *count = arg;

    if (++*count == 1) {
        print_message("%.*s: %s\n", (int)fault->id.len, (const char *)fault->id.data, fault->text);
    }
}

static void check_valid(struct kit *k)
{
    stele_docs_validated found = {.faults = 1};
    uint64_t count = 0;
    stele_error err;

    CHECK_OK(stele_docs_validate(k->db, print_fault, &count, &found, &err), &err);
    assert_int_equal(count, 0);
    assert_int_equal(found.faults, 0);
    assert_int_equal(found.unreadable, 0);
}

static stele_code add_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    stele_buf *out = arg;

    CHECK_OK(stele_buf_append(out, key, err), err);
    CHECK_OK(stele_buf_append(out, stele_str("="), err), err);
    return stele_buf_append(out, value, err);
}

static void dump(struct kit *k, stele_buf *out)
{
    stele_store_read *read = NULL;
    stele_error err;

    stele_buf_init(out, SIZE_MAX);
    CHECK_OK(stele_store_read_begin(&read, k->db->store, &err), &err);
    for (int b = 0; b < STI_DOCS_BUCKET_COUNT; b++) {
        CHECK_OK(stele_store_read_for_each(
                         read, sti_docs_bucket_name((enum sti_docs_bucket)b), add_pair, out, &err),
                &err);
    }
    stele_store_read_end(read);
}

/* Made anew, everything is as it was. */
static void check_rebuilt(struct kit *k)
{
    stele_buf before;
    stele_buf after;
    stele_error err;

    dump(k, &before);
    CHECK_OK(stele_docs_reindex(k->db, &err), &err);
    dump(k, &after);
    CHECK_BYTES(stele_buf_view(&after), stele_buf_view(&before));
    stele_buf_free(&before);
    stele_buf_free(&after);
}

static void step(struct kit *k, uint64_t *state)
{
    char id[8];
    char json[128];
    stele_code rc;
    stele_error err;

    k->now += (stele_time)below(state, 4000) * 1000000;
    (void)snprintf(id, sizeof id, "%02" PRIu64, below(state, IDS));
    if (below(state, 4) == 0) {
        rc = stele_docs_delete(k->db, stele_str(id), NULL, &err);
        assert_true(rc == STELE_OK || rc == STELE_ENOTFOUND);
        return;
    }
    (void)snprintf(json, sizeof json,
            "{'@type':'%s','u':'%c','n':%" PRIu64 ",'tags':[%" PRIu64 ",%" PRIu64 "]}",
            below(state, 5) == 0 ? "other" : "t", (char)('a' + (int)below(state, 20)),
            below(state, 3), below(state, 3), below(state, 3));
    rc = kit_try_set(k, id, json, &err);
    assert_true(rc == STELE_OK || rc == STELE_ECONFLICT);
}

static void fill(struct kit *k, uint64_t *state)
{
    for (int i = 0; i < STEPS; i++) {
        step(k, state);
        if (i == STEPS / 4) {
            kit_register(k, TYPE("utf8", "1"));
        } else if (i == STEPS / 2) {
            kit_register(k, TYPE("binary", "2"));
        }
        if (i % 100 == 99) {
            check_valid(k);
            check_rebuilt(k);
        }
        if (i % 250 == 249) {
            kit_close(k);
            kit_open(k);
        }
    }
}

static void test_valid(void **state)
{
    struct kit *k = *state;
    uint64_t seed = 4711;

    print_message("seed %" PRIu64 "\n", seed);
    check_valid(k);
    check_rebuilt(k);
    fill(k, &seed);
    check_valid(k);
}

/* ---- Damage. ---- */

/* The n-th pair of a bucket; the key is copied. */
static bool nth(struct sti_docs_write *w, enum sti_docs_bucket bucket, uint64_t n, stele_buf *key,
        stele_buf *value)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes k = stele_nil();
    stele_bytes v = stele_nil();
    stele_code rc;
    stele_error err;

    CHECK_OK(stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(bucket), &err), &err);
    rc = stele_store_cursor_first(cursor, &err);
    for (uint64_t i = 0; i < n && rc == STELE_OK; i++) {
        rc = stele_store_cursor_next(cursor, &err);
    }
    if (rc == STELE_OK) {
        CHECK_OK(stele_store_cursor_pair(cursor, &k, &v, &err), &err);
        stele_buf_clear(key);
        stele_buf_clear(value);
        CHECK_OK(stele_buf_append(key, k, &err), &err);
        CHECK_OK(stele_buf_append(value, v, &err), &err);
    }
    stele_store_cursor_close(cursor);
    return rc == STELE_OK;
}

/* Take a pair away, change it, or add one of its kind. */
static bool damage(struct kit *k, uint64_t *state)
{
    static const enum sti_docs_bucket buckets[] = {
            STI_DOCS_LID, STI_DOCS_CHK, STI_DOCS_AGG, STI_DOCS_KDT, STI_DOCS_IDX, STI_DOCS_NFO};
    enum sti_docs_bucket bucket = buckets[below(state, sizeof buckets / sizeof buckets[0])];
    struct sti_docs_write w;
    stele_buf key;
    stele_buf value;
    bool done;
    stele_error err;

    stele_buf_init(&key, SIZE_MAX);
    stele_buf_init(&value, SIZE_MAX);
    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    done = nth(&w, bucket, below(state, IDS), &key, &value);
    if (done && bucket != STI_DOCS_NFO && below(state, 3) == 0) {
        CHECK_OK(sti_docs_remove(&w, bucket, stele_buf_view(&key), &err), &err);
    } else if (done && bucket != STI_DOCS_NFO && below(state, 2) == 0) {
        CHECK_OK(stele_buf_append(&key, stele_str("x"), &err), &err);
        CHECK_OK(
                sti_docs_put(&w, bucket, stele_buf_view(&key), stele_buf_view(&value), &err), &err);
    } else if (done && bucket != STI_DOCS_LID && bucket != STI_DOCS_NFO) {
        value.data[value.len - 1] ^= 1;
        CHECK_OK(
                sti_docs_put(&w, bucket, stele_buf_view(&key), stele_buf_view(&value), &err), &err);
    } else if (done && bucket == STI_DOCS_NFO && value.len > 17) {
        /* The version of a claim. */
        value.data[value.len - 1] ^= 1;
        CHECK_OK(
                sti_docs_put(&w, bucket, stele_buf_view(&key), stele_buf_view(&value), &err), &err);
    } else {
        done = false;
    }
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    stele_buf_free(&key);
    stele_buf_free(&value);
    return done;
}

static void count_fault(void *arg, const stele_docs_fault *fault)
{
    uint64_t *count = arg;

    assert_true(strlen(fault->text) > 0);
    ++*count;
}

static void test_damage(void **state)
{
    struct kit *k = *state;
    uint64_t seed = 815;
    int damaged = 0;

    print_message("seed %" PRIu64 "\n", seed);
    fill(k, &seed);
    for (int i = 0; i < ROUNDS; i++) {
        stele_docs_validated found = {.faults = 0};
        uint64_t count = 0;
        stele_error err;

        if (!damage(k, &seed)) {
            continue;
        }
        damaged++;
        CHECK_CODE(stele_docs_validate(k->db, count_fault, &count, &found, &err), STELE_ECORRUPT);
        assert_true(count > 0);
        assert_int_equal(count, found.faults);
        CHECK_OK(stele_docs_reindex(k->db, &err), &err);
        check_valid(k);
    }
    assert_true(damaged > ROUNDS / 3);
}

/* Each bit of each value that follows from others is noticed; one of each byte is mended. */
static void flip_bits(struct kit *k, enum sti_docs_bucket bucket, stele_buf *key, stele_buf *value)
{
    for (size_t bit = 0; bit < value->len * 8; bit++) {
        struct sti_docs_write w;
        stele_error err;

        value->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
        CHECK_OK(sti_docs_put(&w, bucket, stele_buf_view(key), stele_buf_view(value), &err), &err);
        CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
        CHECK_CODE(stele_docs_validate(k->db, NULL, NULL, NULL, &err), STELE_ECORRUPT);
        if (bit % 8 == 0) {
            CHECK_OK(stele_docs_reindex(k->db, &err), &err);
            check_valid(k);
        }
        value->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
        CHECK_OK(sti_docs_put(&w, bucket, stele_buf_view(key), stele_buf_view(value), &err), &err);
        CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    }
}

static void test_each_bit(void **state)
{
    static const enum sti_docs_bucket buckets[] = {
            STI_DOCS_LID, STI_DOCS_CHK, STI_DOCS_AGG, STI_DOCS_KDT, STI_DOCS_IDX, STI_DOCS_CFL};
    struct kit *k = *state;
    size_t pairs = 0;

    /* Two who claim one key. */
    kit_set(k, "a", "{'@type':'t','u':'x','tags':[1]}");
    kit_set(k, "b", "{'@type':'t','u':'x'}");
    kit_register(k, TYPE("binary", "1"));
    for (size_t b = 0; b < sizeof buckets / sizeof buckets[0]; b++) {
        bool more = true;

        for (uint64_t n = 0; more; n++) {
            struct sti_docs_write w;
            stele_buf key;
            stele_buf value;
            stele_error err;

            stele_buf_init(&key, SIZE_MAX);
            stele_buf_init(&value, SIZE_MAX);
            CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
            more = nth(&w, buckets[b], n, &key, &value);
            CHECK_CODE(sti_docs_write_end(&w, STELE_ECANCELED, &err), STELE_ECANCELED);
            if (more) {
                flip_bits(k, buckets[b], &key, &value);
                pairs++;
            }
            stele_buf_free(&key);
            stele_buf_free(&value);
        }
    }
    assert_true(pairs > 10);
    check_valid(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_valid, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_damage, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_each_bit, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
