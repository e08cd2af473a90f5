/* SPDX-License-Identifier: MIT */
#include "lib/bench.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    THREADS_MAX = 64
};

struct run {
    void (*step)(void *arg, size_t number);
    void *arg;
    double until;
    atomic_size_t next;
};

static void *run_thread(void *arg)
{
    struct run *run = arg;

    while (bench_now() < run->until) {
        run->step(run->arg, atomic_fetch_add(&run->next, 1));
    }
    return NULL;
}

double bench_per_second(
        int threads, double seconds, void (*step)(void *arg, size_t number), void *arg)
{
    pthread_t ids[THREADS_MAX];
    double start = bench_now();
    struct run run = {.step = step, .arg = arg, .until = start + seconds};

    if (threads > THREADS_MAX) {
        bench_die("more than %d threads", THREADS_MAX);
    }
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, run_thread, &run) != 0) {
            bench_die("no thread");
        }
    }
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(ids[i], NULL);
    }
    return (double)atomic_load(&run.next) / (bench_now() - start);
}
