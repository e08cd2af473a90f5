/* SPDX-License-Identifier: MIT
 *
 * cmd_stream_delete.c: `stele stream rm`, `trim`, `compact`.
 *
 * With --dry-run the same messages are looked for on a reader, without the
 * lock, and measured instead of deleted.
 */
#include "cli/cmd_stream.h"
#include "cli/output.h"
#include "cli/report.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Between segments: show how far it got, then wait. */
struct pausing {
    const stele_deleted *deleted;
    struct sti_progress progress;
    stele_backoff_wait_arg wait;
};

static stele_code pause_between(void *arg, stele_error *err)
{
    struct pausing *p = arg;

    sti_progress_show(&p->progress, p->deleted->count, 0);
    return p->wait.wait_ms > 0 ? stele_backoff_wait(&p->wait, err) : STELE_OK;
}

/* One removal: on a writer with `backoff`, or with `found`, where the offsets
 * go, on a reader. */
struct removal {
    const struct sti_run *run;
    const struct sti_stream_args *args;
    stele_stream *stream;
    stele_time now;
    stele_offsets *listed; /* rm: what was asked for */
    const stele_backoff *backoff;
    stele_offsets *found;
    stele_deleted *deleted;
};

typedef stele_code (*remove_fn)(struct removal *r, stele_error *err);

static stele_time now(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (stele_time)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void print_deleted(const stele_deleted *deleted, bool dry_run, bool json)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "deleted", deleted->count);
        sti_json_int(&j, "size", deleted->size);
        sti_json_dry_run(&j, dry_run);
        sti_json_end(&j);
        return;
    }
    sti_row_int(dry_run ? "would delete" : "deleted", deleted->count);
    sti_row("size", "%" PRId64 " bytes", deleted->size);
    sti_row_dry_run(dry_run);
}

static stele_code run_dry(struct removal *r, remove_fn remove_them, stele_error *err)
{
    stele_code code = stele_offsets_new(&r->found, err);

    if (code == STELE_OK) {
        code = sti_stream_open_reader(r->run, &r->stream, err);
    }
    if (code == STELE_OK) {
        code = remove_them(r, err);
        if (code == STELE_OK) {
            code = sti_stream_measure(
                    r->stream, r->run->operands->items[0], r->found, r->deleted, err);
        }
        code = sti_stream_done(r->stream, code, err);
    }
    stele_offsets_free(r->found);
    r->found = NULL;
    return code;
}

static stele_code run_wet(struct removal *r, remove_fn remove_them, stele_error *err)
{
    struct pausing pausing;
    const stele_backoff backoff = {pause_between, &pausing};
    stele_code code = sti_stream_open_writer(r->run, false, &r->stream, err);

    if (code != STELE_OK) {
        return code;
    }
    memset(&pausing, 0, sizeof pausing);
    pausing.deleted = r->deleted;
    pausing.wait.wait_ms = sti_ms_of_us(r->args->wait.value);
    r->backoff = &backoff;
    sti_progress_begin(&pausing.progress, "deleted");
    code = remove_them(r, err);
    sti_progress_end(&pausing.progress);
    r->backoff = NULL;
    return sti_stream_done(r->stream, code, err);
}

static stele_code remove_messages(
        const struct sti_run *run, stele_offsets *listed, remove_fn remove_them, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    stele_deleted deleted;
    struct removal r;
    stele_code code;

    memset(&deleted, 0, sizeof deleted);
    memset(&r, 0, sizeof r);
    r.run = run;
    r.args = args;
    r.now = now();
    r.listed = listed;
    r.deleted = &deleted;
    code = args->common.dry_run ? run_dry(&r, remove_them, err) : run_wet(&r, remove_them, err);
    if (code == STELE_OK || deleted.count > 0) {
        print_deleted(&deleted, args->common.dry_run, run->json);
    }
    return code;
}

/* ---- rm ---- */

static stele_code copy_offsets(const stele_offsets *from, stele_offsets *to, stele_error *err)
{
    for (int64_t at = stele_offsets_next(from, 0); at >= 0; at = stele_offsets_next(from, at + 1)) {
        stele_code code = stele_offsets_add(to, at, err);

        if (code != STELE_OK) {
            return code;
        }
    }
    return STELE_OK;
}

/* The library refuses a lowest offset before the first segment; here, what is
 * not there is passed over. */
