/* SPDX-License-Identifier: MIT
 *
 * damage_test.c: every byte of a data file is changed, one at a time, and everything is read.
 *
 * Whatever is given must have been put; and if counts, hashes and checksums find no fault, all that
 * was put must have been given. LMDB trusts its pages, so a damaged one may end the process, or
 * keep it busy: a child reads, and when it ends another one goes on behind that byte. What it had
 * done until then stands in memory that both see.
 *
 * The same once more, but LMDB gets to see a file only after the walk over its pages: then no
 * process may end; and a byte whose change has no effect must be one that nothing depends on.
 *
 * Without STELE_FULL one byte of each thirteen is changed.
 */
#include "kit.h"
#include "store/pages.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    PAIRS_MAX = 300,
    LATEST_SECONDS = 20 /* a walk takes a millisecond */
};

enum outcome {
    NOT_TRIED,
    TRIED, /* and the process ended */
    REPORTED,
    WALKED,  /* by the walk over the pages */
    COUNTED, /* by a count or a hash alone */
    UNNOTICED,
    WRONG
};

struct pair {
    uint32_t bucket;
    stele_bytes key;
    stele_bytes value;
};

struct rig {
    struct kit *kit;
    struct pair pairs[PAIRS_MAX];
    size_t count;
    int fd;
    size_t size;
    uint8_t *outcomes; /* of each byte; shared with the children */
    bool walk_first;
    size_t ended;
};

static stele_bytes copy_of(stele_bytes b)
{
    uint8_t *p = malloc(b.len + 1);

    assert_non_null(p);
    memcpy(p, b.data, b.len);
    return stele_bytes_of(p, b.len);
}

/* ---- What is put. ---- */

static void put(struct rig *r, struct sti_apply *a, uint32_t bucket, stele_bytes key, size_t len)
{
    static uint8_t value[20000];
    stele_error err;

    for (size_t i = 0; i < len; i++) {
        value[i] = (uint8_t)kit_random(r->kit, 256);
    }
    CHECK_OK(sti_apply_put(a, bucket, key, stele_bytes_of(value, len), &err), &err);
}

static void put_all(struct rig *r, uint32_t bucket, size_t count)
{
    static uint8_t key[1600];
    struct sti_apply *a = NULL;
    stele_error err;

    CHECK_OK(sti_apply_begin(&a, r->kit->lmdb, r->kit->buckets, &err), &err);
    for (size_t i = 0; i < count; i++) {
        size_t len = i % 20 == 19 ? 470 + kit_random(r->kit, 1000) : 1 + kit_random(r->kit, 40);

        memset(key, 'k', len);
        for (size_t j = len - 1; j + 3 > len && j < len; j--) {
            key[j] = (uint8_t)kit_random(r->kit, 256);
        }
        put(r, a, bucket, stele_bytes_of(key, len),
                i % 50 == 49 ? 6000 + i : kit_random(r->kit, 150));
    }
    kit_commit(r->kit, a);
}

/* ---- What is given. ---- */

/* Every pair that a store gives, to `each`; the code that ended it. */
static stele_code walk(struct sti_lmdb *lmdb, const struct sti_buckets *buckets,
        void (*each)(void *arg, const struct pair *p), void *arg, stele_error *err)
{
    struct sti_lmdb_txn *txn = NULL;
    stele_code code = sti_lmdb_begin(&txn, lmdb, false, err);

    for (size_t i = 0; i < buckets->count && code == STELE_OK; i++) {
        struct pair p = {.bucket = buckets->list[i].bucket.number};
        struct sti_lmdb_cursor *raw = NULL;
        struct sti_tree_cursor c;

        code = sti_lmdb_cursor_open(&raw, txn, STI_LMDB_DATA, err);
        if (code != STELE_OK) {
            break;
        }
        sti_tree_cursor_init(&c, raw, p.bucket);
        while ((code = sti_tree_next(&c, err)) == STELE_OK &&
                (code = sti_tree_value(&c, &p.value, err)) == STELE_OK) {
            p.key = c.key;
            each(arg, &p);
        }
        code = code == STELE_END ? STELE_OK : code;
        sti_tree_cursor_free(&c);
        sti_lmdb_cursor_close(raw);
    }
    sti_lmdb_abort(txn);
    return code;
}

static void remember(void *arg, const struct pair *p)
{
    struct rig *r = arg;

    assert_true(r->count < PAIRS_MAX);
    r->pairs[r->count] = (struct pair){p->bucket, copy_of(p->key), copy_of(p->value)};
    r->count++;
}

struct given {
    const struct rig *rig;
    size_t count;
    bool wrong;
};

