/* SPDX-License-Identifier: MIT
 *
 * command.h: areas and verbs: `stele AREA VERB OPERANDS OPTIONS`.
 *
 * An area is a module of the library, with a table of verbs and one of the
 * options that its verbs take. main.c does all that verbs have in common:
 * options, help, errors, exit codes; a verb is a function and its texts.
 *
 * Each area has a struct for what its options give, whose first member is a
 * struct sti_common.
 */
#ifndef STI_CLI_COMMAND_H
#define STI_CLI_COMMAND_H

#include "cli/option.h"

struct sti_common {
    bool json;
    bool help;
};

/* One run of a verb. */
struct sti_run {
    const void *args; /* the area's argument struct */
    const struct sti_operands *operands;
    bool json;
};

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

extern const struct sti_area sti_area_stream;

/* Help on standard output, or, after a wrong call, on standard error. */
void sti_help(bool wrong);
void sti_help_area(const struct sti_area *area, bool wrong);
void sti_help_verb(const struct sti_area *area, const struct sti_verb *verb);

/* All areas, and how many. */
const struct sti_area *const *sti_areas(size_t *count);

#endif /* STI_CLI_COMMAND_H */
