/* SPDX-License-Identifier: MIT
 *
 * iter_test.c: iterators over IDs against an array, in all directions; and a search there and back.
 */
#include "kit.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    IDS = 30, /* the even ones are there */
    ROUNDS = 400,
    MOVES = 40,
    NONE = -1
};

static uint64_t below(uint64_t *state, uint64_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % bound;
}

static stele_bytes id_of(char out[8], int n)
{
    (void)snprintf(out, 8, "%02d", n);
    return stele_str(out);
}

/* What an iterator over [start, end) should do: `at` is the last one given; else it stands before
 * (-2), behind (-3), or before one that was sought. */
struct model {
    int start;
    int end;
    bool backward;
    int at;
    int sought;
};

enum {
    BEFORE = -2,
    BEHIND = -3,
    SOUGHT = -4
};

/* The nearest one from n on, n included, up or down; NONE if it is not within the range. */
static int nearest(const struct model *m, int n, bool up)
{
    int low = m->start < 0 ? 0 : m->start;
    int high = (m->end > IDS ? IDS : m->end) - 1;

    n = up && n < low ? low : n;
    n = !up && n > high ? high : n;
    n += n % 2 == 0 ? 0 : (up ? 1 : -1);
    return n >= low && n <= high ? n : NONE;
}

static int model_move(struct model *m, bool back)
{
    bool up = m->backward == back;
    int n = NONE;

    if (m->at >= 0) {
        n = nearest(m, up ? m->at + 1 : m->at - 1, up);
    } else if (m->at == SOUGHT) {
        n = nearest(m, !back ? m->sought : (up ? m->sought + 1 : m->sought - 1), up);
    } else if ((m->at == BEHIND) == back) {
        n = nearest(m, up ? -1 : IDS, up);
    }
    m->at = n != NONE ? n : (back ? BEFORE : BEHIND);
    return n;
}

static void check_move(stele_docs_iter *it, struct model *m, bool back)
{
    stele_bytes id = stele_nil();
    char wanted[8];
    stele_error err;
    int n = model_move(m, back);
    stele_code rc = back ? stele_docs_iter_prev(it, &id, NULL, &err)
                         : stele_docs_iter_next(it, &id, NULL, &err);

    if (n == NONE) {
        CHECK_CODE(rc, STELE_END);
    } else {
        CHECK_OK(rc, &err);
        CHECK_BYTES(id, id_of(wanted, n));
    }
}

static void test_model(void **state)
{
    struct kit *k = *state;
    uint64_t seed = 99;
    char text[8];
    char other[8];

    print_message("seed %" PRIu64 "\n", seed);
    for (int i = 0; i < IDS; i += 2) {
        kit_set(k, (const char *)id_of(text, i).data, "{}");
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct model m = {
                .start = (int)below(&seed, IDS), .backward = below(&seed, 2) == 0, .at = BEFORE};
        stele_docs_iter *it = NULL;
        stele_error err;

        m.end = below(&seed, 4) == 0 ? IDS + 1 : (int)below(&seed, IDS);
        CHECK_OK(stele_docs_range(&it, k->db, id_of(text, m.start),
                         m.end > IDS ? stele_nil() : id_of(other, m.end), m.backward, &err),
                &err);
        for (int move = 0; move < MOVES; move++) {
            if (below(&seed, 8) == 0) {
                m.sought = (int)below(&seed, IDS + 2);
                m.at = SOUGHT;
                CHECK_OK(stele_docs_iter_seek(it, id_of(text, m.sought), &err), &err);
            } else {
                check_move(it, &m, below(&seed, 3) == 0);
            }
        }
        stele_docs_iter_end(it);
    }
}

static void test_search_there_and_back(void **state)
{
    struct kit *k = *state;
    static const char wanted[] = "abccba";
    stele_docs_iter *it = NULL;
    stele_bytes id = stele_nil();
    stele_docs_search search;
    stele_error err;

    kit_register(k, "{'name':'t','keys':[{'name':'n','fields':['n'],'method':'','array':true}],"
                    "'version':1}");
    kit_set(k, "a", "{'@type':'t','n':[1,4,9]}");
    kit_set(k, "b", "{'@type':'t','n':[2,3]}");
    kit_set(k, "c", "{'@type':'t','n':[5,8]}");
    stele_docs_search_init(&search);
    search.type = "t";
    search.bound_field = "n";
    search.low = stele_str("0");
    CHECK_OK(stele_docs_search_begin(&it, k->db, &search, &err), &err);
    CHECK_CODE(stele_docs_iter_prev(it, NULL, NULL, &err), STELE_END);
    for (int i = 0; i < 6; i++) {
        CHECK_OK(i < 3 ? stele_docs_iter_next(it, &id, NULL, &err)
                       : stele_docs_iter_prev(it, &id, NULL, &err),
                &err);
        CHECK_BYTES(id, stele_bytes_of(wanted + i, 1));
        if (i == 2) {
            CHECK_CODE(stele_docs_iter_next(it, NULL, NULL, &err), STELE_END);
        }
    }
    CHECK_CODE(stele_docs_iter_prev(it, NULL, NULL, &err), STELE_END);
    CHECK_CODE(stele_docs_iter_seek(it, stele_str("a"), &err), STELE_EINVAL);
    stele_docs_iter_end(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_model, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_search_there_and_back, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
