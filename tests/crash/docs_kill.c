/* SPDX-License-Identifier: MIT
 *
 * docs_kill.c: a process whose threads change documents, durably, search, and write backups is
 * killed, again and again; what was acknowledged is there, each batch whole or not at all, and
 * everything fits together.
 *
 *     docs_kill [COUNT]
 */
#include "crash/docs_load.h"
#include "crash/program.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUICK = 20,
    FULL = 500,
    FRESH = 50 /* kills, then a new directory */
};

static bool kill_one(
        struct docs_load *load, const char *dir, uint64_t random, struct store_why *why)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        docs_load_run(load, dir, false);
    }
    if (!docs_load_wait(load, child, 1 + random % 40)) {
        return store_wrong(why, "the process ended by itself: %.300s", load->why);
    }
    (void)usleep((useconds_t)(random / 64 % 3000));
    if (kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) {
        return store_wrong(why, "the process ended by itself: %.300s", load->why);
    }
    return docs_load_judge(load, dir, why);
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10)
                              : (program_full() ? (unsigned)FULL : (unsigned)QUICK);
    struct docs_load *load = docs_load_new();
    struct store_why why = {""};
    char dir[DISK_PATH_SIZE] = "";
    uint64_t random = 1;
    unsigned done = 0;
    bool ok = true;

    for (; done < count && ok; done++) {
        if (done % FRESH == 0) {
            if (done > 0) {
                disk_remove(dir);
            }
            disk_scratch(dir);
            docs_load_begin_anew(load);
        }
        random = sim_mix(random + done);
        ok = kill_one(load, dir, random, &why);
    }
    if (!ok) {
        (void)printf("docs kills: in %s, after kill %u: %s\n", dir, done, why.text);
        return 1;
    }
    disk_remove(dir);
    (void)printf("docs kills: kills %u, changes %" PRIu64 ", reads %" PRIu64 ", violations 0\n",
            done, atomic_load(&load->done), atomic_load(&load->reads));
    docs_load_free(load);
    return 0;
}
