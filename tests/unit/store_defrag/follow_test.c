/* SPDX-License-Identifier: MIT
 *
 * follow_test.c: a process that only reads while another one defragments, and what dead processes
 * leave.
 *
 * The reading process does as it is told by bytes in a pipe, and answers each.
 */
#include "content.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    pid_t pid;
    int orders;
    int answers;
};

/* ---- In the child. ---- */

/* The number under the one key, -1: an error. */
static int number_of(stele_store_read *r)
{
    stele_bytes value;

    if (stele_store_read_get(r, stele_str("b"), stele_str("key"), &value, NULL) != STELE_OK) {
        return -1;
    }
    return value.len == 1 ? value.data[0] - '0' : -1;
}

static int number_now(stele_store *s)
{
    stele_store_read *r = NULL;
    int number = -1;

    if (stele_store_read_begin(&r, s, NULL) == STELE_OK) {
        number = number_of(r);
        stele_store_read_end(r);
    }
    return number;
}

/* n: the number of a read that begins now; b: begin the long one; l: its number; e: end it;
 * g: the generation; c: close, and open again. */
static int obey(struct kit *k, stele_store_read **r, char order)
{
    stele_store_stats stats;

    switch (order) {
    case 'n':
        return number_now(k->s);
    case 'b':
        return stele_store_read_begin(r, k->s, NULL) == STELE_OK ? 0 : -1;
    case 'l':
        return number_of(*r);
    case 'e':
        stele_store_read_end(*r);
        return 0;
    case 'g':
        return stele_store_stat(k->s, &stats, NULL) == STELE_OK ? (int)stats.generation : -1;
    case 'c':
        (void)stele_store_close(k->s, NULL);
        return stele_store_open(&k->s, k->tmp.path, &k->options, NULL) == STELE_OK ? 0 : -1;
    default:
        _exit(0);
    }
}

static void run_child(const struct kit *k, int orders, int answers)
{
    struct kit own = *k;
    stele_store_read *r = NULL;
    char order;

    own.options.read_only = true;
    if (stele_store_open(&own.s, own.tmp.path, &own.options, NULL) != STELE_OK) {
        _exit(1);
    }
    while (read(orders, &order, 1) == 1) {
        char answer = (char)obey(&own, &r, order);

        (void)!write(answers, &answer, 1);
    }
    _exit(0);
}

/* ---- In the parent. ---- */

static void start(struct kit *k, struct child *c)
{
    int orders[2];
    int answers[2];

    assert_int_equal(pipe(orders), 0);
    assert_int_equal(pipe(answers), 0);
    c->pid = fork();
    if (c->pid == 0) {
        close(orders[1]);
        close(answers[0]);
        run_child(k, orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    c->orders = orders[1];
    c->answers = answers[0];
}

static int ask(const struct child *c, char order)
{
    signed char answer = -1;

    assert_int_equal(write(c->orders, &order, 1), 1);
    assert_int_equal(read(c->answers, &answer, 1), 1);
    return answer;
}

static void stop(struct child *c)
{
    close(c->orders);
    close(c->answers);
    assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
}

static void put(struct kit *k, int number)
{
    char value[2] = {(char)('0' + number), '\0'};

    kit_put_one(k, "b", "key", value);
    kit_commit(k);
}

static void defrag(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_store_defrag(k->s, NULL, NULL, NULL, &err), &err);
}

static void test_follow(void **state)
{
    struct kit *k = *state;
    struct child c;

    put(k, 1);
    start(k, &c);
    assert_int_equal(ask(&c, 'n'), 1);
    assert_int_equal(ask(&c, 'g'), 1);
    assert_int_equal(ask(&c, 'b'), 0);
    put(k, 2);
    assert_int_equal(ask(&c, 'n'), 2);
    /* More than one in between, so that numbers of files come again. */
    for (int i = 3; i < 9; i++) {
        defrag(k);
        assert_int_equal(ask(&c, 'n'), i - 1);
        put(k, i);
        assert_int_equal(ask(&c, 'n'), i);
        assert_int_equal(ask(&c, 'g'), i - 1);
    }
    defrag(k);
    defrag(k);
    put(k, 9);
    assert_int_equal(ask(&c, 'n'), 9);
    /* What it has open is what it was, though the files are gone. */
    content_check_files(k, 9);
    assert_int_equal(ask(&c, 'l'), 1);
    assert_int_equal(ask(&c, 'e'), 0);
    assert_int_equal(ask(&c, 'n'), 9);
    assert_int_equal(ask(&c, 'c'), 0);
    assert_int_equal(ask(&c, 'g'), 9);
    stop(&c);
}

/* A directory in which another store was made is not followed to. */
static void test_another_store(void **state)
{
    struct kit *k = *state;
    struct kit other = {.s = NULL};
    struct child c;
    uint8_t *current;
    size_t len;

    put(k, 1);
    start(k, &c);
    assert_int_equal(ask(&c, 'n'), 1);
    tmpdir_make(&other.tmp);
    other.options = k->options;
    kit_open(&other);
    kit_close(&other);
    current = tmpdir_read(&other.tmp, "current", &len);
    tmpdir_write(&k->tmp, "current.new", current, len);
    free(current);
    {
        char from[TMPDIR_PATH_SIZE];
        char to[TMPDIR_PATH_SIZE];

        tmpdir_path(&k->tmp, "current.new", from);
        tmpdir_path(&k->tmp, "current", to);
        assert_int_equal(rename(from, to), 0);
    }
    assert_int_equal(ask(&c, 'n'), -1);
    stop(&c);
    tmpdir_remove(&other.tmp);
}

static void kill_child(struct child *c)
{
    assert_int_equal(kill(c->pid, SIGKILL), 0);
    stop(c);
}

static void name_of(const struct child *c, char out[32])
{
    (void)snprintf(out, 32, ".reader-%d", (int)c->pid);
}

/* The file by which a process notes itself goes with it, or when somebody finds that it is dead. */
static void test_dead(void **state)
{
    struct kit *k = *state;
    struct child dead;
    struct child alive;
    char dead_name[32];
    char alive_name[32];
    uint64_t cleared = 0;
    stele_error err;

    put(k, 1);
    start(k, &dead);
    start(k, &alive);
    assert_int_equal(ask(&dead, 'b'), 0);
    assert_int_equal(ask(&alive, 'b'), 0);
    name_of(&dead, dead_name);
    name_of(&alive, alive_name);
    kill_child(&dead);
    assert_true(tmpdir_exists(&k->tmp, dead_name));
    CHECK_OK(stele_store_clear_stale(k->s, &cleared, &err), &err);
    assert_int_equal(cleared, 1);
    assert_false(tmpdir_exists(&k->tmp, dead_name));
    assert_true(tmpdir_exists(&k->tmp, alive_name));
    CHECK_OK(stele_store_clear_stale(k->s, &cleared, &err), &err);
    assert_int_equal(cleared, 0);
    kill_child(&alive);
    assert_true(tmpdir_exists(&k->tmp, alive_name));
    kit_close(k);
    k->options.read_only = true;
    kit_open(k);
    assert_true(tmpdir_exists(&k->tmp, alive_name));
    kit_close(k);
    k->options.read_only = false;
    kit_open(k);
    assert_false(tmpdir_exists(&k->tmp, alive_name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_follow, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_another_store, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_dead, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
