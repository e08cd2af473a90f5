/* SPDX-License-Identifier: MIT
 *
 * docs_cuts.c: the power of a real file system is cut beneath a process that changes documents;
 * then what it has is judged, by a scan, too.
 *
 *     docs_cuts [COUNT]
 *
 * Where no such file system can be had (cut_disk.h) all cuts are skipped, and it says so.
 */
#include "crash/cut_disk.h"
#include "crash/docs_load.h"
#include "crash/program.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUICK = 4,
    FULL = 100,
    FRESH = 20 /* cuts, then a new file system */
};

struct place {
    struct cut_disk disk;
    char database[DISK_PATH_SIZE + 24];
};

static bool prepare(struct docs_load *load, const struct place *p, struct store_why *why)
{
    docs_load_begin_anew(load);
    return cut_disk_make_anew(&p->disk, why) && mkdir(p->database, 0700) == 0;
}

static bool cut(
        struct docs_load *load, const struct place *p, uint64_t random, struct store_why *why)
{
    uint64_t acked[DOCS_LOAD_WRITERS];
    pid_t child = fork();

    if (child == 0) {
        docs_load_run(load, p->database, true);
    }
    if (!docs_load_wait(load, child, 1 + random % 40)) {
        return store_wrong(why, "the process ended by itself: %.300s", load->why);
    }
    (void)usleep((useconds_t)(random / 64 % 5000));
    for (unsigned i = 0; i < DOCS_LOAD_WRITERS; i++) {
        acked[i] = atomic_load(&load->acked[i]);
    }
    if (!cut_disk_shut_down(&p->disk, why)) {
        return false;
    }
    (void)usleep((useconds_t)(random / 4096 % 3000));
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    /* Of a sync that is under way ext4 says success when it gives the journal up: what came back
     * while it was shut down is not counted. */
    for (unsigned i = 0; i < DOCS_LOAD_WRITERS; i++) {
        atomic_store(&load->acked[i], acked[i]);
    }
    return cut_disk_mount_again(&p->disk, why) && docs_load_judge(load, p->database, why);
}

static bool run(struct docs_load *load, const struct place *p, unsigned count, unsigned *done,
        struct store_why *why)
{
    uint64_t random = 1;

    for (*done = 0; *done < count; ++*done) {
        random = sim_mix(random + *done);
        if ((*done % FRESH == 0 && !prepare(load, p, why)) || !cut(load, p, random, why)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10)
                              : (program_full() ? (unsigned)FULL : (unsigned)QUICK);
    struct docs_load *load = docs_load_new();
    struct store_why why = {""};
    struct place p = {.database = ""};
    unsigned done = 0;
    bool ok = true;

    if (!cut_disk_make(&p.disk, &why)) {
        (void)printf("docs cuts: SKIPPED, all %u of them: %s\n", count, why.text);
    } else {
        (void)snprintf(p.database, sizeof p.database, "%s/docs", p.disk.mount);
        ok = run(load, &p, count, &done, &why);
        if (!ok) {
            (void)printf("docs cuts: cut %u: %s\n", done, why.text);
        }
        (void)printf("docs cuts: cuts %u, changes %" PRIu64 ", reads %" PRIu64
                     ", calls refused %" PRIu64 ", violations %d\n",
                done, atomic_load(&load->done), atomic_load(&load->reads),
                atomic_load(&load->refused), ok ? 0 : 1);
    }
    cut_disk_remove(&p.disk);
    docs_load_free(load);
    return ok ? 0 : 1;
}
