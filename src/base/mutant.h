/* SPDX-License-Identifier: MIT
 *
 * mutant.h: seeded bugs, to prove that the tests would find real ones.
 *
 * mutants.def lists them. In a build with STI_MUTANTS one of them can be
 * switched on by a test; in all others STI_MUTANT() is 0 and costs nothing.
 * Write a mutant where the bug would be:
 *
 *     if (!STI_MUTANT(SYNC_SKIPPED)) {
 *         rc = sti_file_sync(…);
 *     }
 */
#ifndef STI_BASE_MUTANT_H
#define STI_BASE_MUTANT_H

enum sti_mutant_id {
    STI_MUTANT_NONE,
#define X(name, module, what, stands_for) STI_MUTANT_##name,
#include "base/mutants.def"
#undef X
    STI_MUTANT_COUNT
};

#ifdef STI_MUTANTS
extern int sti_mutant_on;
#define STI_MUTANT(name) (sti_mutant_on == (int)STI_MUTANT_##name)
#else
#define STI_MUTANT(name) 0
#endif

#endif /* STI_BASE_MUTANT_H */