static bool is_same(const struct pair *a, const struct pair *b)
{
    return a->bucket == b->bucket && stele_bytes_equal(a->key, b->key) &&
           stele_bytes_equal(a->value, b->value);
}

static void compare(void *arg, const struct pair *p)
{
    struct given *g = arg;

    if (g->count < g->rig->count && is_same(p, &g->rig->pairs[g->count])) {
        g->count++;
        return;
    }
    for (size_t i = 0; i < g->rig->count; i++) {
        if (is_same(p, &g->rig->pairs[i])) {
            g->count++;
            return;
        }
    }
    g->wrong = true;
}

static bool gets_are_right(const struct rig *r, struct sti_lmdb *lmdb)
{
    struct sti_lmdb_txn *txn = NULL;
    bool right = true;

    if (sti_lmdb_begin(&txn, lmdb, false, NULL) != STELE_OK) {
        return true;
    }
    for (size_t i = 0; i < r->count; i++) {
        const struct pair *p = &r->pairs[i];
        stele_bytes value;

        if (sti_tree_get(txn, p->bucket, p->key, &value, NULL) == STELE_OK) {
            right = right && stele_bytes_equal(value, p->value);
        }
    }
    sti_lmdb_abort(txn);
    return right;
}

static void open_dir(struct rig *r, struct sti_dir *dir)
{
    char path[TMPDIR_PATH_SIZE];
    stele_error err;

    tmpdir_path(&r->kit->tmp, "gen-1", path);
    CHECK_OK(sti_dir_open(dir, NULL, path, STELE_OPEN_READ, &err), &err);
}

static bool metas_are_whole(struct rig *r)
{
    struct sti_dir dir = {.raw = NULL};
    uint64_t txn_id;
    stele_code code;

    open_dir(r, &dir);
    code = sti_pages_newest(&dir, &txn_id, NULL);
    sti_dir_close(&dir);
    return code == STELE_OK;
}

static bool pages_are_whole(struct rig *r, uint64_t txn_id)
{
    struct sti_pages_found found = {0};
    struct sti_dir dir = {.raw = NULL};
    stele_error err;

    open_dir(r, &dir);
    CHECK_OK(sti_pages_check(&dir, txn_id, NULL, NULL, &found, &err), &err);
    sti_dir_close(&dir);
    return found.faults == 0;
}

/* Read all there is. */
static enum outcome look(struct rig *r)
{
    struct sti_lmdb_options options = {.read_only = true, .later = r->walk_first};
    struct given g = {.rig = r};
    struct sti_buckets *buckets = NULL;
    struct sti_lmdb *lmdb = NULL;
    struct sti_lmdb_txn *txn = NULL;
    enum outcome outcome = REPORTED;
    stele_code code;
    stele_error err;

    if (r->walk_first && !metas_are_whole(r)) {
        return WALKED;
    }
    if (sti_generation_open(&lmdb, &r->kit->dir, 1, false, &options, &err) != STELE_OK) {
        return REPORTED;
    }
    code = sti_lmdb_begin(&txn, lmdb, false, &err);
    if (code == STELE_OK && r->walk_first && !pages_are_whole(r, sti_lmdb_txn_id(txn))) {
        sti_lmdb_abort(txn);
        sti_lmdb_close(lmdb);
        return WALKED;
    }
    if (code == STELE_OK && r->walk_first) {
        code = sti_lmdb_trees(lmdb, txn, &err);
    }
    if (code == STELE_OK) {
        code = sti_buckets_load(&buckets, txn, &err);
    }
    if (code == STELE_OK) {
        code = sti_lmdb_commit(txn, &err);
    } else {
        sti_lmdb_abort(txn);
    }
    if (code == STELE_OK) {
        code = walk(lmdb, buckets, compare, &g, &err);
        g.wrong = g.wrong || !gets_are_right(r, lmdb);
        if (code == STELE_OK) {
            r->kit->lmdb = lmdb;
            outcome = kit_verify_all(r->kit, &err) == STELE_OK ? UNNOTICED : COUNTED;
            r->kit->lmdb = NULL;
        }
    }
    if (outcome == UNNOTICED && g.count != r->count) {
        g.wrong = true;
    }
    sti_buckets_free(buckets);
    sti_lmdb_close(lmdb);
    return g.wrong ? WRONG : outcome;
}

/* ---- Every byte. ---- */

static void change(struct rig *r, size_t at)
{
    uint8_t byte;

    if (pread(r->fd, &byte, 1, (off_t)at) != 1) {
        abort();
    }
    byte ^= (uint8_t)(1U << at % 8);
    if (pwrite(r->fd, &byte, 1, (off_t)at) != 1) {
        abort();
    }
}

