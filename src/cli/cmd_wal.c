/* SPDX-License-Identifier: MIT
 *
 * cmd_wal.c: the verbs and options of the area `wal`.
 */
#include "cli/cmd_wal.h"

#include "cli/output.h"
#include "cli/report.h"

#include <string.h>

/* Entries of the table below, in its order. */
enum {
    OPT_FROM,
    OPT_COUNT,
    OPT_FORMAT,
    OPT_BATCH,
    OPT_ACK,
    OPT_TO,
    OPT_SEGMENT_SIZE,
    OPT_RECORD_MAX,
    OPT_DRY_RUN,
    OPT_LOCK_WAIT,
    OPT_JSON,
    OPT_HELP
};

#define SET(entry)   STI_SET(entry)
#define FIELD(field) offsetof(struct sti_wal_args, field)

_Static_assert(FIELD(common) == 0, "entries of command.h name fields of the first member");

static const struct sti_option option_table[] = {
        [OPT_FROM] = {"from", 0, STI_OPT_TEXT, FIELD(from), "ID",
                "start at this id, or the first one behind it"},
        [OPT_COUNT] = {"count", 'c', STI_OPT_COUNT, FIELD(count), "N", "stop after N records"},
        [OPT_FORMAT] = {"format", 0, STI_OPT_TEXT, FIELD(format), "stele|blb",
                "format of a new log (stele)"},
        [OPT_BATCH] = {"batch", 0, STI_OPT_COUNT, FIELD(batch), "N",
                "give the log up to N records at once; each time is a\n"
                "sync (by default as many as are there, up to 1024)"},
        [OPT_ACK] = {"ack", 0, STI_OPT_COUNT, FIELD(common.ack), "N",
                "print the JSON line after every N records or more,\n"
                "once they would survive a power cut"},
        [OPT_TO] = {"to", 0, STI_OPT_TEXT, FIELD(to), "stele|blb", "the format to write"},
        [OPT_SEGMENT_SIZE] = {"segment-size", 0, STI_OPT_BYTES, FIELD(segment_size), "BYTES",
                "begin a new segment when one has this size (64 MiB,\nformat blb 4 MiB)"},
        [OPT_RECORD_MAX] = {"record-max", 0, STI_OPT_BYTES, FIELD(record_max), "BYTES",
                "the longest record (64 MiB, format blb 1 MiB)"},
        [OPT_DRY_RUN] = STI_OPTION_DRY_RUN,
        [OPT_LOCK_WAIT] = STI_OPTION_LOCK_WAIT,
        [OPT_JSON] = STI_OPTION_JSON,
        [OPT_HELP] = STI_OPTION_HELP,
};

enum {
    OPTION_COUNT = sizeof option_table / sizeof option_table[0]
};

#define READS  (SET(OPT_RECORD_MAX) | SET(OPT_JSON) | SET(OPT_HELP))
#define WRITES (READS | SET(OPT_SEGMENT_SIZE) | SET(OPT_LOCK_WAIT))

static const struct sti_verb verb_table[] = {
        {
                .name = "append",
                .operands = "DIR",
                .summary = "append records, a line each, from standard input",
                .text = "Append a record for each line of standard input; their ids follow the last\n"
                        "one, from 1 in an empty log. With --json a line is an object: {\"id\",\"data\"},\n"
                        "or data_b64 with base64. An id has to follow; an empty log takes any; without\n"
                        "one, or with null, it continues. The log is created if it is not there. Of a\n"
                        "bad line nothing is appended, those before it stay. All is durable before the\n"
                        "command ends.",
                .output = "  {\"appended\":n,\"last_id\":n}",
                .example = "  printf 'one\\ntwo\\n' | stele wal append /tmp/log",
                .options = WRITES | SET(OPT_FORMAT) | SET(OPT_BATCH) | SET(OPT_ACK),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_wal_append,
        },
        {
                .name = "cat",
                .operands = "DIR",
                .summary = "print records",
                .text = "Print records in their order, each with a newline behind it, up to the end that\n"
                        "the log has at the start. Works beside a process that writes. Of a damaged log\n"
                        "it prints what precedes the damage, and exits with 3.",
                .output = "  {\"id\":n,\"data\":\"...\"}",
                .example = "  stele wal cat /tmp/log --from 100 -c 10 -J",
                .options = READS | SET(OPT_FROM) | SET(OPT_COUNT),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_wal_cat,
        },
        {
                .name = "stat",
                .operands = "DIR",
                .summary = "print the ids, segments, size and format",
                .text = "Print what the log holds.",
                .output =
                        "  {\"empty\":bool,\"first_id\":n,\"last_id\":n,\"segments\":n,\"size\":n,\n"
                        "   \"format\":\"stele|blb\"}",
                .example = "  stele wal stat /tmp/log",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_wal_stat,
        },
        {
                .name = "truncate",
                .operands = "DIR LAST_TO_KEEP",
                .summary = "forget the newest records",
                .text = "Forget the records behind an id. Past the end it does nothing; before the\n"
                        "first record it empties the log.",
                .output = "  {\"ok\":true}",
                .example = "  stele wal truncate /tmp/log 41 --dry-run",
                .options = WRITES | SET(OPT_DRY_RUN),
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_wal_truncate,
        },
        {
                .name = "trim",
                .operands = "DIR DISCARD_UP_TO",
                .summary = "let the oldest records go, by whole segments",
                .text = "Allow records up to an id to go. Whole segments go whose records are all\n"
                        "covered; in format blb the last file stays. Works on a full disk.",
                .output = "  {\"ok\":true}",
                .example = "  stele wal trim /tmp/log 1000 --dry-run",
                .options = WRITES | SET(OPT_DRY_RUN),
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_wal_trim,
        },
        {
                .name = "check",
                .operands = "DIR",
                .summary = "verify every record, and that no segment is missing",
                .text = "Verify every record of every segment, and what the manifest says of them.\n"
                        "Takes no lock. Exit code 3 and a line for each fault if there are any.",
                .output =
                        "  {\"segment\":\"...\",\"position\":n,\"error\":\"...\"}   for each fault\n"
                        "  {\"ok\":bool,\"segments\":n,\"records\":n}",
                .example = "  stele wal check /tmp/log",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_wal_check,
        },
        {
                .name = "recover",
                .operands = "DIR",
                .summary = "make a damaged log one that opens",
                .text = "Keep the records before the first damage. What is behind it goes to quarantine\n"
                        "files beside the log, since ids have no gaps; nothing is thrown away. Makes a\n"
                        "lost manifest again. A second run changes nothing.",
                .output = "  {\"segments\":n,\"records\":n,\"cut_bytes\":n,\n"
                          "   \"lost\":[[first,last],...],\"quarantine\":[\"...\"]}",
                .example = "  stele wal recover /tmp/log --dry-run",
                .options = WRITES | SET(OPT_DRY_RUN),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_wal_recover,
        },
        {
                .name = "migrate",
                .operands = "DIR",
                .summary = "rewrite the log in the other format",
                .text = "Rewrite the log in the wanted format, with the same records. A crash leaves it\n"
                        "in one of the two.",
                .output = "  {\"segments\":n,\"migrated\":n}",
                .example = "  stele wal migrate /tmp/log --to blb",
                .options = WRITES | SET(OPT_TO) | SET(OPT_DRY_RUN),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_wal_migrate,
        },
};

