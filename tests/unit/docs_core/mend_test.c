/* SPDX-License-Identifier: MIT
 *
 * mend_test.c: bits of a database's file flip: what can be read no more is told from the rest, or
 * goes, and all that is left fits together.
 */
#include <stele/store.h>

#include "docs/peer.h"
#include "docs/state.h"
#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DOCUMENTS = 40,
    TRIALS = 150,
    TRIALS_FULL = 5000,
    FILE_MAX = 4 << 20
};

static const char type[] =
        "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary','unique':true},"
        "{'name':'s','fields':['s'],'method':'utf8'}],'expiry':'end','version':1}";

static void fill(struct kit *k)
{
    kit_register(k, type);
    for (int i = 0; i < DOCUMENTS; i++) {
        char id[16];
        char json[96];

        (void)snprintf(id, sizeof id, "doc%d", i);
        for (int j = 0; j < 1 + i % 3; j++) {
            k->now += 700000;
            (void)snprintf(json, sizeof json, "{'@type':'t','u':%d,'s':'text-%d-%d'%s}", i, i, j,
                    i % 11 == 0 ? ",'end':4000000000" : "");
            kit_set(k, id, json);
        }
        if (i % 5 == 4) {
            k->now += 700000;
            kit_delete(k, id);
        }
    }
}

/* ---- The file. ---- */

static uint8_t whole[FILE_MAX];
static size_t whole_len;

static FILE *open_file(const struct kit *k, const char *mode)
{
    char path[4096];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/gen-1/data.mdb", k->tmp.path);
    file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static void read_file(const struct kit *k)
{
    FILE *file = open_file(k, "rb");

    whole_len = fread(whole, 1, sizeof whole, file);
    assert_true(whole_len > 0 && whole_len < sizeof whole);
    (void)fclose(file);
}

static void write_file(const struct kit *k, const uint8_t *bytes)
{
    FILE *file = open_file(k, "wb");

    assert_int_equal(fwrite(bytes, 1, whole_len, file), whole_len);
    (void)fclose(file);
}

/* Flip a bit in each place where a text stands behind so many bytes of something else that tells
 * values of the log ("CDBL") from documents. */
static unsigned flip_text(uint8_t *bytes, const char *text, bool in_log)
{
    size_t len = strlen(text);
    unsigned count = 0;

    for (size_t i = 0; i + len <= whole_len; i++) {
        bool log = false;

        if (memcmp(bytes + i, text, len) != 0) {
            continue;
        }
        for (size_t j = i > 80 ? i - 80 : 0; j + 4 <= i; j++) {
            log = log || memcmp(bytes + j, "CDBL", 4) == 0;
        }
        if (log == in_log) {
            bytes[i] ^= 4;
            count++;
        }
    }
    return count;
}

/* ---- What a database says. ---- */

static stele_code put_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    stele_code rc = stele_buf_append(arg, entry->log_id, err);

    rc = rc == STELE_OK ? stele_buf_append(arg, entry->json, err) : rc;
    return rc == STELE_OK ? stele_buf_append(arg, stele_str("\n"), err) : rc;
}

static stele_code put_state(struct kit *k, stele_buf *out)
{
    stele_docs_iter *it = NULL;
    stele_bytes id;
    stele_bytes json;
    stele_code rc = stele_docs_log(k->db, stele_nil(), put_entry, out, NULL);

    rc = rc == STELE_OK ? stele_docs_range(&it, k->db, stele_nil(), stele_nil(), false, NULL) : rc;
    while (rc == STELE_OK) {
        rc = stele_docs_iter_next(it, &id, &json, NULL);
        rc = rc == STELE_OK ? stele_buf_append(out, id, NULL) : rc;
        rc = rc == STELE_OK ? stele_buf_append(out, json, NULL) : rc;
    }
    stele_docs_iter_end(it);
    return rc == STELE_END ? STELE_OK : rc;
}

static struct sti_docs_mended mend(struct kit *k)
{
    struct sti_docs_mended found;
    stele_error err;

    CHECK_OK(sti_docs_peer_mend(k->db, NULL, &found, &err), &err);
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    return found;
}

