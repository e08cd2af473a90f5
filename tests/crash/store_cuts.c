/* SPDX-License-Identifier: MIT
 *
 * store_cuts.c: the power of a real file system is cut beneath a process that writes to a store;
 * then what it has is judged.
 *
 *     store_cuts [COUNT]
 *
 * Where no such file system can be had (cut_disk.h) all cuts are skipped, and it says so.
 */
#include "crash/cut_disk.h"
#include "crash/program.h"
#include "crash/store_load.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUICK = 5,
    FULL = 100,
    FRESH = 20 /* cuts, then a new file system */
};

struct place {
    struct cut_disk disk;
    char store[DISK_PATH_SIZE + 24];
};

static bool prepare(
        struct store_load *load, const struct place *p, bool fresh, struct store_why *why)
{
    if (!fresh) {
        return true;
    }
    atomic_store(&load->number, 0);
    atomic_store(&load->acked, 0);
    return cut_disk_make_anew(&p->disk, why) && mkdir(p->store, 0700) == 0;
}

static bool cut(
        struct store_load *load, const struct place *p, uint64_t random, struct store_why *why)
{
    uint64_t until = atomic_load(&load->ends) + random % 40;
    uint64_t acked;
    bool ok = true;
    int status;
    pid_t child = fork();

    if (child == 0) {
        store_load_run(load, p->store, true);
    }
    while (atomic_load(&load->ends) < until && ok) {
        (void)usleep(100);
        ok = waitpid(child, &status, WNOHANG) == 0;
    }
    (void)usleep((useconds_t)(random / 64 % 5000));
    acked = atomic_load(&load->acked);
    if (!ok || !cut_disk_shut_down(&p->disk, why)) {
        return ok ? false : store_wrong(why, "the process ended by itself: %s", load->why);
    }
    (void)usleep((useconds_t)(random / 4096 % 3000));
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
    /* Of a sync that is under way ext4 says success when it gives the journal up: what came back
     * while it was shut down is not counted. */
    atomic_store(&load->acked, acked);
    return cut_disk_mount_again(&p->disk, why) && store_load_judge(load, p->store, why);
}

static bool run(struct store_load *load, const struct place *p, unsigned count, unsigned *done,
        struct store_why *why)
{
    uint64_t random = 1;

    for (*done = 0; *done < count; ++*done) {
        random = sim_mix(random + *done);
        if (!prepare(load, p, *done % FRESH == 0, why) || !cut(load, p, random, why)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10)
                              : (program_full() ? (unsigned)FULL : (unsigned)QUICK);
    struct store_load *load = store_load_new();
    struct store_why why = {""};
    struct place p = {.store = ""};
    unsigned done = 0;
    bool ok = true;

    if (!cut_disk_make(&p.disk, &why)) {
        (void)printf("store cuts: SKIPPED, all %u of them: %s\n", count, why.text);
    } else {
        (void)snprintf(p.store, sizeof p.store, "%s/store", p.disk.mount);
        ok = run(load, &p, count, &done, &why);
        if (!ok) {
            (void)printf("store cuts: cut %u: %s\n", done, why.text);
        }
        (void)printf("store cuts: cuts %u, durable ends %" PRIu64 ", reads %" PRIu64
                     ", calls refused %" PRIu64 ", violations %d\n",
                done, atomic_load(&load->ends), atomic_load(&load->reads),
                atomic_load(&load->refused), ok ? 0 : 1);
    }
    cut_disk_remove(&p.disk);
    store_load_free(load);
    return ok ? 0 : 1;
}
