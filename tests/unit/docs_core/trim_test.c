/* SPDX-License-Identifier: MIT
 *
 * trim_test.c: what is below the horizon goes, and nothing else changes by it: documents, versions,
 * keys and owners are as before, whatever comes afterwards.
 */
#include "docs/trim.h"

#include "base/alloc.h"
#include "docs/apply.h"
#include "kit.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY ((stele_time)86400 * 1000000)

/* Two unique keys, so that their claims date from different entries. */
#define TYPE                                                                     \
    "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary','unique':" \
    "true},{'name':'v','fields':['v'],'method':'binary','unique':true},{'name':" \
    "'n','fields':['n'],'method':'binary'}],'version':1}"

enum {
    IDS = 4,
    ENTRIES = 24,
    ROUNDS = 60,
    HORIZON_DAY = 10,
    LAST_DAY = 14
};

static uint64_t below(uint64_t *state, uint64_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % bound;
}

static void check_valid(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
}

static stele_code add_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    stele_buf *out = arg;

    CHECK_OK(stele_buf_append(out, key, err), err);
    CHECK_OK(stele_buf_append(out, stele_str("="), err), err);
    CHECK_OK(stele_buf_append(out, value, err), err);
    return stele_buf_append(out, stele_str("\n"), err);
}

static stele_code add_live(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct sti_docs_info info;
    stele_code rc = sti_docs_info_decode(&info, value, err);
    bool deleted = info.deleted;

    CHECK_OK(rc, err);
    sti_docs_info_free(&info);
    return deleted ? STELE_OK : add_pair(arg, key, value, err);
}

/* Documents, versions and claims, keys, and who shares one. */
static void dump(struct kit *k, stele_buf *out)
{
    static const enum sti_docs_bucket buckets[] = {
            STI_DOCS_NFO, STI_DOCS_DAT, STI_DOCS_KDT, STI_DOCS_IDX, STI_DOCS_CFL};

    stele_store_read *read = NULL;
    stele_error err;

    stele_buf_clear(out);
    CHECK_OK(stele_store_read_begin(&read, k->db->store, &err), &err);
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++) {
        CHECK_OK(stele_store_read_for_each(read, sti_docs_bucket_name(buckets[i]),
                         buckets[i] == STI_DOCS_NFO ? add_live : add_pair, out, &err),
                &err);
    }
    stele_store_read_end(read);
}

static uint64_t count_of(struct kit *k, enum sti_docs_bucket bucket)
{
    stele_store_read *read = NULL;
    uint64_t count = 0;
    stele_error err;

    CHECK_OK(stele_store_read_begin(&read, k->db->store, &err), &err);
    CHECK_OK(stele_store_read_count(read, sti_docs_bucket_name(bucket), &count, &err), &err);
    stele_store_read_end(read);
    return count;
}

static stele_code try_apply(struct kit *k, const struct sti_docs_entry *entry)
{
    struct sti_docs_write w;
    struct sti_docs_change change;
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_error err;
    stele_code rc;

    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(sti_docs_change_prepare(&change, &w, entry, NULL, false, &err), &err);
    rc = sti_docs_apply(&w, &change, &applied, &err);
    sti_docs_change_free(&change);
    CHECK_CODE(sti_docs_write_end(&w, rc, &err), rc);
    return rc;
}

static uint64_t trim(struct kit *k, stele_time horizon)
{
    uint64_t count = 0;
    stele_error err;

    CHECK_OK(stele_docs_trim(k->db, horizon, &count, &err), &err);
    return count;
}

static void begin_anew(struct kit *k)
{
    kit_close(k);
    tmpdir_remove(&k->tmp);
    tmpdir_make(&k->tmp);
    kit_open(k);
    kit_register(k, TYPE);
}

/* ---- Any entries. ---- */

struct made {
    char ids[ENTRIES][4];
    char texts[ENTRIES][64];
    struct sti_docs_entry entries[ENTRIES];
};

static void make_entries(struct made *m, uint64_t *state)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        bool is_delete = below(state, 6) == 0;

        (void)snprintf(m->ids[i], sizeof m->ids[i], "%c", (char)('a' + (int)below(state, IDS)));
        (void)snprintf(m->texts[i], sizeof m->texts[i],
                "{\"@type\":\"t\",\"u\":%" PRIu64 ",\"v\":%" PRIu64 ",\"n\":1}", below(state, 3),
                below(state, 3));
        m->entries[i] = (struct sti_docs_entry){
                .version = {(int64_t)(86400 * below(state, LAST_DAY) + below(state, 9)),
                        (uint32_t)i, 1},
                .is_delete = is_delete,
                .id = stele_str(m->ids[i]),
                .json = is_delete ? stele_nil() : stele_str(m->texts[i]),
        };
    }
}

