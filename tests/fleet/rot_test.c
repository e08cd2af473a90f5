/* SPDX-License-Identifier: MIT
 *
 * rot_test.c: of five nodes the disk of one is damaged, again and again: what the others have
 * acknowledged stays, the one has all again in the end, and nothing damaged comes to anybody.
 *
 * Who opens a database again that may be damaged does as an operator would: it is looked at, and
 * where its pages are damaged, or it does not open, it is put away for a new one under the same
 * name. Otherwise it is opened, and mends itself.
 */
#include "fleet/damage.h"
#include "unit/fleet_node/nodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    VICTIM = NODES - 1,
    DOCUMENTS = 200,
    CHANGES = 40
};

/* What the others have acknowledged, by document; each is changed by one of them alone. */
static char expected[DOCUMENTS][64];
static unsigned changes;

struct figures {
    unsigned opened;
    unsigned anew;
    uint64_t damaged;
    uint64_t lost;
};

static void change(struct fleet *f, int i)
{
    struct one *o = &f->list[i % VICTIM];
    char id[16];

    (void)snprintf(id, sizeof id, "doc%d", i);
    if (changes++ % 9 == 8 && expected[i][0] != 0) {
        one_delete(o, id);
        expected[i][0] = 0;
        return;
    }
    (void)snprintf(expected[i], sizeof expected[i], "{'@type':'t','u':%d,'s':'text-%d-%u'}", i, i,
            changes);
    one_set(o, id, expected[i]);
}

static void check_documents(struct fleet *f)
{
    for (int i = 0; i < DOCUMENTS; i++) {
        char id[16];

        (void)snprintf(id, sizeof id, "doc%d", i);
        for (int j = 0; j < NODES; j++) {
            one_await(&f->list[j], id, expected[i][0] == 0 ? NULL : expected[i]);
        }
    }
}

/* ---- Opening what may be damaged. ---- */

static bool try_open(struct fleet *f, struct figures *figures)
{
    struct one *o = &f->list[VICTIM];
    stele_docs_options options;

    if (damage_look(&o->tmp) == DAMAGE_OF_PAGES) {
        return false;
    }
    stele_docs_options_init(&options);
    options.env = &o->env;
    if (stele_docs_open(&o->db, o->tmp.path, &options, NULL) != STELE_OK) {
        o->db = NULL;
        return false;
    }
    one_join(f, VICTIM);
    figures->opened++;
    return true;
}

static void come_up(struct fleet *f, struct figures *figures)
{
    struct one *o = &f->list[VICTIM];

    atomic_store(&o->damaged_for_good, 0);
    if (!try_open(f, figures)) {
        damage_clear(&o->tmp);
        one_open(f, VICTIM);
        figures->anew++;
    }
}

/* A node that says that it cannot be mended is begun anew. */
static void await_level(struct fleet *f, struct figures *figures)
{
    struct one *o = &f->list[VICTIM];

    while (!fleet_is_equal(f, NODES)) {
        if (atomic_load(&o->damaged_for_good) > 0) {
            stele_node_status status = one_status(o);

            figures->damaged += status.damaged;
            one_leave(o);
            (void)stele_docs_close(o->db, NULL);
            o->db = NULL;
            damage_clear(&o->tmp);
            atomic_store(&o->damaged_for_good, 0);
            one_open(f, VICTIM);
            figures->anew++;
        }
        nap();
    }
}

/* ---- While it is down. ---- */

static void one_round(struct fleet *f, enum damage what, const struct tmpdir *copy, uint64_t *seed,
        struct figures *figures)
{
    struct one *o = &f->list[VICTIM];

    one_close(o);
    if (*seed % 3 == 0) {
        damage_save(&o->tmp, copy);
    }
    for (int i = 0; i < CHANGES; i++) {
        change(f, (int)((*seed + 7 * (uint64_t)i) % DOCUMENTS));
    }
    damage_do(what, &o->tmp, copy, seed);
    come_up(f, figures);
    for (int i = 0; i < CHANGES; i++) {
        change(f, (int)((*seed + 11 * (uint64_t)i) % DOCUMENTS));
    }
    await_level(f, figures);
    check_documents(f);
    figures->damaged += one_status(o).damaged;
    figures->lost += one_status(o).lost;
}

