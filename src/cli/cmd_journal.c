/* SPDX-License-Identifier: MIT
 *
 * cmd_journal.c: the verbs and options of the area `journal`.
 */
#include "cli/cmd_journal.h"

#include "cli/output.h"
#include "cli/report.h"

#include <string.h>

/* Entries of the table below, in its order. */
enum {
    OPT_LIMIT,
    OPT_DURABILITY,
    OPT_ACK,
    OPT_UNTIL_COUNT,
    OPT_UNTIL_TIME,
    OPT_DRY_RUN,
    OPT_LOCK_WAIT,
    OPT_JSON,
    OPT_HELP
};

#define SET(entry)   STI_SET(entry)
#define FIELD(field) offsetof(struct sti_journal_args, field)

_Static_assert(FIELD(common) == 0, "entries of command.h name fields of the first member");

static const struct sti_option option_table[] = {
        [OPT_LIMIT] = {"limit", 0, STI_OPT_BYTES, FIELD(limit), "BYTES",
                "merge the logs into a new snapshot when they are\n"
                "larger than this (never, by default)"},
        [OPT_DURABILITY] = {"durability", 0, STI_OPT_TEXT, FIELD(durability), "WHEN",
                "when operations are made durable: each (before the\n"
                "next one is taken; the default), interval:DUR, or\n"
                "stop (at the end)"},
        [OPT_ACK] = {"ack", 0, STI_OPT_COUNT, FIELD(common.ack), "N",
                "print the JSON line after every N operations or more,\n"
                "once they would survive a power cut"},
        [OPT_UNTIL_COUNT] = {"until-count", 0, STI_OPT_NUMBER, FIELD(until_count), "N",
                "the state after N operations since the beginning"},
        [OPT_UNTIL_TIME] = {"until-time", 0, STI_OPT_TIME, FIELD(until_time), "TIME",
                "end before the first operation that is later"},
        [OPT_DRY_RUN] = STI_OPTION_DRY_RUN,
        [OPT_LOCK_WAIT] = STI_OPTION_LOCK_WAIT,
        [OPT_JSON] = STI_OPTION_JSON,
        [OPT_HELP] = STI_OPTION_HELP,
};

enum {
    OPTION_COUNT = sizeof option_table / sizeof option_table[0]
};

#define READS   (SET(OPT_JSON) | SET(OPT_HELP))
#define WRITES  (READS | SET(OPT_LOCK_WAIT))
#define CHANGES (WRITES | SET(OPT_DRY_RUN))

