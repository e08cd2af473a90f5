/* SPDX-License-Identifier: MIT
 *
 * faults_test.c: what the reference gets wrong on one node. Each promise holds here, and is broken
 * by the reference's rule, which is switched on as a seeded bug.
 */
#include "base/mutant.h"
#include "docs/apply.h"
#include "kit.h"

#ifdef STI_MUTANTS

#define TYPE                                                                            \
    "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary','unique':true}]," \
    "'version':1}"

enum {
    LONG = 300,
    DAY_SECONDS = 86400
};

#define SECOND ((stele_time)1000000)

/* ---- Small steps, of which none ends the test. ---- */

static bool come(struct kit *k, int64_t seconds, stele_bytes id, const char *json)
{
    struct sti_docs_entry entry = {.version = {.seconds = seconds, .server = 7},
            .is_delete = json == NULL,
            .id = id,
            .json = json == NULL ? stele_nil() : kit_json(json)};
    struct sti_docs_change change = {.document = NULL};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    struct sti_docs_write w;
    stele_code rc = sti_docs_write_begin(&w, k->db, NULL);

    if (rc != STELE_OK) {
        return false;
    }
    rc = sti_docs_change_prepare(&change, &w, &entry, NULL, false, NULL);
    if (rc == STELE_OK) {
        rc = sti_docs_apply(&w, &change, &applied, NULL);
    }
    sti_docs_change_free(&change);
    return sti_docs_write_end(&w, rc, NULL) == STELE_OK;
}

static bool is_there(struct kit *k, const char *id, const char *json)
{
    stele_buf out;
    bool same;

    stele_buf_init(&out, SIZE_MAX);
    same = stele_docs_get(k->db, stele_str(id), &out, NULL) == STELE_OK &&
           stele_bytes_equal(stele_buf_view(&out), kit_json(json));
    stele_buf_free(&out);
    return same;
}

static bool is_owner(struct kit *k, const char *id)
{
    stele_docs_search search;
    stele_buf found;
    bool same;

    stele_docs_search_init(&search);
    search.type = "t";
    search.match = kit_json("{'u':'x'}");
    stele_buf_init(&found, SIZE_MAX);
    same = stele_docs_search_first(k->db, &search, &found, NULL, NULL) == STELE_OK &&
           stele_bytes_equal(stele_buf_view(&found), stele_str(id));
    stele_buf_free(&found);
    return same;
}

static stele_code count_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    uint64_t *count = arg;

    (void)entry;
    (void)err;
    ++*count;
    return STELE_OK;
}

static stele_code add_checkpoint(void *arg, const stele_docs_checkpoint *c, stele_error *err)
{
    uint64_t *count = arg;

    (void)err;
    *count += c->count;
    return STELE_OK;
}

static uint64_t logged(struct kit *k)
{
    uint64_t count = 0;

    return stele_docs_log(k->db, stele_nil(), count_entry, &count, NULL) == STELE_OK ? count : 0;
}

static uint64_t counted(struct kit *k)
{
    uint64_t count = 0;

    return stele_docs_checkpoints(k->db, add_checkpoint, &count, NULL) == STELE_OK ? count : 0;
}

/* ---- Promises. ---- */

/* A set that comes after the deletion that is newer does not bring the document back. */
static bool deleted_stays_deleted(struct kit *k)
{
    bool has = true;

    return come(k, 5, stele_str("a"), "{'n':5}") && come(k, 10, stele_str("a"), NULL) &&
           come(k, 7, stele_str("a"), "{'n':7}") &&
           stele_docs_has(k->db, stele_str("a"), &has, NULL) == STELE_OK && !has;
}

/* The first claim owns a unique key, whichever comes first. */
static bool oldest_claim_owns(struct kit *k)
{
    return come(k, 20, stele_str("b"), "{'@type':'t','u':'x'}") &&
           come(k, 10, stele_str("a"), "{'@type':'t','u':'x'}") && is_owner(k, "a") &&
           come(k, 30, stele_str("a"), NULL) && is_owner(k, "b");
}

/* Who has lost a key does not take it from its owner when he goes. */
static bool loser_goes_alone(struct kit *k)
{
    return come(k, 10, stele_str("a"), "{'@type':'t','u':'x'}") &&
           come(k, 20, stele_str("b"), "{'@type':'t','u':'x'}") &&
           come(k, 30, stele_str("b"), NULL) && is_owner(k, "a");
}