static void apply_part(struct kit *k, const struct made *m, bool low, bool high, uint64_t *state)
{
    uint64_t from = below(state, ENTRIES);

    for (size_t i = 0; i < ENTRIES; i++) {
        const struct sti_docs_entry *entry = &m->entries[(from + i * 7) % ENTRIES];

        if (entry->version.seconds < 86400 * HORIZON_DAY ? low : high) {
            assert_int_equal(try_apply(k, entry), STELE_OK);
        }
    }
}

/* Trimmed before what is above the horizon comes, after it, or not at all: the same. */
static void test_same(void **state)
{
    struct kit *k = *state;
    uint64_t random = 4711;
    uint64_t gone = 0;
    stele_buf whole;
    stele_buf now;
    stele_error err;

    print_message("seed %" PRIu64 "\n", random);
    stele_buf_init(&whole, SIZE_MAX);
    stele_buf_init(&now, SIZE_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        struct made m;

        make_entries(&m, &random);
        begin_anew(k);
        apply_part(k, &m, true, true, &random);
        dump(k, &whole);
        gone += trim(k, HORIZON_DAY * DAY + DAY / 2);
        dump(k, &now);
        CHECK_BYTES(stele_buf_view(&now), stele_buf_view(&whole));
        check_valid(k);
        CHECK_OK(stele_docs_reindex(k->db, &err), &err);
        dump(k, &now);
        CHECK_BYTES(stele_buf_view(&now), stele_buf_view(&whole));
        check_valid(k);
        assert_int_equal(trim(k, HORIZON_DAY * DAY), 0);
        begin_anew(k);
        apply_part(k, &m, true, false, &random);
        gone += trim(k, HORIZON_DAY * DAY);
        check_valid(k);
        apply_part(k, &m, false, true, &random);
        check_valid(k);
        dump(k, &now);
        CHECK_BYTES(stele_buf_view(&now), stele_buf_view(&whole));
        gone += trim(k, HORIZON_DAY * DAY);
        dump(k, &now);
        CHECK_BYTES(stele_buf_view(&now), stele_buf_view(&whole));
        check_valid(k);
    }
    assert_true(gone > ROUNDS);
    stele_buf_free(&whole);
    stele_buf_free(&now);
}

/* ---- What is seen of it. ---- */

struct heard {
    char text[128];
    uint64_t last;
};

static stele_code hear(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct heard *h = arg;
    size_t len = strlen(h->text);

    (void)err;
    (void)snprintf(h->text + len, sizeof h->text - len, "%.*s%s%s ", (int)entry->id.len,
            (const char *)entry->id.data, entry->is_delete ? "-" : "+",
            entry->after_gap ? "?" : "");
    h->last = entry->seq;
    return STELE_OK;
}

static void check_log(struct kit *k, const char *text)
{
    struct heard h = {.last = 0};
    stele_error err;

    CHECK_OK(stele_docs_log(k->db, stele_nil(), hear, &h, &err), &err);
    assert_string_equal(h.text, text);
}

static void check_history(struct kit *k, const char *id, const char *text)
{
    struct heard h = {.last = 0};
    stele_error err;

    CHECK_OK(stele_docs_history(k->db, stele_str(id), hear, &h, &err), &err);
    assert_string_equal(h.text, text);
}

static stele_code count_days(void *arg, const stele_docs_checkpoint *checkpoint, stele_error *err)
{
    uint64_t *count = arg;

    (void)err;
    *count += checkpoint->count;
    return STELE_OK;
}

static void fill(struct kit *k)
{
    kit_register(k, TYPE);
    kit_set(k, "a", "{'@type':'t','u':1}");
    kit_set(k, "a", "{'@type':'t','u':1,'n':1}");
    kit_set(k, "a", "{'@type':'t','u':1,'n':2}");
    kit_set(k, "b", "{'x':1}");
    kit_delete(k, "b");
    kit_set(k, "c", "{'x':1}");
    k->now += DAY;
    kit_set(k, "c", "{'x':2}");
    kit_delete(k, "c");
    kit_set(k, "d", "{'x':1}");
    k->now += DAY;
}

