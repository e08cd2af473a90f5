/* SPDX-License-Identifier: MIT
 *
 * cmd_journal_record.c: `stele journal record`.
 *
 * Lines are gathered and dumped many at a time (intake.h), since with --durability each every
 * time is a sync. They are parsed as they come, so a bad one is known before anything of it, or
 * behind it, is dumped.
 */
#include "cli/cmd_journal.h"
#include "cli/intake.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <stdlib.h>
#include <string.h>

enum {
    BATCH_COUNT = 1024,
    BATCH_SIZE = 256 << 10 /* bytes of lines */
};

struct recorder {
    stele_journal *journal;
    struct sti_intake intake;
    struct sti_journal_line *lines; /* BATCH_COUNT */
    stele_journal_op *ops;          /* likewise: those of the lines, in one piece */
    size_t count;
    size_t size; /* of the lines, in bytes */
};

static void print_summary(const struct recorder *r, bool json)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "recorded", r->intake.written);
        sti_json_end(&j);
    } else {
        sti_row_int("recorded", r->intake.written);
    }
}

/* ---- The batch. ---- */

static void empty_batch(struct recorder *r)
{
    for (size_t i = 0; i < r->count; i++) {
        sti_journal_line_free(&r->lines[i]);
    }
    r->count = 0;
    r->size = 0;
}

static stele_code add_line(void *arg, stele_bytes text, stele_error *err)
{
    struct recorder *r = arg;
    struct sti_journal_line line;
    stele_code code = sti_journal_line_parse(text, &line, err);

    if (code != STELE_OK) {
        sti_journal_line_free(&line);
        return code;
    }
    r->ops[r->count] = line.op;
    r->lines[r->count++] = line;
    r->size += text.len;
    return STELE_OK;
}

static bool batch_is_full(const void *arg)
{
    const struct recorder *r = arg;

    return r->count >= BATCH_COUNT || r->size >= BATCH_SIZE;
}

static stele_code dump_batch(void *arg, stele_error *err)
{
    struct recorder *r = arg;
    stele_code code = stele_journal_dump_many(r->journal, r->ops, r->count, err);

    empty_batch(r);
    return code;
}

static stele_code sync_all(void *arg, stele_error *err)
{
    struct recorder *r = arg;

    return stele_journal_sync(r->journal, err);
}

static void print_answer(const void *arg)
{
    print_summary(arg, true);
}

/* --durability each is durable as it is. */
static const struct sti_intake_calls calls_each = {
        .add = add_line,
        .is_full = batch_is_full,
        .write = dump_batch,
        .print = print_answer,
};

static const struct sti_intake_calls calls_synced = {
        .add = add_line,
        .is_full = batch_is_full,
        .write = dump_batch,
        .sync = sync_all,
        .print = print_answer,
};

/* ---- The verb. ---- */

static stele_code make_batch(struct recorder *r, stele_error *err)
{
    r->lines = calloc(BATCH_COUNT, sizeof *r->lines);
    r->ops = calloc(BATCH_COUNT, sizeof *r->ops);
    if (r->lines == NULL || r->ops == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %d operations", BATCH_COUNT);
    }
    return STELE_OK;
}

/* Signals are caught from here on: until then nothing is to be ended cleanly, and a wait for the
 * lock can be ended by them. */
static stele_code record(struct recorder *r, bool *recording, stele_error *err)
{
    stele_code code = stele_journal_record(r->journal, err);

    if (code == STELE_OK) {
        *recording = true;
        code = sti_signals_catch(err);
    }
    return code == STELE_OK ? sti_intake_run(&r->intake, "recorded", err) : code;
}

/* The summary tells of nothing that may be lost: when the end fails, only what was durable before
 * counts. */
static stele_code record_and_close(
        struct recorder *r, const struct sti_run *run, bool each, stele_error *err)
{
    bool recording = false;
    stele_code code = record(r, &recording, err);
    stele_code closed = stele_journal_close(r->journal, code < STELE_OK ? NULL : err);

    if (recording && (closed == STELE_OK || each) &&
            (r->intake.written > 0 || (code >= STELE_OK && closed == STELE_OK))) {
        print_summary(r, run->json);
    }
    return code < STELE_OK ? sti_signals_forgive(code) : closed;
}

stele_code sti_journal_record_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_journal_args *args = run->args;
    stele_journal_options opts;
    struct recorder r;
    stele_env env;
    bool each;
    stele_code code;

    memset(&r, 0, sizeof r);
    sti_journal_writer_options(args, &env, &opts);
    code = sti_journal_durability(args->durability, &opts, err);
    opts.create_dirs = true;
    opts.limit = (uint64_t)args->limit.value;
    each = opts.durability == STELE_JOURNAL_EACH;
    sti_intake_init(&r.intake, each ? &calls_each : &calls_synced, &r, &args->common.ack);
    r.intake.lines.until_signal = true;
    if (code == STELE_OK) {
        code = make_batch(&r, err);
    }
    if (code == STELE_OK) {
        code = stele_journal_open(&r.journal, run->operands->items[0], &opts, err);
    }
    if (code == STELE_OK) {
        code = record_and_close(&r, run, each, err);
    }
    sti_intake_free(&r.intake);
    free(r.lines);
    free(r.ops);
    return code;
}