/* Two entries with one version: the same one counts in either order, and is counted once. */
static bool same_version_is_decided(struct kit *k)
{
    static const char *const texts[] = {"{'n':1}", "{'n':2}"};
    struct sti_docs_entry entry = {.version = {.seconds = 10, .server = 7}, .id = stele_str("a")};
    uint8_t hashes[2][STI_DOCS_HASH_SIZE];
    int higher;

    for (int i = 0; i < 2; i++) {
        entry.json = kit_json(texts[i]);
        if (sti_docs_entry_hash(&entry, hashes[i], NULL) != STELE_OK) {
            return false;
        }
    }
    higher = memcmp(hashes[0], hashes[1], sizeof hashes[0]) > 0 ? 0 : 1;
    return come(k, 10, stele_str("a"), texts[1 - higher]) &&
           come(k, 10, stele_str("a"), texts[higher]) && is_there(k, "a", texts[higher]) &&
           logged(k) == 1 && counted(k) == 1;
}

/* A clock that is set back by a day does not make what is set now older than what was. */
static bool clock_never_steps_back(struct kit *k)
{
    if (stele_docs_set(k->db, stele_str("a"), kit_json("{'n':1}"), NULL, NULL) != STELE_OK) {
        return false;
    }
    k->now -= DAY_SECONDS * SECOND;
    return stele_docs_set(k->db, stele_str("a"), kit_json("{'n':2}"), NULL, NULL) == STELE_OK &&
           is_there(k, "a", "{'n':2}");
}

/* IDs are told apart to their end, and not to 239 bytes alone. */
static bool long_ids_are_whole(struct kit *k)
{
    char id[LONG];

    memset(id, 'i', sizeof id);
    if (!come(k, 10, stele_bytes_of(id, sizeof id), "{'n':1}")) {
        return false;
    }
    id[LONG - 1] = 'j';
    return come(k, 10, stele_bytes_of(id, sizeof id), "{'n':2}") && logged(k) == 2 &&
           counted(k) == 2;
}

/* Each entry that is applied is counted. */
static bool every_entry_counts(struct kit *k)
{
    for (int64_t i = 1; i <= 3; i++) {
        if (!come(k, i, stele_str("a"), "{}")) {
            return false;
        }
    }
    return counted(k) == 3 && stele_docs_validate(k->db, NULL, NULL, NULL, NULL) == STELE_OK;
}

static const struct {
    const char *name;
    bool (*holds)(struct kit *k);
    int rule; /* the reference's */
} promises[] = {
        {"deleted stays deleted", deleted_stays_deleted, STI_MUTANT_DOCS_DELETE_FORGETS},
        {"the oldest claim owns", oldest_claim_owns, STI_MUTANT_DOCS_INDEX_FIRST_COMES},
        {"a loser goes alone", loser_goes_alone, STI_MUTANT_DOCS_LOSER_TAKES_KEY},
        {"one version twice", same_version_is_decided, STI_MUTANT_DOCS_SAME_VERSION_DROPPED},
        {"the clock", clock_never_steps_back, STI_MUTANT_DOCS_CLOCK_IS_WALL},
        {"long IDs", long_ids_are_whole, STI_MUTANT_DOCS_LONG_ID_CUT},
        {"counted", every_entry_counts, STI_MUTANT_DOCS_CHECKPOINT_ANEW},
};

/* In a database of its own. */
static bool holds(size_t promise)
{
    void *state = NULL;
    struct kit *k;
    bool ok;

    assert_int_equal(kit_set_up(&state), 0);
    k = state;
    kit_register(k, TYPE);
    ok = promises[promise].holds(k);
    assert_int_equal(kit_tear_down(&state), 0);
    return ok;
}

static void test_promises(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++) {
        print_message("%s\n", promises[i].name);
        sti_mutant_on = STI_MUTANT_NONE;
        assert_true(holds(i));
        sti_mutant_on = promises[i].rule;
        assert_false(holds(i));
        sti_mutant_on = STI_MUTANT_NONE;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_promises)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 0;
}

#endif
