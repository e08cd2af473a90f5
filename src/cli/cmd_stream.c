/* SPDX-License-Identifier: MIT
 *
 * cmd_stream.c: the verbs and options of the area `stream`.
 */
#include "cli/cmd_stream.h"

#include "cli/report.h"

#include <string.h>

/* Entries of the table below, in its order. */
enum {
    OPT_KEY,
    OPT_NO_KEY,
    OPT_AT_TIME,
    OPT_FROM,
    OPT_COUNT,
    OPT_LAYOUT,
    OPT_END,
    OPT_FOLLOW,
    OPT_DELIMITER,
    OPT_EXPECT,
    OPT_SET_TIME,
    OPT_ACK,
    OPT_SYNC,
    OPT_ROLLOVER,
    OPT_VERSION,
    OPT_HEAD,
    OPT_TO,
    OPT_TRIM_OFFSET,
    OPT_TRIM_COUNT,
    OPT_TRIM_SIZE,
    OPT_BEFORE,
    OPT_UPDATES,
    OPT_DELETES,
    OPT_AGE,
    OPT_WAIT,
    OPT_DRY_RUN,
    OPT_LOCK_WAIT,
    OPT_KEY_INDEX,
    OPT_TIME_INDEX,
    OPT_JSON,
    OPT_HELP
};

#define SET(entry)   STI_SET(entry)
#define FIELD(field) offsetof(struct sti_stream_args, field)

_Static_assert(FIELD(common) == 0, "entries of command.h name fields of the first member");

static const struct sti_option option_table[] = {
        [OPT_KEY] = {"key", 'k', STI_OPT_DATA, FIELD(key), "KEY",
                "messages with this key; hex:..., b64:... and str:... in\nfront decode"},
        [OPT_NO_KEY] = {"no-key", 0, STI_OPT_FLAG, FIELD(no_key), NULL, "messages without a key"},
        [OPT_AT_TIME] = {"time", 't', STI_OPT_TIME, FIELD(time), "TIME",
                "the first message that is not before this"},
        [OPT_FROM] = {"offset", 'o', STI_OPT_TEXT, FIELD(from), "WHERE",
                "start at oldest (default), newest, an offset N, the\n"
                "last N with -N, or a time with @TIME"},
        [OPT_COUNT] = {"count", 'c', STI_OPT_COUNT, FIELD(count), "N", "stop after N messages"},
        [OPT_LAYOUT] = {"format", 'f', STI_OPT_TEXT, FIELD(layout), "FORMAT",
                "print each message so: %k key, %s value, %o offset,\n"
                "%T time in microseconds, %% percent, \\n, \\t, \\\\"},
        [OPT_END] = {"end", 'e', STI_OPT_FLAG, FIELD(end), NULL, "stop at the end (default)"},
        [OPT_FOLLOW] = {"follow", 0, STI_OPT_FLAG, FIELD(follow), NULL,
                "wait for more; SIGINT and SIGTERM end it with 0"},
        [OPT_DELIMITER] = {"key-delimiter", 'K', STI_OPT_TEXT, FIELD(delimiter), "DELIM",
                "a line is KEY DELIM VALUE; without DELIM in it there\nis no key"},
        [OPT_EXPECT] = {"expect", 0, STI_OPT_NUMBER, FIELD(expect), "OFFSET",
                "publish only if this is the next offset"},
        [OPT_SET_TIME] = {"time", 't', STI_OPT_TIME, FIELD(time), "TIME",
                "the time of messages that bring none (default: now)"},
        [OPT_ACK] = STI_OPTION_ACK("messages"),
        [OPT_SYNC] = {"sync", 0, STI_OPT_FLAG, FIELD(sync), NULL,
                "make each piece of work survive a power cut at once"},
        [OPT_ROLLOVER] = {"rollover", 0, STI_OPT_BYTES, FIELD(rollover), "BYTES",
                "begin a new segment when one is larger (1 MiB)"},
        [OPT_VERSION] = {"format", 0, STI_OPT_TEXT, FIELD(version), "v1|v2",
                "format of new segments (v2)"},
        [OPT_HEAD] = {"head", 0, STI_OPT_FLAG, FIELD(head), NULL, "the newest segment only"},
        [OPT_TO] = {"to", 0, STI_OPT_TEXT, FIELD(to), "v1|v2", "the format to write"},
        [OPT_TRIM_OFFSET] = {"offset", 'o', STI_OPT_NUMBER, FIELD(offset), "N",
                "remove offsets below N"},
        [OPT_TRIM_COUNT] = {"count", 'c', STI_OPT_COUNT, FIELD(count), "N",
                "remove the oldest until N messages remain"},
        [OPT_TRIM_SIZE] = {"size", 's', STI_OPT_BYTES, FIELD(size), "BYTES",
                "remove the oldest until less than BYTES remain"},
        [OPT_BEFORE] = {"before", 0, STI_OPT_TIME, FIELD(before), "TIME",
                "remove from the start what is not later than TIME"},
        [OPT_UPDATES] = {"updates", 0, STI_OPT_FLAG, FIELD(updates), NULL,
                "remove messages whose key comes again"},
        [OPT_DELETES] = {"deletes", 0, STI_OPT_FLAG, FIELD(deletes), NULL,
                "remove first messages of a key that have no value"},
        [OPT_AGE] = {"age", 0, STI_OPT_DUR, FIELD(age), "DUR",
                "touch only what is older: 90 (seconds), 500ms, 2s, 5m,\n1h, 7d"},
        [OPT_WAIT] = {"wait", 0, STI_OPT_DUR, FIELD(wait), "DUR", "pause between segments"},
        [OPT_DRY_RUN] = STI_OPTION_DRY_RUN,
        [OPT_LOCK_WAIT] = STI_OPTION_LOCK_WAIT,
        [OPT_KEY_INDEX] = {"key-index", 0, STI_OPT_FLAG, FIELD(key_index), NULL,
                "the stream finds keys; needed when it is created, or\n"
                "when it has format v1"},
        [OPT_TIME_INDEX] = {"time-index", 0, STI_OPT_FLAG, FIELD(time_index), NULL,
                "the stream finds times; likewise"},
        [OPT_JSON] = STI_OPTION_JSON,
        [OPT_HELP] = STI_OPTION_HELP,
};

