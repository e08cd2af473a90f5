/* SPDX-License-Identifier: MIT
 *
 * faults.c: telling faults.
 */
#include "store/faults.h"

#include "base/error.h"
#include "store/state.h"

void sti_faults_tell(struct sti_faults *f, const struct sti_place_of_fault *place, stele_code code,
        const char *text)
{
    const stele_store_fault fault = {
            .file = place->file,
            .position = place->position,
            .bucket = place->bucket,
            .key = place->key,
            .code = code,
            .text = text,
    };

    if (f->sum.faults++ == 0) {
        (void)sti_fail(&f->first, code, "%s", text);
        if (place->bucket.data != NULL) {
            (void)sti_store_wrap(&f->first, code, place->bucket, place->key);
        }
        (void)sti_fail_at(&f->first, code, place->file, place->position, "%s", f->first.message);
    }
    if (f->each != NULL) {
        f->each(f->arg, &fault);
    }
}

void sti_faults_note(struct sti_faults *f, const char *file, const char *text)
{
    const stele_store_fault note = {.file = file, .position = -1, .code = STELE_OK, .text = text};

    if (f->each != NULL) {
        f->each(f->arg, &note);
    }
}

stele_code sti_faults_take(struct sti_faults *f, const struct sti_place_of_fault *place,
        stele_code code, const stele_error *why, stele_error *err)
{
    if (sti_is_fault(code)) {
        struct sti_place_of_fault at = *place;

        at.position = why->position >= 0 ? why->position : at.position;
        sti_faults_tell(f, &at, code, why->message);
        return STELE_OK;
    }
    if (code != STELE_OK && err != NULL) {
        *err = *why;
    }
    return code;
}

stele_code sti_faults_result(const struct sti_faults *f, stele_store_checked *out, stele_error *err)
{
    if (out != NULL) {
        *out = f->sum;
    }
    if (f->sum.faults == 0) {
        return STELE_OK;
    }
    if (err != NULL) {
        *err = f->first;
    }
    return f->first.code;
}
