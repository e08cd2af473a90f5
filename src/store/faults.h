/* SPDX-License-Identifier: MIT
 *
 * faults.h: what a check found, told as it is found, and summed up.
 */
#ifndef STI_STORE_FAULTS_H
#define STI_STORE_FAULTS_H

#include <stele/store.h>

struct sti_faults {
    stele_store_fault_fn each; /* may be NULL */
    void *arg;
    stele_store_checked sum;
    stele_error first; /* as an error; of no use while sum.faults is 0 */
};

/* Where a fault is. */
struct sti_place_of_fault {
    const char *file;
    int64_t position; /* -1: not known */
    stele_bytes bucket;
    stele_bytes key;
};

/* Whether a code says that something is damaged, and not that it could not be looked at. */
static inline bool sti_is_fault(stele_code code)
{
    return code == STELE_ECORRUPT || code == STELE_EVERSION;
}

void sti_faults_tell(struct sti_faults *f, const struct sti_place_of_fault *place, stele_code code,
        const char *text);

/* What is no fault, and not counted. */
void sti_faults_note(struct sti_faults *f, const char *file, const char *text);

/* A fault that a call gave becomes one that is told, and STELE_OK; any other code is returned, with
 * *why as the error. */
stele_code sti_faults_take(struct sti_faults *f, const struct sti_place_of_fault *place,
        stele_code code, const stele_error *why, stele_error *err);

/* The sum to *out (may be NULL), and the code and error of the first fault, or STELE_OK. */
stele_code sti_faults_result(
        const struct sti_faults *f, stele_store_checked *out, stele_error *err);

#endif /* STI_STORE_FAULTS_H */
