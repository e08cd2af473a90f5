/* SPDX-License-Identifier: MIT
 *
 * scenarios.h: how the frozen logs were made, and what they hold.
 */
#ifndef TESTS_GOLDEN_WAL_SCENARIOS_H
#define TESTS_GOLDEN_WAL_SCENARIOS_H

#include <stele/wal.h>

#include "sim/image.h"

/* Where a log is on a simulated disk. */
#define GOLDEN_DIR "/log"

struct scenario {
    const char *name; /* of the folder */
    /* What a new process would find; to be released with sim_image_unref(). */
    struct sim_image *(*make)(void);
    stele_wal_format format;
    uint64_t first; /* records first to last; first > last: none */
    uint64_t last;
    uint64_t next;   /* id that an append must have; 0: any */
    uint64_t faults; /* that check finds */
    bool same;       /* made today, the files are the same */
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* The data of a record: its length and bytes follow from the id. */
enum {
    GOLDEN_DATA_MAX = 512
};

stele_bytes golden_data(uint64_t id, uint8_t out[GOLDEN_DATA_MAX]);

/* Options with which all of them are made and opened; `env` is borrowed. */
void golden_options(stele_wal_options *opts, const stele_env *env);

#endif /* TESTS_GOLDEN_WAL_SCENARIOS_H */
