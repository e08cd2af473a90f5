/* SPDX-License-Identifier: MIT
 *
 * cmd_stream_lookup.c: `stele stream get`, `offset`, `next`, `size`, `stat`.
 */
#include "cli/cmd_stream.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/report.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* A negative number is an offset that no message has; for the library some
 * of them stand for a place. */
static stele_code get_by_offset(
        stele_stream *s, const char *text, stele_messages *out, stele_error *err)
{
    int64_t offset = 0;
    stele_code code;

    if (strcmp(text, "oldest") == 0) {
        return stele_stream_get(s, STELE_OFFSET_OLDEST, out, err);
    }
    if (strcmp(text, "newest") == 0) {
        return stele_stream_get(s, STELE_OFFSET_NEWEST, out, err);
    }
    code = sti_parse_integer(text, &offset, err);
    if (code == STELE_OK && offset < 0) {
        code = sti_cli_fail(err, STELE_EOFFSET, "offset %" PRId64 " is negative", offset);
    }
    return code == STELE_OK ? stele_stream_get(s, offset, out, err) : code;
}

static stele_code get(
        const struct sti_run *run, stele_stream *s, stele_messages *out, stele_error *err)
{
    const struct sti_stream_args *args = run->args;

    if (args->key.given) {
        return stele_stream_get_by_key(s, args->key.bytes, out, err);
    }
    if (args->time.given) {
        return stele_stream_get_by_time(s, args->time.value, out, err);
    }
    return get_by_offset(s, run->operands->items[1], out, err);
}

static void print_message(const stele_message *m, bool json)
{
    if (json) {
        sti_stream_print_json(m);
    } else {
        sti_print_line(m->value);
    }
}

static void print_place(const stele_message *m, bool json)
{
    char time[STI_TIME_TEXT_SIZE];
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "offset", m->offset);
        sti_json_time(&j, "time", m->time);
        sti_json_end(&j);
    } else {
        sti_format_time(m->time, time);
        sti_row_int("offset", m->offset);
        sti_row("time", "%s", time);
    }
}

static stele_code look_up(const struct sti_run *run,
        void (*print)(const stele_message *m, bool json), stele_error *err)
{
    stele_messages *messages = NULL;
    stele_stream *s = NULL;
    stele_code code = stele_messages_new(&messages, err);

    if (code == STELE_OK) {
        code = sti_stream_open_reader(run, &s, err);
    }
    if (code == STELE_OK) {
        code = get(run, s, messages, err);
        if (code == STELE_OK) {
            print(stele_messages_at(messages, 0), run->json);
        }
        code = sti_stream_done(s, code, err);
    }
    stele_messages_free(messages);
    return code;
}

stele_code sti_stream_get(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    const int ways = (args->key.given ? 1 : 0) + (args->time.given ? 1 : 0) +
                     (run->operands->count > 1 ? 1 : 0);

    if (ways != 1) {
        return sti_cli_fail(
                err, STELE_EINVAL, "give one of OFFSET, oldest, newest, --key and --time");
    }
    return look_up(run, print_message, err);
}

stele_code sti_stream_offset(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;

    if (args->key.given == args->time.given) {
        return sti_cli_fail(err, STELE_EINVAL, "give one of --key and --time");
    }
    return look_up(run, print_place, err);
}

stele_code sti_stream_next(const struct sti_run *run, stele_error *err)
{
    int64_t next_offset = 0;
    stele_stream *s = NULL;
    struct sti_json j;
    stele_code code = sti_stream_open_reader(run, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_stream_done(s, stele_stream_next_offset(s, &next_offset, err), err);
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "next_offset", next_offset);
        sti_json_end(&j);
    } else {
        (void)printf("%" PRId64 "\n", next_offset);
    }
    return STELE_OK;
}

