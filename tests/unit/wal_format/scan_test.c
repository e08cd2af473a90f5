/* SPDX-License-Identifier: MIT
 *
 * scan_test.c: what is whole, what a crash tore, and what was damaged.
 */
#include "base/coding.h"
#include "base/crc32c.h"
#include "lib/check.h"
#include "lib/tmpdir.h"
#include "wal/segment.h"

#include <stdlib.h>

enum {
    SALT = 0x11223344,
    OLD_SALT = 0x55667788,
    NUMBER = 3,
    FIRST = 100,
    FILE_SIZE = 16384,
    RECORD_MAX = 8192
};

/* A file being made. */
struct maker {
    stele_wal_format format;
    uint8_t bytes[FILE_SIZE];
    size_t len;
    uint64_t next_id;
    uint32_t salt;
    size_t at[256]; /* of the records */
    size_t count;
};

static void begin(struct maker *m, stele_wal_format format, bool used_before)
{
    const struct sti_wal_header header = {
            .first_id = FIRST, .number = NUMBER, .salt = SALT, .used_before = used_before};

    memset(m, 0, sizeof *m);
    m->format = format;
    m->next_id = FIRST;
    m->salt = SALT;
    if (format == STELE_WAL_STELE) {
        sti_wal_header_encode(m->bytes, &header);
        m->len = STI_WAL_HEADER_SIZE;
    }
}

static void put(struct maker *m, enum sti_wal_kind kind, size_t durable, size_t data_len)
{
    uint8_t data[RECORD_MAX];

    assert_true(m->len + data_len + 64 <= sizeof m->bytes);
    memset(data, (int)(m->next_id & 0xff), sizeof data);
    if (kind == STI_WAL_RECORD) {
        m->at[m->count++] = m->len;
    }
    m->len += sti_wal_frame_encode(m->bytes + m->len, m->format, kind, m->next_id, m->salt,
            (uint32_t)durable, stele_bytes_of(data, data_len));
    m->next_id += kind == STI_WAL_RECORD;
}

/* So many records, each synced by itself. */
static void put_synced(struct maker *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(m, STI_WAL_RECORD, m->count == 0 ? 0 : m->len, (7 * m->count) % 90);
    }
}

/* Scan the first `len` bytes as a file. */
static stele_code scan(const struct maker *m, size_t len, bool reused, uint64_t known,
        struct sti_scan *out, stele_error *err)
{
    struct tmpdir t;
    struct sti_dir dir = {0};
    struct sti_segment *seg = NULL;
    stele_code rc;

    tmpdir_make(&t);
    assert_int_equal(sti_wal_segment_new(&seg, m->format, NUMBER, NULL), STELE_OK);
    tmpdir_write(&t, seg->name, m->bytes, len);
    assert_int_equal(sti_dir_open(&dir, NULL, t.path, 0, NULL), STELE_OK);
    assert_int_equal(sti_segment_open_file(seg, &dir, false, true, 0, NULL), STELE_OK);
    seg->reused = reused;
    rc = sti_segment_scan(seg, m->format == STELE_WAL_BLB, 0, known, out, err);
    if (rc == STELE_OK && out->records > 0) {
        assert_int_equal(seg->position_count, (out->records + 15) / 16);
        for (size_t i = 0; i < seg->position_count; i++) {
            assert_int_equal(seg->positions[i], m->at[16 * i]);
        }
    }
    sti_segment_drop(seg);
    sti_dir_close(&dir);
    tmpdir_remove(&t);
    return rc;
}

static void check_whole(const struct maker *m, const struct sti_scan *s, size_t records)
{
    assert_int_equal(s->records, records);
    assert_true(s->next_id == FIRST + records);
    assert_int_equal(s->end, records < m->count ? m->at[records] : m->len);
}

