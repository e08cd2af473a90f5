/* SPDX-License-Identifier: MIT
 *
 * scenario.h: a promise of a module that is tried in one place, without a search.
 */
#ifndef TESTS_CRASH_SCENARIO_H
#define TESTS_CRASH_SCENARIO_H

#include <stdbool.h>

struct scenario {
    const char *name;
    bool (*holds)(void);
};

#endif /* TESTS_CRASH_SCENARIO_H */