static void test_damaged_while_down(void **state)
{
    struct fleet *f = *state;
    const char *full = getenv("STELE_FULL");
    int rounds = full != NULL && full[0] != 0 ? 20 : 2;
    uint64_t seed = 3;
    struct tmpdir copy;

    tmpdir_make(&copy);
    f->list[VICTIM].durable = true;
    for (int i = 0; i < NODES; i++) {
        one_open(f, i);
    }
    memset(expected, 0, sizeof expected);
    for (int i = 0; i < DOCUMENTS; i++) {
        change(f, i);
    }
    fleet_await_equal(f, NODES);
    one_close(&f->list[VICTIM]);
    damage_save(&f->list[VICTIM].tmp, &copy);
    one_open(f, VICTIM);
    for (int what = 0; what < DAMAGE_COUNT; what++) {
        struct figures figures = {.opened = 0};

        for (int round = 0; round < rounds; round++) {
            one_round(f, (enum damage)what, &copy, &seed, &figures);
        }
        print_message("fleet damage: %s %d times: opened %u, begun anew %u; %" PRIu64
                      " values damaged, %" PRIu64 " entries lost; level again\n",
                damage_names[what], rounds, figures.opened, figures.anew, figures.damaged,
                figures.lost);
        assert_true(figures.opened + figures.anew >= (unsigned)rounds);
    }
    for (int i = 0; i < NODES; i++) {
        one_close(&f->list[i]); /* which validates */
        assert_int_equal(damage_look(&f->list[i].tmp), DAMAGE_NONE);
    }
    tmpdir_remove(&copy);
}

/* ---- While it runs. ---- */

/* Values in the file are damaged under a node that reads them through its map. */
static void test_damaged_while_it_runs(void **state)
{
    struct fleet *f = *state;
    struct one *o = &f->list[1];
    unsigned flipped = 0;

    o->check_ms = 500;
    one_open(f, 0);
    one_open(f, 1);
    for (int i = 0; i < DOCUMENTS; i++) {
        char id[16];
        char json[64];

        (void)snprintf(id, sizeof id, "doc%d", i);
        (void)snprintf(json, sizeof json, "{'@type':'t','u':%d,'s':'text-%d-%d'}", i, i, i);
        one_set(&f->list[i % 2], id, json);
    }
    fleet_await_equal(f, 2);
    /* What waits in memory is in the file then. */
    one_close(o);
    one_open(f, 1);
    fleet_await_equal(f, 2);
    for (int i = 0; i < DOCUMENTS; i += 10) {
        char text[32];

        (void)snprintf(text, sizeof text, "'text-%d-%d'", i, i);
        text[0] = text[strlen(text) - 1] = '"';
        flipped += damage_text(&o->tmp, text);
    }
    assert_true(flipped >= DOCUMENTS / 10);
    one_await_event(o, STELE_NODE_EV_DAMAGED);
    /* Some may have been flipped while others were mended, which is then done again. */
    while (one_status(o).damaged == 0 || !fleet_is_equal(f, 2) ||
            stele_docs_validate(o->db, NULL, NULL, NULL, NULL) != STELE_OK) {
        nap();
    }
    assert_true(one_status(o).lost > 0);
    print_message("%u bits of values flipped under a node: %" PRIu64 " values damaged, %" PRIu64
                  " entries lost and found again\n",
            flipped, one_status(o).damaged, one_status(o).lost);
}

/* One test by its name. */
static void filter(int argc, char **argv)
{
    if (argc == 2) {
        cmocka_set_test_filter(argv[1]);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_damaged_while_down, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_damaged_while_it_runs, fleet_set_up, fleet_tear_down),
    };
    int status;

    if (damage_main(argc, argv, &status)) {
        return status;
    }
    filter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