static void before(struct kit *k, stele_buf *state)
{
    stele_buf_init(state, SIZE_MAX);
    fill(k);
    assert_int_equal(put_state(k, state), STELE_OK);
    kit_close(k);
    read_file(k);
}

/* ---- One by one. ---- */

static void test_nothing_is_damaged(void **state)
{
    struct kit *k = *state;
    struct sti_docs_mended found;

    fill(k);
    found = mend(k);
    assert_int_equal(found.damaged + found.lost + found.left, 0);
}

/* A document and its entry have the same text: one is told from the other. */
static void test_one_is_told_from_the_other(void **arg)
{
    struct kit *k = *arg;
    struct sti_docs_mended found;
    stele_buf state;
    stele_buf now;

    before(k, &state);
    for (int in_log = 0; in_log < 2; in_log++) {
        uint8_t *bytes = malloc(whole_len);

        assert_non_null(bytes);
        memcpy(bytes, whole, whole_len);
        assert_true(flip_text(bytes, "text-7-1", in_log != 0) > 0);
        write_file(k, bytes);
        free(bytes);
        kit_open(k);
        found = mend(k);
        assert_true(found.damaged > 0);
        assert_int_equal(found.lost, 0);
        stele_buf_init(&now, SIZE_MAX);
        assert_int_equal(put_state(k, &now), STELE_OK);
        CHECK_BYTES(stele_buf_view(&now), stele_buf_view(&state));
        stele_buf_free(&now);
        kit_close(k);
        write_file(k, whole);
    }
    kit_open(k);
    stele_buf_free(&state);
}

/* An entry of before is lost, and the sums do not have it any more: it comes again from a peer. */
static void test_what_is_lost_comes_again(void **arg)
{
    struct kit *k = *arg;
    struct sti_docs_mended found;
    struct sti_docs_taken taken;
    struct sti_docs_view view;
    struct sti_docs_aggregate sum;
    struct sti_docs_aggregate less;
    uint8_t *bytes;
    stele_bytes entry = stele_nil();
    stele_bytes key = stele_nil();
    stele_buf entries;
    stele_buf state;
    stele_buf now;
    stele_error err;

    before(k, &state);
    kit_open(k);
    stele_buf_init(&entries, SIZE_MAX);
    CHECK_OK(sti_docs_view_begin(&view, k->db, &err), &err);
    CHECK_OK(sti_docs_view_sum(
                     &view, stele_bytes_of("\0\0\0\0\0\0\0\0", 8), stele_nil(), &sum, &err),
            &err);
    sti_docs_view_end(&view);
    kit_close(k);
    bytes = malloc(whole_len);
    assert_non_null(bytes);
    memcpy(bytes, whole, whole_len);
    assert_true(flip_text(bytes, "text-8-0", true) > 0);
    write_file(k, bytes);
    free(bytes);
    kit_open(k);
    CHECK_OK(sti_docs_peer_put_note(k->db, stele_str("all is here"), &err), &err);
    found = mend(k);
    assert_int_equal(found.lost, 1);
    CHECK_OK(sti_docs_peer_get_note(k->db, &entries, &err), &err);
    assert_int_equal(entries.len, 0);
    CHECK_OK(sti_docs_view_begin(&view, k->db, &err), &err);
    CHECK_OK(sti_docs_view_sum(
                     &view, stele_bytes_of("\0\0\0\0\0\0\0\0", 8), stele_nil(), &less, &err),
            &err);
    sti_docs_view_end(&view);
    assert_int_equal(less.count, sum.count - 1);
    /* As a peer has it: from the state of before. */
    for (size_t i = 0; i + 8 < state.len && stele_is_nil(key); i++) {
        if (memcmp(state.data + i, "text-8-0", 8) == 0) {
            size_t from = i;

            while (from > 0 && memcmp(state.data + from, "{\"@type\"", 8) != 0) {
                from--;
            }
            key = stele_bytes_of(state.data + from - 4 - 16, 16 + 4);
            entry = stele_bytes_of(state.data + from,
                    (size_t)((const uint8_t *)memchr(state.data + from, '\n', state.len - from) -
                             (state.data + from)));
        }
    }
    {
        struct sti_docs_entry e = {.id = stele_str("doc8"), .json = entry};
        stele_bytes encoded;

        CHECK_OK(sti_docs_version_get(&e.version, key.data, &err), &err);
        CHECK_OK(sti_docs_entry_encode(&e, &entries, &err), &err);
        encoded = stele_buf_view(&entries);
        CHECK_OK(sti_docs_peer_apply(k->db, &encoded, 1, &taken, NULL, NULL, &err), &err);
        assert_int_equal(taken.made, 1);
    }
    stele_buf_init(&now, SIZE_MAX);
    assert_int_equal(put_state(k, &now), STELE_OK);
    CHECK_BYTES(stele_buf_view(&now), stele_buf_view(&state));
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    stele_buf_free(&now);
    stele_buf_free(&state);
    stele_buf_free(&entries);
}