/* The size of one message: of a stream, or by the options without one. */
static stele_code size_of(const struct sti_stream_args *args, stele_stream *s, stele_bytes line,
        int64_t *size, stele_error *err)
{
    stele_stream_version version = STELE_STREAM_VERSION_DEFAULT;
    struct sti_stream_input in;
    stele_code code = sti_stream_parse(line, &in, err);

    if (code != STELE_OK) {
        goto out;
    }
    code = sti_stream_check_size(&in.message, err);
    if (code != STELE_OK) {
        goto out;
    }
    if (s != NULL) {
        code = stele_stream_size(s, &in.message, size, err);
        goto out;
    }
    code = sti_stream_version(args->version, &version, err);
    if (code == STELE_OK) {
        *size = sti_stream_message_size(&in.message, version, args->key_index, args->time_index);
    }
out:
    sti_stream_input_free(&in);
    return code;
}

static void print_size(int64_t size, bool json)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "size", size);
        sti_json_end(&j);
    } else {
        (void)printf("%" PRId64 "\n", size);
    }
}

static stele_code size_of_lines(const struct sti_run *run, stele_stream *s, stele_error *err)
{
    stele_bytes line = stele_empty();
    struct sti_lines lines;
    stele_code code;

    sti_lines_init(&lines, STDIN_FILENO);
    for (;;) {
        int64_t size = 0;

        code = sti_lines_next(&lines, true, &line, err);
        if (code != STELE_OK) {
            break;
        }
        code = size_of(run->args, s, line, &size, err);
        if (code != STELE_OK) {
            code = sti_cli_wrap(err, code, "line %" PRId64, lines.number);
            break;
        }
        print_size(size, run->json);
    }
    if (code == STELE_END) {
        code = lines.number > 0 ? STELE_OK
                                : sti_cli_fail(err, STELE_EINVAL, "no message on standard input");
    }
    sti_lines_free(&lines);
    return code;
}

stele_code sti_stream_size(const struct sti_run *run, stele_error *err)
{
    stele_stream *s = NULL;
    stele_code code;

    if (run->operands->count == 0) {
        return size_of_lines(run, NULL, err);
    }
    code = sti_stream_open_reader(run, &s, err);
    return code == STELE_OK ? sti_stream_done(s, size_of_lines(run, s, err), err) : code;
}

static const char *format_of(const stele_stream_stats *stats)
{
    if (stats->segments_v1 == 0) {
        return "v2";
    }
    return stats->segments_v1 == stats->segments ? "v1" : "mixed";
}

static void print_stats_json(const stele_stream_stats *stats)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_int(&j, "segments", stats->segments);
    sti_json_int(&j, "messages", stats->messages);
    sti_json_int(&j, "size", stats->size);
    sti_json_int_or_null(&j, "oldest", stats->oldest);
    sti_json_int(&j, "next_offset", stats->next_offset);
    sti_json_text(&j, "format", format_of(stats));
    sti_json_bool(&j, "key_index", stats->key_index);
    sti_json_bool(&j, "time_index", stats->time_index);
    sti_json_end(&j);
}

stele_code sti_stream_stat(const struct sti_run *run, stele_error *err)
{
    stele_stream_options opts;
    stele_stream_stats stats;
    stele_code code = sti_stream_options(run->args, &opts, err);

    if (code == STELE_OK) {
        code = stele_stream_stat_dir(run->operands->items[0], &opts, &stats, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        print_stats_json(&stats);
        return STELE_OK;
    }
    sti_row_int("segments", stats.segments);
    sti_row_int("messages", stats.messages);
    sti_row("size", "%" PRId64 " bytes", stats.size);
    if (stats.oldest >= 0) {
        sti_row_int("oldest", stats.oldest);
    } else {
        sti_row("oldest", "none");
    }
    sti_row_int("next offset", stats.next_offset);
    sti_row("format", "%s", format_of(&stats));
    sti_row_bool("key index", stats.key_index);
    sti_row_bool("time index", stats.time_index);
    return STELE_OK;
}
