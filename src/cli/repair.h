/* SPDX-License-Identifier: MIT
 *
 * repair.h: what check and recover print, alike in every area.
 */
#ifndef STI_CLI_REPAIR_H
#define STI_CLI_REPAIR_H

#include <stele/error.h>

/* What an area keeps in its segments. */
struct sti_contents {
    const char *things;  /* "messages": the name in JSON and in text */
    const char *number;  /* "offset": of one of them, in text */
    const char *numbers; /* "offsets" */
};

/* ---- check ---- */

struct sti_faults {
    bool json;
    int64_t count;
};

/* A line for a fault; a position below 0 is none. */
void sti_faults_print(
        struct sti_faults *faults, const char *file, int64_t position, const char *text);

/* What is no fault, such as a foreign file, is told, but not as data. */
void sti_faults_note(const char *file, const char *text);

/* The last line. `code` is what the check returned; with faults it becomes
 * STELE_ECORRUPT unless it tells of something else. Prints nothing if the
 * check failed before it found any. */
stele_code sti_faults_end(const struct sti_faults *faults, stele_code code,
        const struct sti_contents *contents, const char *dir, int64_t segments, int64_t count,
        stele_error *err);

/* ---- recover ---- */

/* What recovery tells while it works. It goes on when there is no memory to
 * note that, and the command then says so instead of printing half of it. */
struct sti_recovered {
    struct sti_lost *lost;
    size_t lost_count;
    char **files;
    size_t file_count;
    bool no_memory;
};

/* `arg` is a struct sti_recovered, zero at first. Offsets that are lost, or ids. */
void sti_recovered_lost(void *arg, int64_t first, int64_t last);
void sti_recovered_lost_ids(void *arg, uint64_t first, uint64_t last);
void sti_recovered_quarantine(void *arg, const char *file);
void sti_recovered_free(struct sti_recovered *r);

struct sti_recovered_sums {
    int64_t segments;
    int64_t count; /* of things */
    int64_t cut_bytes;
    bool dry_run;
    bool json;
};

/* Print what was done in `dir`. */
stele_code sti_recovered_print(const struct sti_recovered *r, const struct sti_contents *contents,
        const char *dir, const struct sti_recovered_sums *sums, stele_error *err);

#endif /* STI_CLI_REPAIR_H */
