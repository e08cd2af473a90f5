/* SPDX-License-Identifier: MIT
 *
 * store_kill.c: a process that writes and reads is killed, again and again; each time what it
 * leaves is judged.
 *
 *     store_kill [COUNT]
 */
#include "crash/program.h"
#include "crash/store_load.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUICK = 50,
    FULL = 1000,
    FRESH = 40 /* kills, then a new directory */
};

/* Until so many ends came back, however long that takes. False: it has ended by itself. */
static bool wait_for(struct store_load *load, pid_t child, uint64_t count)
{
    uint64_t until = atomic_load(&load->ends) + count;

    while (atomic_load(&load->ends) < until) {
        int status;

        (void)usleep(100);
        if (waitpid(child, &status, WNOHANG) != 0) {
            return false;
        }
    }
    return true;
}

static bool kill_one(
        struct store_load *load, const char *dir, uint64_t random, struct store_why *why)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        store_load_run(load, dir, false);
    }
    if (!wait_for(load, child, random % 30)) {
        return store_wrong(why, "the process ended by itself: %s", load->why);
    }
    (void)usleep((useconds_t)(random / 64 % 3000));
    if (kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) {
        return store_wrong(why, "the process ended by itself: %s", load->why);
    }
    return store_load_judge(load, dir, why);
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10)
                              : (program_full() ? (unsigned)FULL : (unsigned)QUICK);
    struct store_load *load = store_load_new();
    struct store_why why = {""};
    char dir[DISK_PATH_SIZE] = "";
    uint64_t random = 1;
    uint64_t batches = 0;
    unsigned done = 0;
    bool ok = true;

    for (; done < count && ok; done++) {
        if (done % FRESH == 0) {
            if (done > 0) {
                disk_remove(dir);
            }
            disk_scratch(dir);
            batches += atomic_load(&load->number);
            atomic_store(&load->number, 0);
            atomic_store(&load->acked, 0);
        }
        random = sim_mix(random + done);
        ok = kill_one(load, dir, random, &why);
    }
    batches += atomic_load(&load->number);
    if (ok) {
        disk_remove(dir);
    } else {
        (void)printf("store kills: in %s, after kill %u: %s\n", dir, done, why.text);
    }
    (void)printf("store kills: kills %u, batches %" PRIu64 ", reads %" PRIu64 ", violations %d\n",
            done, batches, atomic_load(&load->reads), ok ? 0 : 1);
    store_load_free(load);
    return ok ? 0 : 1;
}
