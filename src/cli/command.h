/* SPDX-License-Identifier: MIT
 *
 * command.h: areas and verbs: `stele AREA VERB OPERANDS OPTIONS`.
 *
 * An area is a module of the library, with a table of verbs and one of the
 * options that its verbs take, in cmd_AREA.c. main.c does all that verbs have
 * in common: options, help, errors, exit codes; a verb is a function and its
 * texts.
 *
 * What verbs of several areas need is in files that know no area:
 *
 *     option.h    options, and values with units: BYTES, DUR, TIME, KEY
 *     lines.h     lines of standard input, with their numbers
 *     json_in.h   JSON objects as input, with the "_b64" rule
 *     intake.h    many lines into few writes; --ack
 *     output.h    JSON lines, rows of text, errors, progress
 *     word.h      bytes as words of text, whole files as input
 *     document.h  JSON as it is: in a line, and out of one
 *     repair.h    what check and recover print
 *     child.h     work on what may be damaged, in a process of its own
 *     login.h     how to reach a server of NATS
 *     signals.h   SIGINT and SIGTERM end what waits for more
 *     report.h    making error messages
 *     exit.h      exit codes
 */
#ifndef STI_CLI_COMMAND_H
#define STI_CLI_COMMAND_H

#include "cli/option.h"

/* What options mean in every area that takes them. An area's argument struct
 * has it as its first member, `common`, and its table the entries below. */
struct sti_common {
    bool json;
    bool help;
    bool dry_run;
    struct sti_number lock_wait;
    struct sti_number ack;
};

#define STI_OPTION_JSON                                                                        \
    {                                                                                          \
        "json", 'J', STI_OPT_FLAG, offsetof(struct sti_common, json), NULL, "print JSON lines" \
    }
#define STI_OPTION_HELP                                                                 \
    {                                                                                   \
        "help", 'h', STI_OPT_FLAG, offsetof(struct sti_common, help), NULL, "this text" \
    }
#define STI_OPTION_DRY_RUN                                                        \
    {                                                                             \
        "dry-run", 'n', STI_OPT_FLAG, offsetof(struct sti_common, dry_run), NULL, \
                "change nothing, tell what would be done"                         \
    }
#define STI_OPTION_LOCK_WAIT                                                        \
    {                                                                               \
        "lock-wait", 0, STI_OPT_DUR, offsetof(struct sti_common, lock_wait), "DUR", \
                "wait so long for the lock of another writer"                       \
    }
#define STI_OPTION_ACK(things)                                            \
    {                                                                     \
        "ack", 0, STI_OPT_COUNT, offsetof(struct sti_common, ack), "N",   \
                "print the JSON line after every N " things " or more,\n" \
                "once they have survived the death of the process"        \
    }

/* One run of a verb. */
struct sti_run {
    const void *args; /* the area's argument struct */
    const struct sti_operands *operands;
    bool json;
};

/* Have the verb run by another process, if that is how it can be: *done, and how it ended. `argv`
 * is what follows the verb. */
typedef stele_code sti_elsewhere(const struct sti_run *run, const char *area, const char *verb,
        int argc, char *const *argv, bool *done, int *exit_code, stele_error *err);

struct sti_verb {
    const char *name;
    const char *operands; /* as help shows them, such as "DIR OFFSET..." */
    const char *summary;  /* for the list of verbs */
    const char *text;     /* for the help of this verb */
    const char *output;   /* the JSON lines */
    const char *example;
    sti_option_set options;
    size_t operands_min;
    size_t operands_max;
    bool offset_is_missing; /* see sti_exit_of() */
    stele_code (*run)(const struct sti_run *run, stele_error *err);
    sti_elsewhere *elsewhere; /* NULL: it is always run here */
};

struct sti_area {
    const char *name;
    const char *summary;
    const struct sti_option *options;
    size_t option_count;
    size_t args_size;
    const struct sti_verb *verbs;
    size_t verb_count;
};

extern const struct sti_area sti_area_docs;
extern const struct sti_area sti_area_fleet;
extern const struct sti_area sti_area_journal;
extern const struct sti_area sti_area_store;
extern const struct sti_area sti_area_stream;
extern const struct sti_area sti_area_wal;

/* All areas, and how many. */
const struct sti_area *const *sti_areas(size_t *count);

/* NULL: there is none of that name. */
const struct sti_area *sti_area_find(const char *name);
const struct sti_verb *sti_verb_find(const struct sti_area *area, const char *name);

/* Run a command line from the area on: the exit code. main.c */
int sti_command_run(int argc, char *const *argv);

/* Help on standard output, or, after a wrong call, on standard error. */
void sti_help(bool wrong);
void sti_help_area(const struct sti_area *area, bool wrong);
void sti_help_verb(const struct sti_area *area, const struct sti_verb *verb);

#endif /* STI_CLI_COMMAND_H */