const struct sti_area sti_area_wal = {
        .name = "wal",
        .summary = "Write-ahead logs: numbered records under one shared sync",
        .options = option_table,
        .option_count = OPTION_COUNT,
        .args_size = sizeof(struct sti_wal_args),
        .verbs = verb_table,
        .verb_count = sizeof verb_table / sizeof verb_table[0],
};

stele_code sti_wal_format(const char *text, stele_wal_format *out, stele_error *err)
{
    if (text == NULL) {
        *out = STELE_WAL_ANY;
    } else if (strcmp(text, "stele") == 0) {
        *out = STELE_WAL_STELE;
    } else if (strcmp(text, "blb") == 0) {
        *out = STELE_WAL_BLB;
    } else {
        return sti_cli_fail(
                err, STELE_EINVAL, "'%.64s' is no format; there are stele and blb", text);
    }
    return STELE_OK;
}

const char *sti_wal_format_name(stele_wal_format format)
{
    return format == STELE_WAL_BLB ? "blb" : "stele";
}

/* The library takes 0 for its default, so it cannot be asked for. */
stele_code sti_wal_options(
        const struct sti_wal_args *args, stele_wal_options *out, stele_error *err)
{
    stele_wal_options_init(out);
    if (args->segment_size.given && args->segment_size.value == 0) {
        return sti_cli_fail(err, STELE_EINVAL, "option --segment-size: 0 is less than 1");
    }
    if (args->record_max.given &&
            (args->record_max.value == 0 || args->record_max.value > STELE_WAL_RECORD_MAX)) {
        return sti_cli_fail(err, STELE_EINVAL, "option --record-max: not within 1 and %u",
                (unsigned)STELE_WAL_RECORD_MAX);
    }
    out->segment_size = (uint64_t)args->segment_size.value;
    out->record_size_max = (uint32_t)args->record_max.value;
    out->lock_wait_ms = sti_ms_of_us(args->common.lock_wait.value);
    out->dry_run = args->common.dry_run;
    return sti_wal_format(args->format, &out->format, err);
}

stele_code sti_wal_open_reader(const struct sti_run *run, stele_wal **out, stele_error *err)
{
    stele_wal_options opts;
    stele_code code = sti_wal_options(run->args, &opts, err);

    if (code != STELE_OK) {
        return code;
    }
    opts.read_only = true;
    return stele_wal_open(out, run->operands->items[0], &opts, err);
}

stele_code sti_wal_open_writer(
        const struct sti_run *run, bool create, stele_wal **out, stele_error *err)
{
    static stele_env env; /* until close */
    stele_wal_options opts;
    stele_code code = sti_wal_options(run->args, &opts, err);

    if (code != STELE_OK) {
        return code;
    }
    stele_env_init(&env);
    env.log = sti_print_log;
    opts.env = &env;
    opts.create_dirs = create;
    opts.must_exist = !create;
    return stele_wal_open(out, run->operands->items[0], &opts, err);
}

stele_code sti_wal_done(stele_wal *w, stele_code code, stele_error *err)
{
    if (code < STELE_OK) {
        (void)stele_wal_close(w, NULL); /* the first failure counts */
        return code;
    }
    return stele_wal_close(w, err);
}
