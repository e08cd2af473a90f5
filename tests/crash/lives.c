/* SPDX-License-Identifier: MIT
 *
 * lives.c: one process after the other, and what the last one left.
 */
#include "crash/lives.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TRIES = 3
};

bool lives_complain(struct lives *l, const char *what, const char *text)
{
    if (!l->at->wrong) {
        l->at->wrong = true;
        (void)snprintf(l->at->why, sizeof l->at->why, "%s: %.300s", what, text);
    }
    return false;
}

void lives_set_fault(struct lives *l)
{
    if (!l->fault_set && l->work->fault != NULL) {
        record_set_fault(l->work->fault);
        l->fault_set = true;
    }
}

int lives_tries(const struct lives *l)
{
    return l->work->insist ? TRIES : 1;
}

void lives_fill_disk_once(void)
{
    static const struct record_fault full_once = {
            .kind = RECORD_FAULT_ERROR, .error = ENOSPC, .only_writes = true};

    record_set_fault(&full_once);
}

/* ---- A life. ---- */

/* From open to the end of it. */
static bool play_life(struct lives *l, const char *step, const char *end)
{
    bool ok = l->ops->open(l, *step);

    for (step++; ok && step <= end && l->ops->is_open(l); step += l->ops->len(*step)) {
        ok = *step == 'x' ? l->ops->close(l) : l->ops->play(l, step);
    }
    return ok;
}

static const char *end_of_life(const struct lives *l, const char *step)
{
    while (step[1] != '\0' && *step != 'x' && *step != 'k') {
        step += l->ops->len(*step);
    }
    return step;
}

static void play_in_child(struct lives *l, const char *step, const char *end)
{
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        (void)play_life(l, step, end);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || WIFSIGNALED(status)) {
        (void)lives_complain(l, "a life", "the process died");
    }
}

/* ---- All of them. ---- */

static bool is_killed(const struct store_work *work)
{
    return work->fault != NULL &&
           (work->fault->kind == RECORD_FAULT_KILL || work->fault->kind == RECORD_FAULT_KILL_AFTER);
}

static void play(struct lives *l)
{
    const char *step = l->work->steps;

    while (*step != '\0' && !l->at->wrong) {
        const char *end = end_of_life(l, step);

        if (*end == 'k' || is_killed(l->work)) {
            play_in_child(l, step, end);
            if (is_killed(l->work) && record_fault_hits() > 0) {
                break;
            }
            l->fault_set = l->fault_set || l->work->fault != NULL;
        } else {
            (void)play_life(l, step, end);
        }
        if (l->ops->is_open(l)) {
            (void)l->ops->close(l);
        }
        step = *end == '\0' ? end : end + 1;
    }
}

static bool open_again(struct lives *l)
{
    return !l->at->wrong && l->ops->open(l, 'O');
}

/* What is there is opened without a fault, closed as it was found, and written on. */
static void play_again(struct lives *l)
{
    struct store_work work = *l->work;

    if (work.fault != NULL) {
        l->work->calls = record_fault_calls();
        l->work->hits = record_fault_hits();
    }
    record_set_fault(NULL);
    /* Without such a fault it may be an allocation that fails, once. */
    work.insist = work.fault == NULL;
    work.fault = NULL;
    l->work = &work;
    if (open_again(l) && !l->ops->is_open(l)) {
        (void)lives_complain(l, "at the end", "it cannot be opened");
    }
    if (!l->at->wrong && l->ops->close(l) && open_again(l) && l->ops->is_open(l) &&
            l->ops->write_on(l)) {
        (void)l->ops->close(l);
    }
}

int lives_run(struct lives *l, struct store_work *work, struct sim_world *w)
{
    static struct disk_base base;
    char root[DISK_PATH_SIZE];
    int rc = 0;

    l->work = work;
    l->w = w;
    l->root = root;
    l->at = mmap(
            NULL, l->ops->shared_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l->at == MAP_FAILED) {
        return sim_wrong(w, "no memory");
    }
    store_step();
    disk_scratch(root);
    disk_base_init(&base, root);
    disk_record(&base);
    play(l);
    if (work->insist) {
        play_again(l);
    }
    l->ops->drop(l);
    record_stop();
    if (l->at->wrong) {
        rc = sim_wrong(w, "%s", l->at->why);
    } else if (!disk_repeat(w, &base)) {
        rc = SIM_WRONG;
    }
    disk_remove(root);
    (void)munmap(l->at, l->ops->shared_size);
    return rc;
}

/* ---- What a crash left. ---- */

int lives_judge(struct sim_world *w,
        bool (*judge)(void *arg, const char *root, struct store_why *why), void *arg, char *why,
        size_t why_len)
{
    struct sim_image *image = sim_disk_image(w->disk);
    static struct disk_base base;
    char root[DISK_PATH_SIZE];
    struct store_why text = {""};
    bool ok;

    store_step();
    disk_scratch(root);
    disk_make_files(&base, image, root, image->hash % 2 == 1);
    sim_image_unref(image);
    disk_record(&base);
    ok = judge(arg, root, &text);
    record_stop();
    if (ok && sim_disk_traces(w->disk) && !disk_repeat(w, &base)) {
        ok = store_wrong(&text, "%s", sim_world_why(w));
    }
    disk_remove(root);
    if (!ok) {
        (void)snprintf(why, why_len, "%s", text.text);
    }
    return ok ? 0 : SIM_WRONG;
}