static void test_seen(void **state)
{
    struct kit *k = *state;
    uint64_t count = 0;
    stele_docs_version version;
    stele_docs_version a;
    bool deleted = false;
    stele_error err;

    fill(k);
    CHECK_CODE(stele_docs_trim(k->db, k->now + DAY, &count, &err), STELE_EINVAL);
    CHECK_CODE(stele_docs_trim(k->db, -1, &count, &err), STELE_EINVAL);
    assert_int_equal(trim(k, KIT_NOW), 0); /* taken down to a day that had nothing before */
    check_history(k, "a", "a+? a+ a+ ");
    CHECK_OK(stele_docs_version_of(k->db, stele_str("a"), &a, &deleted, &err), &err);
    assert_int_equal(trim(k, KIT_NOW + DAY), 4);
    check_log(k, "a+ a+ c+ c- d+ ");
    check_history(k, "a", "a+? a+? ");
    check_history(k, "b", "");
    check_history(k, "c", "c+? c- ");
    check_valid(k);
    CHECK_CODE(stele_docs_version_of(k->db, stele_str("b"), &version, &deleted, &err),
            STELE_ENOTFOUND);
    CHECK_OK(stele_docs_checkpoints(k->db, count_days, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_int_equal(count_of(k, STI_DOCS_CHK), 1);
    assert_int_equal(trim(k, k->now), 2);
    check_log(k, "a+ a+ d+ ");
    CHECK_CODE(stele_docs_version_of(k->db, stele_str("c"), &version, &deleted, &err),
            STELE_ENOTFOUND);
    assert_int_equal(count_of(k, STI_DOCS_AGG), 0);
    assert_int_equal(count_of(k, STI_DOCS_SEQ), 3);
    CHECK_OK(stele_docs_version_of(k->db, stele_str("a"), &version, &deleted, &err), &err);
    assert_int_equal(kit_compare_versions(version, a), 0);
    check_valid(k);
    kit_close(k);
    kit_open(k);
    check_valid(k);
    kit_check_match(k, "t", "{'u':1}", "a");
}

static void test_feed(void **state)
{
    struct kit *k = *state;
    struct heard h = {.last = 0};
    stele_wait now = {.timeout_ms = 0};
    stele_error err;

    fill(k);
    CHECK_OK(stele_docs_feed(k->db, 0, hear, &h, &err), &err);
    assert_int_equal(h.last, 9);
    trim(k, KIT_NOW + DAY);
    CHECK_CODE(stele_docs_feed(k->db, 5, hear, &h, &err), STELE_EOFFSET);
    CHECK_MESSAGE_HAS(&err, "was trimmed, up to 6");
    CHECK_CODE(stele_docs_feed_wait(k->db, 5, NULL, &err), STELE_EOFFSET);
    h.text[0] = 0;
    CHECK_OK(stele_docs_feed(k->db, 6, hear, &h, &err), &err);
    assert_string_equal(h.text, "c+ c- d+ ");
    h.text[0] = 0;
    CHECK_OK(stele_docs_feed(k->db, 0, hear, &h, &err), &err);
    assert_string_equal(h.text, "a+ a+ c+ c- d+ ");
    kit_delete(k, "a");
    kit_delete(k, "d");
    k->now += DAY;
    trim(k, k->now);
    assert_int_equal(count_of(k, STI_DOCS_SEQ), 0);
    CHECK_CODE(stele_docs_feed_wait(k->db, 0, &now, &err), STELE_ETIMEDOUT);
    kit_close(k);
    kit_open(k);
    kit_set(k, "e", "{}");
    h.text[0] = 0;
    CHECK_OK(stele_docs_feed(k->db, 11, hear, &h, &err), &err);
    assert_string_equal(h.text, "e+ ");
    assert_int_equal(h.last, 12);
}

/* What is refused, and what is known though it is below the horizon. */
static void test_from_before(void **state)
{
    struct kit *k = *state;
    struct sti_docs_entry entry = {
            .version = {5, 0, 1}, .id = stele_str("a"), .json = stele_str("{}")};
    stele_docs_version now;

    assert_int_equal(try_apply(k, &entry), STELE_OK);
    k->now = 2 * DAY;
    trim(k, DAY);
    assert_int_equal(try_apply(k, &entry), STELE_OK);
    entry.version.ns = 1;
    assert_int_equal(try_apply(k, &entry), STELE_ESTALE);
    entry.id = stele_str("b");
    assert_int_equal(try_apply(k, &entry), STELE_ESTALE);
    entry.version.seconds = 86400;
    assert_int_equal(try_apply(k, &entry), STELE_OK);
    kit_check_all(k, "a b");
    kit_close(k);
    k->now = 0;
    kit_open(k);
    now = kit_set(k, "a", "{}");
    assert_true(now.seconds >= 86400);
    check_valid(k);
}

/* ---- Backups. ---- */

static stele_code write_buf(void *arg, const void *data, size_t len, stele_error *err)
{
    return stele_buf_append(arg, stele_bytes_of(data, len), err);
}

struct source {
    stele_bytes rest;
};

static stele_code read_buf(void *arg, void *out, size_t len, size_t *got, stele_error *err)
{
    struct source *s = arg;

    (void)err;
    *got = len < s->rest.len ? len : s->rest.len;
    if (*got > 0) {
        memcpy(out, s->rest.data, *got);
        s->rest = stele_bytes_of(s->rest.data + *got, s->rest.len - *got);
    }
    return STELE_OK;
}

static void test_backup(void **state)
{
    struct kit *k = *state;
    stele_docs_backup_options options;
    struct source source;
    stele_buf stream;
    stele_buf again;
    stele_error err;

    fill(k);
    trim(k, KIT_NOW + DAY);
    stele_docs_backup_options_init(&options);
    stele_buf_init(&stream, SIZE_MAX);
    stele_buf_init(&again, SIZE_MAX);
    CHECK_OK(stele_docs_backup(k->db, &options, write_buf, &stream, NULL, &err), &err);
    begin_anew(k);
    trim(k, k->now);
    source.rest = stele_buf_view(&stream);
    CHECK_OK(stele_docs_restore(k->db, read_buf, &source, true, NULL, &err), &err);
    check_valid(k);
    check_log(k, "a+ a+ c+ c- d+ ");
    kit_check_all(k, "a d");
    kit_check_match(k, "t", "{'u':1}", "a");
    CHECK_OK(stele_docs_backup(k->db, &options, write_buf, &again, NULL, &err), &err);
    CHECK_BYTES(stele_buf_view(&again), stele_buf_view(&stream));
    stele_buf_free(&stream);
    stele_buf_free(&again);
}

/* ---- Interrupted. ---- */

#ifdef STI_TESTING

static bool count_down(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

#endif

/* Wherever it is interrupted, everything fits together, and the next one does the rest. */
static void test_interrupted(void **state)
{
    struct kit *k = *state;
    stele_buf before;
    stele_buf now;
    int interrupted = 0;
    stele_error err;

    kit_register(k, TYPE);
    for (int i = 0; i < 700; i++) {
        char id[8];

        (void)snprintf(id, sizeof id, "%d", i % 100);
        if (i >= 600 && i % 13 == 12) {
            kit_delete(k, id);
        } else {
            kit_set(k, id, "{'@type':'t','n':1}");
        }
        k->now += 60000000;
    }
    stele_buf_init(&before, SIZE_MAX);
    stele_buf_init(&now, SIZE_MAX);
    dump(k, &before);
    k->now += DAY;
#ifdef STI_TESTING
    for (int n = 0; n < 4000; n += 151) {
        static int left; /* a thread may look at it when the hook has gone */
        stele_code rc;

        left = n;
        sti_alloc_set_hook(count_down, &left);
        rc = stele_docs_trim(k->db, k->now, NULL, &err);
        sti_alloc_set_hook(NULL, &left);
        interrupted += rc != STELE_OK;
        check_valid(k);
    }
    assert_true(interrupted > 1);
#endif
    trim(k, k->now);
    dump(k, &now);
    CHECK_BYTES(stele_buf_view(&now), stele_buf_view(&before));
    check_valid(k);
    assert_int_equal(count_of(k, STI_DOCS_LOG), count_of(k, STI_DOCS_DAT));
    assert_int_equal(count_of(k, STI_DOCS_LID), count_of(k, STI_DOCS_DAT));
    assert_int_equal(count_of(k, STI_DOCS_NFO), count_of(k, STI_DOCS_DAT));
    assert_int_equal(count_of(k, STI_DOCS_SEQ), count_of(k, STI_DOCS_DAT));
    assert_int_equal(count_of(k, STI_DOCS_AGG), 0);
    assert_int_equal(count_of(k, STI_DOCS_CHK), 0);
    stele_buf_free(&before);
    stele_buf_free(&now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_same, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_seen, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_feed, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_from_before, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_backup, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_interrupted, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