static void test_whole(void **state)
{
    static struct maker m;
    struct sti_scan s;
    stele_error err;

    (void)state;
    begin(&m, STELE_WAL_STELE, false);
    put_synced(&m, 40);
    CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
    check_whole(&m, &s, 40);
    assert_true(s.header && !s.torn && !s.damaged && !s.marked && !s.sealed);
    assert_int_equal(s.end, m.len);
    assert_int_equal(s.durable, m.at[39]);
    put(&m, STI_WAL_MARK, m.len, 0);
    CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
    assert_true(s.marked && !s.torn && !s.damaged && s.records == 40);
    assert_int_equal(s.end, m.len - STI_WAL_FRAME_SIZE);
    assert_int_equal(s.durable, s.end);
    assert_int_equal(s.torn_at, m.len);
    m.len -= STI_WAL_FRAME_SIZE;
    put(&m, STI_WAL_SEAL, m.len, 16);
    CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
    assert_true(s.sealed && !s.torn && !s.damaged && s.records == 40);

    begin(&m, STELE_WAL_BLB, false);
    put_synced(&m, 40);
    CHECK_OK(scan(&m, m.len, false, 0, &s, &err), &err);
    check_whole(&m, &s, 40);
    assert_true(!s.torn && !s.damaged && s.first_id == FIRST && s.end == m.len);
    CHECK_OK(scan(&m, m.len + 4096, false, 0, &s, &err), &err);
    assert_true(!s.torn && !s.damaged && s.records == 40 && s.file_size == m.len + 4096);
    CHECK_OK(scan(&m, 0, false, 0, &s, &err), &err);
    assert_true(!s.torn && !s.damaged && s.records == 0 && s.end == 0);
}

/* The last write, of three records, at every cut, in a new file and in one used before. */
static void test_torn(void **state)
{
    static struct maker m;
    struct sti_scan s;
    stele_error err;

    (void)state;
    for (int used = 0; used < 2; used++) {
        size_t before;
        size_t durable;

        begin(&m, STELE_WAL_STELE, used);
        put_synced(&m, 20);
        before = m.len;
        durable = m.len;
        for (int i = 0; i < 3; i++) {
            put(&m, STI_WAL_RECORD, durable, 50);
        }
        for (size_t cut = before; cut < m.len; cut++) {
            static struct maker c;
            size_t whole = 20 + (cut - before) / 74;
            size_t into = (cut - before) % 74;

            c = m;
            memset(c.bytes + cut, 0, m.len - cut);
            CHECK_OK(scan(&c, FILE_SIZE, used, 0, &s, &err), &err);
            check_whole(&m, &s, whole);
            assert_false(s.damaged);
            /* A file that was used before shows it once the salt is there. */
            assert_true(s.torn == (used ? into >= 20 : into > 0));
            assert_true(!s.torn || (s.torn_at == s.end && s.torn_end > s.end));
        }
        /* The first of them lost, the others there. */
        memset(m.bytes + before, 0, 74);
        CHECK_OK(scan(&m, FILE_SIZE, used, 0, &s, &err), &err);
        assert_true(s.torn && !s.damaged && s.resumes && s.records == 20);
        assert_true(s.resume_at == before + 74 && s.resume_id == FIRST + 21);
        assert_int_equal(s.torn_end, m.len);
    }
}