enum {
    OPTION_COUNT = sizeof option_table / sizeof option_table[0]
};

_Static_assert(OPTION_COUNT <= 64, "one bit for each option");

#define READS  (SET(OPT_KEY_INDEX) | SET(OPT_TIME_INDEX) | SET(OPT_JSON) | SET(OPT_HELP))
#define WRITES (READS | SET(OPT_LOCK_WAIT))

static const struct sti_verb verb_table[] = {
        {
                .name = "publish",
                .operands = "DIR",
                .summary = "append messages, a line each, from standard input",
                .text = "Append a message for each line of standard input. An empty line is an empty\n"
                        "value. With --json a line is an object: {\"key\",\"value\",\"time\"}, or key_b64\n"
                        "and value_b64 with base64; what is missing or null is nil. The stream is\n"
                        "created if it is not there. Of a bad line nothing is published, those before\n"
                        "it stay, and the exit code is 2. All is synced before the command ends.",
                .output = "  {\"published\":n,\"next_offset\":n}",
                .example =
                        "  printf 'a=1\\nb=2\\n' | stele stream publish /tmp/log -K = --key-index",
                .options = WRITES | SET(OPT_DELIMITER) | SET(OPT_EXPECT) | SET(OPT_SET_TIME) |
                           SET(OPT_ACK) | SET(OPT_SYNC) | SET(OPT_ROLLOVER) | SET(OPT_VERSION),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_publish,
        },
        {
                .name = "consume",
                .operands = "DIR",
                .summary = "print messages, and wait for more",
                .text = "Print messages in their order, the value and a newline for each, up to the\n"
                        "end that the stream has at the start. Works beside a process that writes.",
                .output = "  {\"offset\":n,\"time\":\"...\",\"key\":\"...\",\"value\":\"...\"}",
                .example = "  stele stream consume /tmp/log -o -10 -f '%o %k=%s\\n' --follow",
                .options = READS | SET(OPT_FROM) | SET(OPT_COUNT) | SET(OPT_KEY) | SET(OPT_NO_KEY) |
                           SET(OPT_LAYOUT) | SET(OPT_END) | SET(OPT_FOLLOW),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_consume,
        },
        {
                .name = "get",
                .operands = "DIR [OFFSET|oldest|newest]",
                .summary = "print one message, by offset, key or time",
                .text = "Print one message: that at an offset, the newest with a key (--key), or the\n"
                        "first that is not before a time (--time). Exit code 1 if there is none.",
                .output = "  {\"offset\":n,\"time\":\"...\",\"key\":\"...\",\"value\":\"...\"}",
                .example = "  stele stream get /tmp/log --key a",
                .options = READS | SET(OPT_KEY) | SET(OPT_AT_TIME),
                .operands_min = 1,
                .operands_max = 2,
                .offset_is_missing = true,
                .run = sti_stream_get,
        },
        {
                .name = "offset",
                .operands = "DIR",
                .summary = "print the offset that belongs to a key or a time",
                .text = "Print offset and time of the newest message with a key (--key), or of the\n"
                        "first that is not before a time (--time). Exit code 1 if there is none.",
                .output = "  {\"offset\":n,\"time\":\"...\"}",
                .example = "  stele stream offset /tmp/log --time 2026-01-01T00:00:00Z",
                .options = READS | SET(OPT_KEY) | SET(OPT_AT_TIME),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_offset,
        },
        {
                .name = "next",
                .operands = "DIR",
                .summary = "print the offset that the next message will get",
                .text = "Print the offset that the next message will get.",
                .output = "  {\"next_offset\":n}",
                .example = "  stele stream next /tmp/log",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_next,
        },
        {
                .name = "size",
                .operands = "[DIR]",
                .summary = "print how many bytes a message takes up",
                .text = "Read messages as JSON lines, as publish does, and print how many bytes each\n"
                        "takes up in log and index: of the stream in DIR, or of one with --format,\n"
                        "--key-index and --time-index.",
                .output = "  {\"size\":n}",
                .example =
                        "  echo '{\"key\":\"a\",\"value\":\"1\"}' | stele stream size --key-index",
                .options = READS | SET(OPT_VERSION),
                .operands_min = 0,
                .operands_max = 1,
                .run = sti_stream_size,
        },
        {
                .name = "stat",
                .operands = "DIR",
                .summary = "print counts, sizes, offsets and formats",
                .text = "Print what the stream holds. The size is that after a clean close.",
                .output =
                        "  {\"segments\":n,\"messages\":n,\"size\":n,\"oldest\":n,\"next_offset\":n,\n"
                        "   \"format\":\"v1|v2|mixed\",\"key_index\":bool,\"time_index\":bool}",
                .example = "  stele stream stat /tmp/log",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_stat,
        },
        {
                .name = "check",
                .operands = "DIR",
                .summary = "verify every segment, log against index",
                .text = "Verify every message of every segment, and the indexes against the logs. Takes\n"
                        "no lock. Exit code 3 and a line for each fault if there are any.",
                .output =
                        "  {\"segment\":\"...\",\"position\":n,\"error\":\"...\"}   for each fault\n"
                        "  {\"ok\":bool,\"segments\":n,\"messages\":n}",
                .example = "  stele stream check /tmp/log",
                .options = READS | SET(OPT_HEAD),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_check,
        },
        {
                .name = "recover",
                .operands = "DIR",
                .summary = "mend a damaged stream, keeping every whole message",
                .text = "Keep every whole message of every segment, also those behind damage. What is\n"
                        "cut goes to quarantine files beside the log; nothing is thrown away. Indexes\n"
                        "are built again where they do not fit. A second run changes nothing.",
                .output = "  {\"segments\":n,\"messages\":n,\"cut_bytes\":n,\n"
                          "   \"lost\":[[first,last],...],\"quarantine\":[\"...\"]}",
                .example = "  stele stream recover /tmp/log --dry-run",
                .options = WRITES | SET(OPT_DRY_RUN),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_recover,
        },
        {
                .name = "migrate",
                .operands = "DIR",
                .summary = "rewrite segments in another format",
                .text = "Rewrite every segment that is not in the wanted format yet. A crash leaves each\n"
                        "segment in one of the two.",
                .output = "  {\"segments\":n,\"migrated\":n}",
                .example = "  stele stream migrate /tmp/log --to v2",
                .options = WRITES | SET(OPT_TO) | SET(OPT_DRY_RUN),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_migrate,
        },
        {
                .name = "backup",
                .operands = "DIR DST",
                .summary = "copy a stream while it is written, and verify the copy",
                .text = "Copy the stream to DST, which is made if it is not there; it must be empty, or\n"
                        "hold an earlier copy, which is brought up to date. The copy is read back and\n"
                        "verified. Works beside a process that writes.",
                .output = "  {\"segments\":n,\"messages\":n,\"bytes\":n,\"verified\":true}",
                .example = "  stele stream backup /tmp/log /tmp/copy",
                .options = READS,
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_stream_backup,
        },
        {
                .name = "rm",
                .operands = "DIR OFFSET...",
                .summary = "delete messages by their offsets",
                .text = "Delete messages. Offsets that are not there are passed over.",
                .output = "  {\"deleted\":n,\"size\":bytes}",
                .example = "  stele stream rm /tmp/log 17 23 --dry-run",
                .options = WRITES | SET(OPT_WAIT) | SET(OPT_DRY_RUN),
                .operands_min = 2,
                .operands_max = SIZE_MAX,
                .run = sti_stream_rm,
        },
        {
                .name = "trim",
                .operands = "DIR",
                .summary = "delete the oldest messages",
                .text = "Delete messages from the start of the stream, as one of --offset, --count,\n"
                        "--size, --age and --before says.",
                .output = "  {\"deleted\":n,\"size\":bytes}",
                .example = "  stele stream trim /tmp/log --age 7d",
                .options = WRITES | SET(OPT_TRIM_OFFSET) | SET(OPT_TRIM_COUNT) |
                           SET(OPT_TRIM_SIZE) | SET(OPT_AGE) | SET(OPT_BEFORE) | SET(OPT_WAIT) |
                           SET(OPT_DRY_RUN),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_trim,
        },
        {
                .name = "compact",
                .operands = "DIR",
                .summary = "keep the last message of each key",
                .text = "Delete messages whose key comes again (--updates), and first messages of a key\n"
                        "that have no value (--deletes). With neither or both: updates that are older\n"
                        "than --age (default 0), then deletes older than twice that. Messages without\n"
                        "a key stay.",
                .output = "  {\"deleted\":n,\"size\":bytes}",
                .example = "  stele stream compact /tmp/log --updates --age 1h",
                .options = WRITES | SET(OPT_UPDATES) | SET(OPT_DELETES) | SET(OPT_AGE) |
                           SET(OPT_WAIT) | SET(OPT_DRY_RUN),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_stream_compact,
        },
};

