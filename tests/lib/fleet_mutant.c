/* SPDX-License-Identifier: MIT
 *
 * fleet_mutant.c: switches a seeded bug of fleets on before the test begins: that of the name in
 * STELE_FLEET_MUTANT. Linked into the tests that look for one (src/fleet/mutants.def).
 */
#include "fleet/mutant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef STI_MUTANTS
enum {
    NOBODY = 99 /* tools/fleet_mutants.sh knows it */
};

static const char *const names[] = {
        "NONE",
#define X(name, finder, what) #name,
#include "fleet/mutants.def"
#undef X
};

__attribute__((constructor)) static void switch_on(void)
{
    const char *wanted = getenv("STELE_FLEET_MUTANT");

    for (int i = 1; wanted != NULL && i < STI_FLEET_MUTANT_COUNT; i++) {
        if (strcmp(names[i], wanted) == 0) {
            sti_fleet_mutant_on = i;
            return;
        }
    }
    if (wanted != NULL) {
        (void)fprintf(stderr, "no mutant %s\n", wanted);
        exit(NOBODY);
    }
}
#endif
