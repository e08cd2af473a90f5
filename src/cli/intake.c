/* SPDX-License-Identifier: MIT
 *
 * intake.c: many lines of standard input into few writes; --ack.
 */
#include "cli/intake.h"

#include "cli/report.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t size_of_input(void)
{
    struct stat s;

    return fstat(STDIN_FILENO, &s) == 0 && S_ISREG(s.st_mode) ? (int64_t)s.st_size : 0;
}

void sti_intake_init(struct sti_intake *in, const struct sti_intake_calls *calls, void *arg,
        const struct sti_number *ack)
{
    memset(in, 0, sizeof *in);
    in->calls = calls;
    in->arg = arg;
    in->ack = ack->given ? ack->value : 0;
    in->input_size = size_of_input();
    sti_lines_init(&in->lines, STDIN_FILENO);
}

void sti_intake_free(struct sti_intake *in)
{
    sti_lines_free(&in->lines);
}

/* A batch that could not be written is not tried again. */
static stele_code flush(struct sti_intake *in, stele_error *err)
{
    const int64_t waiting = in->waiting;
    stele_code code;

    if (waiting == 0) {
        return STELE_OK;
    }
    in->waiting = 0;
    code = in->calls->write(in->arg, err);
    if (code != STELE_OK) {
        return code;
    }
    in->written += waiting;
    sti_progress_show(
            &in->progress, in->input_size > 0 ? in->lines.taken : in->written, in->input_size);
    return STELE_OK;
}

static stele_code flush_and_acknowledge(struct sti_intake *in, stele_error *err)
{
    stele_code code = flush(in, err);

    if (code != STELE_OK || in->ack == 0 || in->written - in->acknowledged < in->ack) {
        return code;
    }
    if (in->calls->sync != NULL) {
        code = in->calls->sync(in->arg, err);
        if (code != STELE_OK) {
            return code;
        }
    }
    in->acknowledged = in->written;
    in->calls->print(in->arg);
    return sti_finish_output(err);
}

static bool is_full(const struct sti_intake *in)
{
    return in->calls->is_full(in->arg) ||
           (in->ack > 0 && in->written - in->acknowledged + in->waiting >= in->ack);
}

static stele_code take(struct sti_intake *in, stele_error *err)
{
    stele_bytes line = stele_empty();
    stele_code code = sti_lines_next(&in->lines, in->waiting == 0, &line, err);

    if (code != STELE_OK) {
        return code;
    }
    if (in->waiting > 0 && in->calls->fits != NULL && !in->calls->fits(in->arg, line.len)) {
        code = flush_and_acknowledge(in, err);
        if (code != STELE_OK) {
            return code;
        }
    }
    code = in->calls->add(in->arg, line, err);
    if (code != STELE_OK) {
        return sti_cli_wrap(err, code, "line %" PRId64, in->lines.number);
    }
    in->waiting++;
    return STELE_OK;
}

static stele_code pump(struct sti_intake *in, stele_error *err)
{
    stele_error last;

    for (;;) {
        stele_code code = take(in, err);

        if (code != STELE_OK && code != STELE_ETIMEDOUT) {
            const stele_code flushed = flush_and_acknowledge(in, &last);

            if (flushed != STELE_OK) {
                *err = last;
                return flushed;
            }
            return code;
        }
        if (code == STELE_ETIMEDOUT || is_full(in)) {
            code = flush_and_acknowledge(in, err);
            if (code != STELE_OK) {
                return code;
            }
        }
    }
}

stele_code sti_intake_run(struct sti_intake *in, const char *what, stele_error *err)
{
    stele_code code;

    sti_progress_begin(&in->progress, what);
    code = pump(in, err);
    sti_progress_end(&in->progress);
    return code;
}