const struct sti_area sti_area_stream = {
        .name = "stream",
        .summary = "Message logs with offsets, keys and times",
        .options = option_table,
        .option_count = OPTION_COUNT,
        .args_size = sizeof(struct sti_stream_args),
        .verbs = verb_table,
        .verb_count = sizeof verb_table / sizeof verb_table[0],
};

stele_code sti_stream_version(const char *text, stele_stream_version *out, stele_error *err)
{
    if (text == NULL) {
        *out = STELE_STREAM_VERSION_DEFAULT;
    } else if (strcmp(text, "v1") == 0) {
        *out = STELE_STREAM_V1;
    } else if (strcmp(text, "v2") == 0) {
        *out = STELE_STREAM_V2;
    } else {
        return sti_cli_fail(err, STELE_EINVAL, "'%.64s' is no format; there are v1 and v2", text);
    }
    return STELE_OK;
}

stele_code sti_stream_options(
        const struct sti_stream_args *args, stele_stream_options *out, stele_error *err)
{
    stele_stream_options_init(out);
    out->key_index = args->key_index;
    out->time_index = args->time_index;
    out->index_auto = true;
    out->lock_wait_ms = sti_ms_of_us(args->common.lock_wait.value);
    return sti_stream_version(args->version, &out->new_segments, err);
}