/* Any bit of what was acknowledged, a later frame saying so. */
static void test_damage(void **state)
{
    static struct maker m;
    struct sti_scan s;
    stele_error err;

    (void)state;
    begin(&m, STELE_WAL_STELE, false);
    put_synced(&m, 6);
    put(&m, STI_WAL_MARK, m.len, 0);
    for (size_t bit = 0; bit < 8 * m.at[5]; bit++) {
        m.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
        if (!s.damaged || s.header != (bit / 8 >= STI_WAL_HEADER_SIZE)) {
            fail_msg("bit %zu: header %d, torn %d, damaged %d", bit, s.header, s.torn, s.damaged);
        }
        assert_true(s.resumes);
        m.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    /* The mark itself proves nothing. */
    m.bytes[m.len - 1] ^= 1;
    CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
    assert_true(s.torn && !s.damaged && s.records == 6);
    /* The manifest may. */
    CHECK_OK(scan(&m, FILE_SIZE, false, s.end, &s, &err), &err);
    assert_false(s.damaged);
    CHECK_OK(scan(&m, FILE_SIZE, false, s.end + 1, &s, &err), &err);
    assert_true(s.damaged);
}

/* Old frames of a file that was used before are not evidence, begun or not. */
static void test_used_before(void **state)
{
    static struct maker old;
    static struct maker m;
    struct sti_scan s;
    stele_error err;

    (void)state;
    begin(&old, STELE_WAL_STELE, false);
    old.salt = OLD_SALT;
    put_synced(&old, 60);
    memset(old.bytes, 0, STI_WAL_HEADER_SIZE);
    CHECK_OK(scan(&old, FILE_SIZE, true, 0, &s, &err), &err);
    assert_true(!s.header && !s.torn && !s.damaged && s.end == 0);

    begin(&m, STELE_WAL_STELE, true);
    put_synced(&m, 10);
    memcpy(old.bytes, m.bytes, m.len);
    memcpy(m.bytes, old.bytes, sizeof m.bytes);
    CHECK_OK(scan(&m, FILE_SIZE, true, 0, &s, &err), &err);
    assert_true(s.header && !s.torn && !s.damaged && s.records == 10);
}

/* What the first write of a segment can leave is no damage. */
static void test_first_write(void **state)
{
    static struct maker m;
    struct sti_scan s;
    stele_error err;

    (void)state;
    begin(&m, STELE_WAL_STELE, false);
    for (int i = 0; i < 10; i++) {
        put(&m, STI_WAL_RECORD, 0, 100);
    }
    memset(m.bytes, 0, 512);
    CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
    assert_true(!s.header && s.torn && !s.damaged && s.torn_at == 0 && s.torn_end == m.len);
    memset(m.bytes, 0, sizeof m.bytes);
    CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
    assert_true(!s.header && !s.torn && !s.damaged);
    CHECK_OK(scan(&m, 0, false, 0, &s, &err), &err);
    assert_true(!s.header && !s.torn && !s.damaged);
    CHECK_OK(scan(&m, FILE_SIZE, false, 64, &s, &err), &err);
    assert_true(!s.header && s.damaged);
}

static void test_blb(void **state)
{
    static struct maker m;
    struct sti_scan s;
    stele_error err;

    (void)state;
    begin(&m, STELE_WAL_BLB, false);
    put_synced(&m, 30);
    m.bytes[m.at[29] + 13] ^= 1;
    CHECK_OK(scan(&m, m.len, false, 0, &s, &err), &err);
    assert_true(s.torn && !s.damaged && !s.resumes && s.records == 29);
    assert_true(s.torn_at == m.at[29] && s.torn_end == m.len);
    CHECK_OK(scan(&m, m.len, false, m.len, &s, &err), &err);
    assert_true(s.damaged);
    m.bytes[m.at[29] + 13] ^= 1;
    m.bytes[m.at[10]] ^= 1;
    CHECK_OK(scan(&m, m.len, false, 0, &s, &err), &err);
    assert_true(s.torn && s.resumes && s.records == 10);
    assert_true(s.resume_id == FIRST + 11 && s.resume_at == m.at[11]);
    m.bytes[m.at[10]] ^= 1;
    m.bytes[0] ^= 1; /* the first id of all */
    CHECK_OK(scan(&m, m.len, false, 0, &s, &err), &err);
    assert_true(s.torn && s.resumes && s.records == 0 && s.resume_id == FIRST + 1);
}

/* A file full of what looks like frames takes no longer than others. */
static void test_hostile(void **state)
{
    static struct maker m;
    struct sti_scan s;
    stele_error err;

    (void)state;
    begin(&m, STELE_WAL_STELE, false);
    for (size_t i = STI_WAL_HEADER_SIZE; i + 4 <= FILE_SIZE; i += 4) {
        sti_put_le32(m.bytes + i, SALT);
    }
    CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
    assert_true(s.torn && !s.damaged && s.records == 0);
    m.bytes[4] = 9;
    CHECK_OK(scan(&m, FILE_SIZE, false, 0, &s, &err), &err);
    assert_false(s.header);
    sti_put_le32(m.bytes + 28, sti_crc32c(0, m.bytes, 28));
    CHECK_CODE(scan(&m, FILE_SIZE, false, 0, &s, &err), STELE_EVERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_whole),
            cmocka_unit_test(test_torn),
            cmocka_unit_test(test_damage),
            cmocka_unit_test(test_used_before),
            cmocka_unit_test(test_first_write),
            cmocka_unit_test(test_blb),
            cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests_name("wal scan", tests, NULL, NULL);
}
