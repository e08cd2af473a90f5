/* SPDX-License-Identifier: MIT
 *
 * bbolt_survey.h: a bbolt file read to its end, before anything of it is used.
 */
#ifndef STI_STORE_BBOLT_SURVEY_H
#define STI_STORE_BBOLT_SURVEY_H

#include <stele/store.h>

#include "store/bbolt_read.h"
#include "store/deadline.h"

/* Count what it holds, from the beginning; verifies all that can be, and that a store takes it:
 * STELE_ETOOBIG. The reader is at its end then. */
stele_code sti_bbolt_survey(struct sti_bbolt_reader *r, const struct sti_deadline *deadline,
        stele_store_contents *out, stele_error *err);

#endif /* STI_STORE_BBOLT_SURVEY_H */
