/* SPDX-License-Identifier: MIT
 *
 * mutant.c: which seeded bug is switched on.
 */
#include "base/mutant.h"

#ifdef STI_MUTANTS
int sti_mutant_on = STI_MUTANT_NONE;
#endif