/* With index_auto the files decide about indexes. Who asks for one expects
 * it, though. */
static stele_code require_indexes(const struct sti_run *run, stele_stream *s, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    stele_stream_stats stats;
    stele_code code;

    if (!args->key_index && !args->time_index) {
        return STELE_OK;
    }
    code = stele_stream_stat(s, &stats, err);
    if (code != STELE_OK) {
        return code;
    }
    if (args->key_index && !stats.key_index) {
        return sti_cli_fail(err, STELE_EMISMATCH, "%s: the stream has no key index (--key-index)",
                run->operands->items[0]);
    }
    if (args->time_index && !stats.time_index) {
        return sti_cli_fail(err, STELE_EMISMATCH, "%s: the stream has no time index (--time-index)",
                run->operands->items[0]);
    }
    return STELE_OK;
}

static stele_code open_with(const struct sti_run *run, const stele_stream_options *opts,
        stele_stream **out, stele_error *err)
{
    stele_stream *s = NULL;
    stele_code code = stele_stream_open(&s, run->operands->items[0], opts, err);

    if (code != STELE_OK) {
        return code;
    }
    code = require_indexes(run, s, err);
    if (code != STELE_OK) {
        (void)stele_stream_close(s, NULL); /* the first failure counts */
        return code;
    }
    *out = s;
    return STELE_OK;
}

stele_code sti_stream_open_reader(const struct sti_run *run, stele_stream **out, stele_error *err)
{
    stele_stream_options opts;
    stele_code code = sti_stream_options(run->args, &opts, err);

    if (code != STELE_OK) {
        return code;
    }
    opts.read_only = true;
    opts.live = true;
    return open_with(run, &opts, out, err);
}

stele_code sti_stream_open_writer(
        const struct sti_run *run, bool create, stele_stream **out, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    stele_stream_options opts;
    stele_code code = sti_stream_options(args, &opts, err);

    if (code != STELE_OK) {
        return code;
    }
    opts.create_dirs = create;
    opts.keep_rewrite_version = true; /* another format is what migrate is for */
    opts.auto_sync = args->sync;
    if (args->rollover.given) {
        if (args->rollover.value == 0) {
            return sti_cli_fail(err, STELE_EINVAL, "option --rollover: 0 is less than 1");
        }
        opts.rollover = args->rollover.value;
    }
    return open_with(run, &opts, out, err);
}

stele_code sti_stream_done(stele_stream *s, stele_code code, stele_error *err)
{
    if (code < STELE_OK) {
        (void)stele_stream_close(s, NULL); /* the first failure counts */
        return code;
    }
    return stele_stream_close(s, err);
}