static void child(struct rig *r, size_t from, size_t step)
{
    for (size_t at = from; at < r->size; at += step) {
        (void)alarm(LATEST_SECONDS);
        r->outcomes[at] = TRIED;
        change(r, at);
        r->outcomes[at] = (uint8_t)look(r);
        change(r, at);
    }
}

static void run_children(struct rig *r, size_t step)
{
    size_t at = 0;

    while (at < r->size) {
        int status = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            /* Not cmocka's handlers, which go on with the next test. */
            (void)signal(SIGSEGV, SIG_DFL);
            (void)signal(SIGBUS, SIG_DFL);
            (void)signal(SIGABRT, SIG_DFL);
            (void)signal(SIGFPE, SIG_DFL);
            /* What LMDB says before it ends the process is of no use to anybody. */
            if (freopen("/dev/null", "w", stderr) == NULL) {
                _exit(2);
            }
            child(r, at, step);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        while (at < r->size && r->outcomes[at] > TRIED) {
            at += step;
        }
        if (at < r->size) {
            assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
            assert_int_equal(r->outcomes[at], TRIED);
            change(r, at);
            r->ended++;
            at += step;
        }
    }
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    char path[TMPDIR_PATH_SIZE];
    void *kit = NULL;
    stele_error err;

    assert_non_null(r);
    (void)kit_set_up(&kit);
    r->kit = kit;
    (void)kit_bucket(r->kit, "first");
    (void)kit_bucket(r->kit, "second");
    (void)kit_bucket(r->kit, "third");
    put_all(r, 1, 100);
    put_all(r, 3, 60);
    put_all(r, 1, 40);
    CHECK_OK(walk(r->kit->lmdb, r->kit->buckets, remember, r, &err), &err);
    CHECK_OK(kit_verify_all(r->kit, &err), &err);
    kit_close(r->kit);
    tmpdir_path(&r->kit->tmp, "gen-1/data.mdb", path);
    r->fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(r->fd >= 0);
    r->size = (size_t)tmpdir_size(&r->kit->tmp, "gen-1/data.mdb");
    r->outcomes = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(r->outcomes != MAP_FAILED);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    void *kit = r->kit;

    for (size_t i = 0; i < r->count; i++) {
        free((void *)(uintptr_t)r->pairs[i].key.data);
        free((void *)(uintptr_t)r->pairs[i].value.data);
    }
    (void)close(r->fd);
    (void)munmap(r->outcomes, r->size);
    (void)kit_tear_down(&kit);
    free(r);
    return 0;
}

static void run(struct rig *r, size_t step, size_t counts[WRONG + 1])
{
    assert_int_equal(look(r), UNNOTICED);
    memset(r->outcomes, NOT_TRIED, r->size);
    run_children(r, step);
    for (size_t at = 0; at < r->size; at += step) {
        counts[r->outcomes[at]]++;
        if (r->outcomes[at] == WRONG) {
            print_error("byte %zu changed, and something else was given\n", at);
        }
    }
    print_message(
            "%zu bytes, %zu pairs: %zu told by reading, %zu by walking, %zu by a count or hash "
            "alone, %zu ended the process, %zu without effect, %zu wrong\n",
            r->size, r->count, counts[REPORTED], counts[WALKED], counts[COUNTED], counts[TRIED],
            counts[UNNOTICED], counts[WRONG]);
    assert_int_equal(counts[NOT_TRIED], 0);
    assert_int_equal(counts[WRONG], 0);
    assert_int_equal(look(r), UNNOTICED);
}

static size_t step_of(void)
{
    return getenv("STELE_FULL") == NULL ? 13 : 1;
}

static void test_every_byte(void **state)
{
    struct rig *r = *state;
    size_t counts[WRONG + 1] = {0};

    run(r, step_of(), counts);
    assert_int_equal(counts[TRIED], r->ended);
    assert_true(counts[REPORTED] > 100);
    assert_true(counts[COUNTED] > 0);
}

/* Whether a page can be filled with anything without effect. */
static bool page_is_unused(struct rig *r, size_t page)
{
    uint8_t before[PAGE];
    uint8_t garbage[PAGE];
    bool unused;

    memset(garbage, 0x5a, sizeof garbage);
    assert_int_equal(pread(r->fd, before, PAGE, (off_t)(page * PAGE)), PAGE);
    assert_int_equal(pwrite(r->fd, garbage, PAGE, (off_t)(page * PAGE)), PAGE);
    unused = look(r) == UNNOTICED;
    assert_int_equal(pwrite(r->fd, before, PAGE, (off_t)(page * PAGE)), PAGE);
    return unused;
}

