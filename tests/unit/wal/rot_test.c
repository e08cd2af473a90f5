/* SPDX-License-Identifier: MIT
 *
 * rot_test.c: damage inside segments that were sealed long ago.
 *
 * Opening does not look there. What is read is verified: a damaged record is reported with file,
 * position and ids by each call that meets it, and by no other.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LAST = 200
};

struct place {
    char name[64];
    uint64_t at; /* of the frame */
};

/* A closed log of several segments. */
static void make(struct kit *k)
{
    kit_begin(k, STELE_WAL_STELE);
    kit_open(k);
    kit_fill(k, 1, LAST);
    assert_true(kit_stats(k).segments > 4);
    kit_close(k);
}

/* Where the record is: its data is looked for. */
static struct place find(struct kit *k, uint64_t id)
{
    uint8_t buffer[KIT_DATA_MAX];
    stele_bytes data = kit_data(id, buffer);
    struct place p = {.at = 0};

    assert_true(data.len > 20);
    for (unsigned number = 0; number < 100 && p.at == 0; number++) {
        uint8_t *bytes;
        uint8_t *found;
        size_t len;

        (void)snprintf(p.name, sizeof p.name, "%020u.wal", number);
        if (!tmpdir_exists(&k->dir, p.name)) {
            continue;
        }
        bytes = tmpdir_read(&k->dir, p.name, &len);
        found = memmem(bytes, len, data.data, data.len);
        p.at = found != NULL ? (uint64_t)(found - bytes) - 24 : 0;
        free(bytes);
    }
    assert_true(p.at > 0);
    return p;
}

static bool readable(struct kit *k, uint64_t id)
{
    uint8_t buffer[KIT_DATA_MAX];
    stele_buf buf;
    stele_code rc;

    stele_buf_init(&buf, KIT_DATA_MAX);
    rc = stele_wal_read(k->wal, id, &buf, &k->err);
    if (rc != STELE_OK) {
        CHECK_CODE(rc, STELE_ECORRUPT);
        assert_int_equal(buf.len, 0);
    } else {
        stele_bytes data = kit_data(id, buffer);

        assert_int_equal(buf.len, data.len);
        assert_true(data.len == 0 || memcmp(buf.data, data.data, data.len) == 0);
    }
    stele_buf_free(&buf);
    return rc == STELE_OK;
}

/* How many records cannot be read by their ids. */
static uint64_t count_unreadable(struct kit *k)
{
    uint64_t n = 0;

    for (uint64_t id = 1; id <= LAST; id++) {
        n += readable(k, id) ? 0 : 1;
    }
    return n;
}

static void a_flipped_bit_of_the_data(void **state)
{
    for (int map = 0; map < 2; map++) {
        struct kit k;
        struct place p;
        stele_wal_iter *it;

        (void)state;
        make(&k);
        k.opts.no_map = map == 0;
        p = find(&k, 20);
        tmpdir_flip(&k.dir, p.name, (p.at + 30) * 8);
        kit_open(&k);
        assert_int_equal(count_unreadable(&k), 1);
        assert_false(readable(&k, 20));
        CHECK_MESSAGE_HAS(&k.err, p.name);
        CHECK_MESSAGE_HAS(&k.err, "records 20 to ");
        assert_string_equal(k.err.file, p.name);
        assert_int_equal(k.err.position, p.at);
        it = kit_iter(&k, 1);
        for (uint64_t id = 1; id < 20; id++) {
            kit_gives(it, id);
        }
        for (int again = 0; again < 2; again++) {
            CHECK_CODE(stele_wal_iter_next(it, NULL, &k.err), STELE_ECORRUPT);
            assert_string_equal(k.err.file, p.name);
            assert_int_equal(k.err.position, p.at);
            CHECK_CODE(stele_wal_iter_error(it, NULL), STELE_ECORRUPT);
        }
        CHECK_MESSAGE_HAS(&k.err, "records 20 to ");
        CHECK_CODE(stele_wal_iter_close(it, &k.err), STELE_ECORRUPT);
        it = kit_iter(&k, 21);
        kit_gives_all(it, 21, LAST);
        CHECK_OK(stele_wal_iter_close(it, &k.err), &k.err);
        /* Writing is not concerned. */
        kit_fill(&k, LAST + 1, LAST + 5);
        CHECK_OK(stele_wal_trim(k.wal, 100, &k.err), &k.err);
        kit_end(&k);
    }
}

