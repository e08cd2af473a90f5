/* SPDX-License-Identifier: MIT
 *
 * kill_test.c: a process that changes documents, durably, is killed again and again: what it was
 * told to be done is there, one change more at most, and everything fits together.
 */
#include "kit.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TYPE                                                                         \
    "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'utf8','unique':true}," \
    "{'name':'n','fields':['n'],'method':'binary'},"                                 \
    "{'name':'tags','fields':['tags'],'method':'binary','array':true}],'version':1}"

enum {
    ROUNDS = 12,
    IDS = 15,
    CHANGES = 20 /* in a round, and more */
};

static void id_of(int change, char out[8])
{
    (void)snprintf(out, 8, "%02d", change * 7 % IDS);
}

static bool is_delete(int change)
{
    return change % 9 == 8;
}

static void json_of(int change, char out[128])
{
    (void)snprintf(out, 128, "{\"@type\":\"t\",\"u\":\"%d\",\"n\":%d,\"tags\":[%d,%d]}",
            change * 7 % IDS, change, change % 3, change % 5);
}

/* The child: change after change, until it is killed. */
static void change_on(struct kit *k, _Atomic int *done)
{
    if (stele_docs_open(&k->db, k->tmp.path, &k->options, NULL) != STELE_OK) {
        _exit(1);
    }
    for (int change = atomic_load(done);; change++) {
        char id[8];
        char json[128];
        stele_code rc;

        id_of(change, id);
        json_of(change, json);
        rc = is_delete(change) ? stele_docs_delete(k->db, stele_str(id), NULL, NULL)
                               : stele_docs_set(k->db, stele_str(id), stele_str(json), NULL, NULL);
        if (rc != STELE_OK && !(is_delete(change) && rc == STELE_ENOTFOUND)) {
            _exit(2);
        }
        atomic_store(done, change + 1);
    }
}

/* Whether the database is as it should be after so many changes. */
static bool is_after(struct kit *k, int changes)
{
    int last[IDS];

    for (int i = 0; i < IDS; i++) {
        last[i] = -1;
    }
    for (int change = 0; change < changes; change++) {
        last[change * 7 % IDS] = is_delete(change) ? -1 : change;
    }
    for (int i = 0; i < IDS; i++) {
        char id[8];
        char json[128] = "";
        stele_buf there;
        stele_code rc;
        bool same;

        stele_buf_init(&there, SIZE_MAX);
        (void)snprintf(id, sizeof id, "%02d", i);
        rc = stele_docs_get(k->db, stele_str(id), &there, NULL);
        if (last[i] >= 0) {
            json_of(last[i], json);
        }
        same = last[i] < 0 ? rc == STELE_ENOTFOUND
                           : rc == STELE_OK && there.len == strlen(json) &&
                                     memcmp(there.data, json, there.len) == 0;
        stele_buf_free(&there);
        if (!same) {
            return false;
        }
    }
    return true;
}

static void test_kills(void **state)
{
    struct kit *k = *state;
    _Atomic int *done =
            mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(done != MAP_FAILED);
    atomic_store(done, 0);
    kit_register(k, TYPE);
    k->options.not_durable = false;
    for (int round = 0; round < ROUNDS; round++) {
        int before = atomic_load(done);
        int status = 0;
        int told;
        stele_error err;
        pid_t child;

        kit_close(k);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            change_on(k, done);
        }
        while (atomic_load(done) < before + CHANGES + round) {
            assert_int_equal(waitpid(child, &status, WNOHANG), 0);
            (void)usleep(200);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        kit_open(k);
        told = atomic_load(done);
        if (!is_after(k, told)) {
            assert_true(is_after(k, told + 1));
            atomic_store(done, told + 1);
        }
        CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    }
    assert_int_equal(munmap(done, sizeof *done), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_kills, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