static const struct sti_verb verb_table[] = {
        {
                .name = "record",
                .operands = "DIR",
                .summary = "record operations, JSON lines from standard input",
                .text = "Record an operation for each line of standard input, which is a JSON object\n"
                        "also without --json: {\"op\",\"key\",\"subkey\",\"value\",\"timestamp\",\"config\"}. The op\n"
                        "is put, delete, clear or config; subkeys belong to put and delete, the value\n"
                        "to put; config, an object of strings, to config. What is missing or null is\n"
                        "absent. With _b64 behind its name a field holds base64. The timestamp is a\n"
                        "TIME, now by default. The journal is created if it is not there. Of a bad line\n"
                        "nothing is recorded, those before it stay. All is durable before the command\n"
                        "ends; SIGINT and SIGTERM end it like the end of the input.",
                .output = "  {\"recorded\":n}",
                .example =
                        "  echo '{\"op\":\"put\",\"key\":\"lamp\",\"value\":\"on\"}' | stele journal record /tmp/home",
                .options = WRITES | SET(OPT_LIMIT) | SET(OPT_DURABILITY) | SET(OPT_ACK),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_journal_record_verb,
        },
        {
                .name = "play",
                .operands = "DIR",
                .summary = "print the operations: the newest snapshot, then the logs",
                .text = "Print the operations of the newest snapshot, then those of the logs behind it,\n"
                        "in their order. What is printed with --json can be recorded again. Works beside\n"
                        "a process that records. Of a damaged journal it prints what precedes the\n"
                        "damage, and exits with 3. Both --until options hold; a moment before the newest\n"
                        "snapshot is not found.",
                .output =
                        "  {\"op\":\"put|delete|clear|config\",\"key\":\"...\",\"subkey\":\"...\",\n"
                        "   \"value\":\"...\",\"timestamp\":n,\"config\":{\"...\":\"...\"}}",
                .example = "  stele journal play /tmp/home --until-time 2026-11-20T13:26:01Z -J",
                .options = READS | SET(OPT_UNTIL_COUNT) | SET(OPT_UNTIL_TIME),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_journal_play_verb,
        },
        {
                .name = "snapshot",
                .operands = "DIR",
                .summary = "merge the logs into a new snapshot",
                .text = "Merge the newest snapshot and the logs behind it into a new snapshot, which\n"
                        "takes their place once it was read back.",
                .output = "  {\"ok\":true}",
                .example = "  stele journal snapshot /tmp/home --dry-run",
                .options = CHANGES,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_journal_snapshot_verb,
        },
        {
                .name = "clear",
                .operands = "DIR",
                .summary = "forget everything",
                .text = "Forget all operations: remove all snapshots and logs. A crash leaves the\n"
                        "journal as it was, or empty. Quarantine files stay.",
                .output = "  {\"ok\":true}",
                .example = "  stele journal clear /tmp/home --dry-run",
                .options = CHANGES,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_journal_clear_verb,
        },
        {
                .name = "stat",
                .operands = "DIR",
                .summary = "print how many operations and files there are",
                .text = "Print how many operations were recorded since the journal was new or cleared,\n"
                        "its files, what the newest snapshot holds and stands for, and what the logs\n"
                        "behind it hold.",
                .output =
                        "  {\"count\":n,\"snapshots\":n,\"logs\":n,\"snapshot_ops\":n,\"snapshot_count\":n,\n"
                        "   \"snapshot_size\":n,\"snapshot_time\":\"...\",\"log_ops\":n,\"log_size\":n}",
                .example = "  stele journal stat /tmp/home",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_journal_stat_verb,
        },
        {
                .name = "check",
                .operands = "DIR",
                .summary = "verify every operation, and that none is missing",
                .text = "Verify every operation of every snapshot and log, and that none is missing\n"
                        "between them. Takes no lock. Exit code 3 and a line for each fault if there are\n"
                        "any.",
                .output =
                        "  {\"segment\":\"...\",\"position\":n,\"error\":\"...\"}   for each fault\n"
                        "  {\"ok\":bool,\"segments\":n,\"ops\":n}",
                .example = "  stele journal check /tmp/home",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_journal_check_verb,
        },
};

const struct sti_area sti_area_journal = {
        .name = "journal",
        .summary = "Journals: operations on a structure in memory, to be played again",
        .options = option_table,
        .option_count = OPTION_COUNT,
        .args_size = sizeof(struct sti_journal_args),
        .verbs = verb_table,
        .verb_count = sizeof verb_table / sizeof verb_table[0],
};

stele_code sti_journal_durability(const char *text, stele_journal_options *out, stele_error *err)
{
    static const char interval[] = "interval:";
    int64_t us = 0;
    stele_code code;

    if (text == NULL || strcmp(text, "each") == 0) {
        out->durability = STELE_JOURNAL_EACH;
        return STELE_OK;
    }
    if (strcmp(text, "stop") == 0) {
        out->durability = STELE_JOURNAL_STOP;
        return STELE_OK;
    }
    if (strncmp(text, interval, sizeof interval - 1) != 0) {
        return sti_cli_fail(err, STELE_EINVAL,
                "option --durability: '%.64s' is none of each, interval:DUR and stop", text);
    }
    code = sti_parse_duration(text + sizeof interval - 1, &us, err);
    if (code == STELE_OK && us == 0) {
        code = sti_cli_fail(err, STELE_EINVAL, "an interval of 0");
    }
    if (code != STELE_OK) {
        return sti_cli_wrap(err, code, "option --durability");
    }
    out->durability = STELE_JOURNAL_INTERVAL;
    out->interval_ms = sti_ms_of_us(us);
    return STELE_OK;
}

void sti_journal_writer_options(
        const struct sti_journal_args *args, stele_env *env, stele_journal_options *out)
{
    stele_env_init(env);
    env->log = sti_print_log;
    stele_journal_options_init(out);
    out->env = env;
    out->lock_wait_ms = sti_ms_of_us(args->common.lock_wait.value);
}