/* A length leads those astray that follow it up to the next place that the index knows. */
static void a_flipped_bit_of_a_length(void **state)
{
    struct kit k;
    struct place p;
    uint64_t n;

    (void)state;
    make(&k);
    p = find(&k, 20);
    tmpdir_flip(&k.dir, p.name, (p.at + 4) * 8 + 3);
    kit_open(&k);
    n = count_unreadable(&k);
    assert_true(n >= 1);
    assert_true(n < 16);
    assert_false(readable(&k, 20));
    kit_end(&k);
}

/* Without its seal a segment is walked through. */
static void a_damaged_seal(void **state)
{
    struct kit k;
    struct place p;
    uint8_t *bytes;
    size_t len;
    size_t at;

    (void)state;
    make(&k);
    p = find(&k, 20);
    bytes = tmpdir_read(&k.dir, p.name, &len);
    at = (size_t)p.at;
    while (bytes[at + 7] >> 6 == 0) {
        at += 24 + ((size_t)bytes[at + 4] | (size_t)bytes[at + 5] << 8);
        assert_true(at + 24 < len);
    }
    assert_int_equal(bytes[at + 7] >> 6, 2);
    free(bytes);
    tmpdir_flip(&k.dir, p.name, at * 8);
    kit_open(&k);
    kit_holds(&k, 1, LAST);
    kit_end(&k);
}

static void a_damaged_header(void **state)
{
    struct kit k;
    struct place p;
    uint64_t n;

    (void)state;
    make(&k);
    p = find(&k, 20);
    tmpdir_flip(&k.dir, p.name, 9 * 8);
    kit_open(&k);
    n = count_unreadable(&k);
    assert_true(n > 5);
    assert_true(n < 100);
    assert_false(readable(&k, 20));
    CHECK_MESSAGE_HAS(&k.err, p.name);
    assert_true(readable(&k, LAST));
    kit_end(&k);
}

/* What is damaged can be cut away, and what is before it kept. */
static void truncating_at_the_damage(void **state)
{
    struct kit k;
    struct place p;

    (void)state;
    make(&k);
    p = find(&k, 20);
    tmpdir_flip(&k.dir, p.name, (p.at + 30) * 8);
    kit_open(&k);
    CHECK_OK(stele_wal_truncate(k.wal, 19, &k.err), &k.err);
    kit_holds(&k, 1, 19);
    kit_fill(&k, 20, 60);
    kit_holds(&k, 1, 60);
    kit_reopen(&k);
    kit_holds(&k, 1, 60);
    kit_end(&k);
}

/* The file goes while the log is open: it is said by those who need it. */
static void a_missing_file(void **state)
{
    struct kit k;
    struct place p;
    char path[TMPDIR_PATH_SIZE];

    (void)state;
    make(&k);
    p = find(&k, 20);
    kit_open(&k);
    tmpdir_path(&k.dir, p.name, path);
    assert_int_equal(remove(path), 0);
    assert_false(readable(&k, 20));
    CHECK_MESSAGE_HAS(&k.err, "missing");
    assert_true(readable(&k, LAST));
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_flipped_bit_of_the_data),
            cmocka_unit_test(a_flipped_bit_of_a_length),
            cmocka_unit_test(a_damaged_seal),
            cmocka_unit_test(a_damaged_header),
            cmocka_unit_test(truncating_at_the_damage),
            cmocka_unit_test(a_missing_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
