/* SPDX-License-Identifier: MIT
 *
 * fleet_suite.h: what holds for every transport (<stele/fleet.h>), as tests.
 *
 * A factory makes fleets in which every peer sees every other one; the rest is calls of the table.
 */
#ifndef TESTS_LIB_FLEET_SUITE_H
#define TESTS_LIB_FLEET_SUITE_H

#include <stele/fleet.h>

enum {
    FLEET_SUITE_PEERS = 4
};

struct fleet_suite_factory {
    const char *name;
    void *(*begin)(void);
    /* A peer that is not connected. The suite closes it. */
    stele_fleet *(*join)(void *state, const char *name);
    void (*end)(void *state); /* all are closed */
};

/* Runs all; returns how many failed. */
int fleet_suite_run(const struct fleet_suite_factory *factory);

#endif /* TESTS_LIB_FLEET_SUITE_H */