/* ---- Any bit. ---- */

enum verdict {
    UNUSED = 10, /* nobody reads it */
    MENDED,
    LOST, /* mended, and entries were lost */
    ANEW, /* check says that it is damaged, and it is to be begun anew */
    WRONG
};

static void see_fault(void *arg, const stele_store_fault *fault)
{
    bool *pages = arg;

    *pages = *pages || (fault->code != STELE_OK && stele_is_nil(fault->key));
}

/* In a process of its own, as damaged pages may end it. */
static enum verdict try(struct kit *k, stele_bytes state)
{
    struct sti_docs_mended found;
    stele_code rc;
    bool pages = false;
    stele_buf now;

    rc = stele_store_check_dir(k->tmp.path, NULL, see_fault, &pages, NULL, NULL);
    if (pages) {
        return ANEW;
    }
    k->db = NULL;
    if (stele_docs_open(&k->db, k->tmp.path, &k->options, NULL) != STELE_OK) {
        return rc == STELE_OK ? WRONG : ANEW;
    }
    if (sti_docs_peer_mend(k->db, NULL, &found, NULL) != STELE_OK) {
        return rc == STELE_OK ? WRONG : ANEW;
    }
    if (found.left > 0) {
        return ANEW;
    }
    stele_buf_init(&now, SIZE_MAX);
    if (stele_docs_validate(k->db, NULL, NULL, NULL, NULL) != STELE_OK ||
            put_state(k, &now) != STELE_OK) {
        return WRONG;
    }
    if (!stele_bytes_equal(stele_buf_view(&now), state)) {
        return found.lost > 0 ? LOST : WRONG;
    }
    return found.damaged == 0 ? UNUSED : MENDED;
}

static int try_apart(struct kit *k, stele_bytes state)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        _exit((int)try(k, state));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : WRONG;
}

static void test_any_bit(void **arg)
{
    struct kit *k = *arg;
    const char *full = getenv("STELE_FULL");
    int trials = full != NULL && full[0] != 0 ? TRIALS_FULL : TRIALS;
    unsigned counts[WRONG + 1] = {0};
    uint64_t seed = 20;
    stele_buf state;

    before(k, &state);
    for (int i = 0; i < trials; i++) {
        size_t at;
        uint8_t bit;
        int verdict;

        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        at = (size_t)(seed >> 16) % whole_len;
        bit = (uint8_t)(1U << (seed >> 60) % 8);
        whole[at] ^= bit;
        write_file(k, whole);
        whole[at] ^= bit;
        verdict = try_apart(k, stele_buf_view(&state));
        if (verdict == WRONG) {
            fail_msg("bit %u of byte %zu", (unsigned)bit, at);
        }
        counts[verdict]++;
    }
    print_message("docs damage: %d bits flipped: %u of no use, %u mended from the rest, %u mended "
                  "with entries lost, %u found by check to be beyond that\n",
            trials, counts[UNUSED], counts[MENDED], counts[LOST], counts[ANEW]);
    assert_true(counts[MENDED] > 0);
    write_file(k, whole);
    kit_open(k);
    stele_buf_free(&state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_nothing_is_damaged, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_one_is_told_from_the_other, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_is_lost_comes_again, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_any_bit, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