static size_t get16(const uint8_t *p)
{
    return (size_t)(p[0] | p[1] << 8);
}

/* A bit of a separator that still separates, the size of a page in the head of the second tree, or
 * the byte that makes a node's size even. */
static bool is_idle_in(const uint8_t *page, size_t at, size_t node)
{
    size_t key = get16(page + node + 6);
    size_t value = (page[node + 4] & 1) != 0 ? 8 : get16(page + node);

    if (page[10] == 1) {
        return at >= node + 8 && at < node + 8 + key + (key & 1);
    }
    if (page[node + 4] == 2 && at >= node + 8 + key && at < node + 8 + key + 4) {
        return true;
    }
    return ((8 + key + value) & 1) != 0 && at == node + 8 + key + value;
}

/* LMDB fills what is behind a long value with zeros. */
static bool is_behind_all(const uint8_t *page, size_t at)
{
    for (size_t i = at; i < PAGE; i++) {
        if (page[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Whether a byte of a used page with a head is one that nothing depends on. */
static bool byte_is_idle(const uint8_t *page, size_t at)
{
    const size_t lower = get16(page + 12);

    if (at == 8 || at == 9) {
        return true;
    }
    if (page[10] == 8) {
        /* The rest of the head, an address, the size of the map, that of a page (again); what is
         * behind. */
        return (at >= 12 && at < 16) || (at >= 24 && at < 40) || (at >= 88 && at < 92) || at >= 152;
    }
    if (page[10] == 4) {
        return is_behind_all(page, at);
    }
    if (at >= lower && at < get16(page + 14)) {
        return true;
    }
    for (size_t i = 16; i < lower; i += 2) {
        if (is_idle_in(page, at, get16(page + i))) {
            return true;
        }
    }
    return false;
}

/* Of the two meta pages, the one that counts only if the other one is not whole. */
static size_t older_meta(struct rig *r)
{
    uint64_t id[2];

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pread(r->fd, &id[i], 8, (off_t)(i * PAGE + 144)), 8);
    }
    return id[0] < id[1] ? 0 : 1;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* The one page of the list of free pages: what is reserved behind a list, and the number of the
 * transaction that freed the pages, as long as it is in order: for all that begin later they are
 * free. */
static bool is_idle_in_list(struct rig *r, const uint8_t *page, size_t number, size_t at)
{
    uint8_t root[8];

    assert_int_equal(pread(r->fd, root, 8, (off_t)((1 - older_meta(r)) * PAGE + 80)), 8);
    if (get64(root) != number || page[10] != 2) {
        return false;
    }
    for (size_t i = 16; i < get16(page + 12); i += 2) {
        size_t node = get16(page + i);
        size_t list = node + 16;

        if (at >= node + 8 && at < list + get16(page + node) &&
                (at < list || at >= list + 8 + 8 * get64(page + list))) {
            return true;
        }
    }
    return false;
}

/* `inside` counts the pages of a long value that are still to come, and have no heads. */
static void check_idle(struct rig *r, size_t page, size_t step, size_t *inside)
{
    uint8_t bytes[PAGE];
    bool headless = *inside > 0;

    assert_int_equal(pread(r->fd, bytes, PAGE, (off_t)(page * PAGE)), PAGE);
    if (page_is_unused(r, page)) {
        return;
    }
    *inside = headless ? *inside - 1 : (bytes[10] == 4 ? get16(bytes + 12) - 1 : 0);
    for (size_t at = 0; at < PAGE; at++) {
        if ((page * PAGE + at) % step == 0 && r->outcomes[page * PAGE + at] == UNNOTICED &&
                !(headless ? is_behind_all(bytes, at)
                           : byte_is_idle(bytes, at) || is_idle_in_list(r, bytes, page, at))) {
            print_error("byte %zu of page %zu changed without effect\n", at, page);
            fail();
        }
    }
}

static void test_the_walk_keeps_lmdb_from_damage(void **state)
{
    struct rig *r = *state;
    size_t counts[WRONG + 1] = {0};
    size_t step = step_of();
    size_t inside = 0;

    r->walk_first = true;
    run(r, step, counts);
    assert_int_equal(counts[TRIED], 0);
    assert_true(counts[WALKED] > 100);
    assert_true(counts[REPORTED] > 100);
    for (size_t page = 0; page < r->size / PAGE; page++) {
        if (page != older_meta(r)) {
            check_idle(r, page, step, &inside);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_every_byte),
            TEST(test_the_walk_keeps_lmdb_from_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