static stele_code rm(struct removal *r, stele_error *err)
{
    stele_stream_stats stats;
    stele_code code = stele_stream_stat(r->stream, &stats, err);
    int64_t at;

    if (code != STELE_OK) {
        return code;
    }
    for (at = stele_offsets_next(r->listed, 0); at >= 0; at = stele_offsets_next(r->listed, at)) {
        if (at >= stats.oldest && at < stats.next_offset && stats.oldest >= 0) {
            at++;
        } else {
            stele_offsets_remove(r->listed, at);
        }
    }
    if (stele_offsets_count(r->listed) == 0) {
        return STELE_OK;
    }
    if (r->found != NULL) {
        return copy_offsets(r->listed, r->found, err);
    }
    return stele_stream_delete_multi(r->stream, r->listed, r->backoff, r->deleted, err);
}

stele_code sti_stream_rm(const struct sti_run *run, stele_error *err)
{
    stele_offsets *listed = NULL;
    stele_code code = stele_offsets_new(&listed, err);

    for (size_t i = 1; i < run->operands->count && code == STELE_OK; i++) {
        int64_t offset = 0;

        code = sti_parse_integer(run->operands->items[i], &offset, err);
        if (code == STELE_OK && (offset < 0 || offset == INT64_MAX)) {
            code = sti_cli_fail(err, STELE_EOFFSET, "offset %" PRId64 " is out of range", offset);
        }
        if (code == STELE_OK) {
            code = stele_offsets_add(listed, offset, err);
        }
    }
    if (code == STELE_OK) {
        code = remove_messages(run, listed, rm, err);
    }
    stele_offsets_free(listed);
    return code;
}

/* ---- trim ---- */

/* A long age reaches back before all times. */
static stele_time before_age(stele_time now_us, int64_t age_us)
{
    stele_time before;

    return __builtin_sub_overflow(now_us, age_us, &before) ? INT64_MIN : before;
}

static stele_code trim(struct removal *r, stele_error *err)
{
    const struct sti_stream_args *args = r->args;
    const stele_time before =
            args->before.given ? args->before.value : before_age(r->now, args->age.value);

    if (r->found != NULL) {
        if (args->offset.given) {
            return stele_stream_find_by_offset(r->stream, args->offset.value, NULL, r->found, err);
        }
        if (args->count.given) {
            return stele_stream_find_by_count(r->stream, args->count.value, NULL, r->found, err);
        }
        if (args->size.given) {
            return stele_stream_find_by_size(r->stream, args->size.value, NULL, r->found, err);
        }
        return stele_stream_find_by_age(r->stream, before, NULL, r->found, err);
    }
    if (args->offset.given) {
        return stele_stream_trim_by_offset_multi(
                r->stream, args->offset.value, NULL, r->backoff, r->deleted, err);
    }
    if (args->count.given) {
        return stele_stream_trim_by_count_multi(
                r->stream, args->count.value, NULL, r->backoff, r->deleted, err);
    }
    if (args->size.given) {
        return stele_stream_trim_by_size_multi(
                r->stream, args->size.value, NULL, r->backoff, r->deleted, err);
    }
    return stele_stream_trim_by_age_multi(r->stream, before, NULL, r->backoff, r->deleted, err);
}

stele_code sti_stream_trim(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    const int ways = (args->offset.given ? 1 : 0) + (args->count.given ? 1 : 0) +
                     (args->size.given ? 1 : 0) + (args->age.given ? 1 : 0) +
                     (args->before.given ? 1 : 0);

    if (ways != 1) {
        return sti_cli_fail(
                err, STELE_EINVAL, "give one of --offset, --count, --size, --age and --before");
    }
    return remove_messages(run, NULL, trim, err);
}

/* ---- compact ---- */

static stele_code compact(struct removal *r, stele_error *err)
{
    const struct sti_stream_args *args = r->args;
    const stele_time before = before_age(r->now, args->age.value);

    if (r->found != NULL) {
        return sti_stream_find_compact(r->stream, args, r->now, r->found, err);
    }
    if (args->updates == args->deletes) {
        return stele_stream_compact(r->stream, args->age.value, NULL, r->backoff, r->deleted, err);
    }
    if (args->updates) {
        return stele_stream_compact_updates_multi(
                r->stream, before, NULL, r->backoff, r->deleted, err);
    }
    return stele_stream_compact_deletes_multi(r->stream, before, NULL, r->backoff, r->deleted, err);
}

stele_code sti_stream_compact(const struct sti_run *run, stele_error *err)
{
    return remove_messages(run, NULL, compact, err);
}
