/* SPDX-License-Identifier: MIT
 *
 * wal_setup.h: the logs that workloads begin with, whole ones and damaged ones.
 */
#ifndef TESTS_CRASH_WAL_SETUP_H
#define TESTS_CRASH_WAL_SETUP_H

#include "crash/wal_run.h"

enum {
    WSETUP_DAMAGED = 6 /* the id of a record in a sealed segment */
};

/* Twelve large records in about three segments; stays open. */
void wsetup_fill(struct wal_run *r);

/* For setup() of a workload. The log is closed. */
int wsetup_filled(const struct wmodel_config *config, struct sim_world *w);
/* A record of a sealed segment is damaged, and one of the newest. */
int wsetup_damaged(const struct wmodel_config *config, struct sim_world *w);
/* A record of the newest segment is damaged, with others behind it. */
int wsetup_damaged_head(const struct wmodel_config *config, struct sim_world *w);
/* Behind the last record stands one that is whole, and whose id does not follow; or, in format
 * stele, one whose id does, and which is of another use of the file. */
int wsetup_wrong_id(const struct wmodel_config *config, struct sim_world *w);
int wsetup_wrong_salt(const struct wmodel_config *config, struct sim_world *w);
/* The segment with the last records is not there; or that of the damaged record above. */
int wsetup_missing_last(const struct wmodel_config *config, struct sim_world *w);
int wsetup_gap(const struct wmodel_config *config, struct sim_world *w);

#endif /* TESTS_CRASH_WAL_SETUP_H */
