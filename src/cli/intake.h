/* SPDX-License-Identifier: MIT
 *
 * intake.h: many lines of standard input into few writes; --ack.
 *
 * Lines are gathered and written many at a time. A batch ends when it is large
 * enough, when --ack wants an answer, and whenever no further line is there
 * without waiting for it: so what a slow writer sends is there at once, and a
 * fast one's lines cost little each.
 *
 * Of a bad line nothing is taken; those before it are written, and it ends
 * the intake with its number in the message.
 */
#ifndef STI_CLI_INTAKE_H
#define STI_CLI_INTAKE_H

#include "cli/lines.h"
#include "cli/option.h"
#include "cli/output.h"

/* What an area does with lines. */
struct sti_intake_calls {
    /* Take one line into the batch; it is valid during the call alone. */
    stele_code (*add)(void *arg, stele_bytes line, stele_error *err);
    /* Whether a line of so many bytes may go into the batch, which is not empty; if not, the
     * batch is written first. NULL: it always may. */
    bool (*fits)(const void *arg, size_t len);
    /* Whether the batch is large enough. */
    bool (*is_full)(const void *arg);
    /* Write the batch, which then is empty. */
    stele_code (*write)(void *arg, stele_error *err);
    /* Make what was written as durable as --ack promises. NULL: it is. */
    stele_code (*sync)(void *arg, stele_error *err);
    /* Print the JSON line of --ack; it goes out at once. */
    void (*print)(const void *arg);
};

struct sti_intake {
    const struct sti_intake_calls *calls;
    void *arg;
    int64_t ack; /* lines between two answers; 0: none */
    struct sti_lines lines;
    int64_t waiting; /* lines in the batch */
    int64_t written;
    int64_t acknowledged; /* of those */
    int64_t input_size;   /* 0: not known */
    struct sti_progress progress;
};

void sti_intake_init(struct sti_intake *in, const struct sti_intake_calls *calls, void *arg,
        const struct sti_number *ack);
void sti_intake_free(struct sti_intake *in);

/* Take all lines of standard input. `what` is shown with the progress, such as
 * "published". STELE_END when all were taken and written. */
stele_code sti_intake_run(struct sti_intake *in, const char *what, stele_error *err);

#endif /* STI_CLI_INTAKE_H */
