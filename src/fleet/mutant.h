/* SPDX-License-Identifier: MIT
 *
 * mutant.h: seeded bugs of the core (fleet/mutants.def), to prove that the simulator would find
 * real ones. As base/mutant.h; they are apart from those since no disk finds them.
 */
#ifndef STI_FLEET_MUTANT_H
#define STI_FLEET_MUTANT_H

enum sti_fleet_mutant_id {
    STI_FLEET_MUTANT_NONE,
#define X(name, finder, what) STI_FLEET_MUTANT_##name,
#include "fleet/mutants.def"
#undef X
    STI_FLEET_MUTANT_COUNT
};

#ifdef STI_MUTANTS
extern int sti_fleet_mutant_on;
#define STI_FLEET_MUTANT(name) (sti_fleet_mutant_on == (int)STI_FLEET_MUTANT_##name)
#else
#define STI_FLEET_MUTANT(name) 0
#endif

#endif /* STI_FLEET_MUTANT_H */
