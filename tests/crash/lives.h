/* SPDX-License-Identifier: MIT
 *
 * lives.h: the lives of processes that the steps of a workload are about, whatever it is that they
 * open: recorded, with a fault or an end in the middle, and repeated on the simulated disk.
 *
 * A life begins with the step that opens, and ends with 'x', which closes, or 'k', the end of the
 * process.
 */
#ifndef TESTS_CRASH_LIVES_H
#define TESTS_CRASH_LIVES_H

#include "crash/store_run.h"

/* How far it is: what a player's own, shared with a process that ends in the middle, begins with.
 */
struct lives_progress {
    uint64_t number; /* of the last change that is there */
    bool opened;     /* there is something to open */
    bool wrong;
    char why[400];
};

/* What a player begins with. */
struct lives {
    const struct lives_ops *ops;
    struct store_work *work;
    struct sim_world *w;
    struct lives_progress *at;
    const char *root;
    bool fault_set;
};

/* What the steps do; false: something is wrong. */
struct lives_ops {
    size_t shared_size; /* of the player's own progress */
    bool (*open)(struct lives *l, char step);
    bool (*is_open)(const struct lives *l);
    size_t (*len)(char step); /* letters of one step that is not the first */
    bool (*play)(struct lives *l, const char *step);
    bool (*close)(struct lives *l);
    void (*drop)(struct lives *l);     /* close what is open, however that ends */
    bool (*write_on)(struct lives *l); /* some more changes, without a fault */
};

/* Something is wrong: false. */
bool lives_complain(struct lives *l, const char *what, const char *text);

/* Before anything is opened. */
void lives_set_fault(struct lives *l);

/* How often something is tried that may fail once. */
int lives_tries(const struct lives *l);

/* The step 'E'. */
void lives_fill_disk_once(void);

/* All of a workload, which is `work`; `l` has its ops. */
int lives_run(struct lives *l, struct store_work *work, struct sim_world *w);

/* Judge the files that a crash left: `judge` says in why what is wrong with them. What it does is
 * repeated, to be crashed in turn. */
int lives_judge(struct sim_world *w,
        bool (*judge)(void *arg, const char *root, struct store_why *why), void *arg, char *why,
        size_t why_len);

#endif /* TESTS_CRASH_LIVES_H */
