/* SPDX-License-Identifier: MIT
 *
 * help.c: what --help prints.
 */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

enum {
    OPTION_WIDTH = 26,
    VERB_WIDTH = 13
};

void sti_help(bool wrong)
{
    FILE *to = wrong ? stderr : stdout;
    const struct sti_area *const *areas;
    size_t count;

    areas = sti_areas(&count);
    (void)fputs("usage: stele AREA VERB TARGET [ARGUMENTS] [OPTIONS]\n"
                "\n"
                "Durable state in files: look into it, change it, check and repair it.\n"
                "\n"
                "areas:\n",
            to);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(to, "  %-*s  %s\n", VERB_WIDTH, areas[i]->name, areas[i]->summary);
    }
    (void)fputs("\n"
                "  stele help                this text (also -h, --help)\n"
                "  stele AREA help           the verbs of an area\n"
                "  stele AREA VERB --help    one verb, with its options and an example\n"
                "  stele --version           the version of the library\n"
                "\n"
                "exit codes:\n"
                "  0  done                        5  no space left\n"
                "  1  not found                   6  input/output, permission, memory\n"
                "  2  wrong arguments or input    7  conflict with what is stored\n"
                "  3  corrupt, or faults found    8  refused: wrong index, exists, read-only\n"
                "  4  locked by another process\n",
            to);
}

void sti_help_area(const struct sti_area *area, bool wrong)
{
    FILE *to = wrong ? stderr : stdout;

    (void)fprintf(to, "usage: stele %s VERB TARGET [ARGUMENTS] [OPTIONS]\n\n%s.\n\nverbs:\n",
            area->name, area->summary);
    for (size_t i = 0; i < area->verb_count; i++) {
        (void)fprintf(to, "  %-*s  %s\n", VERB_WIDTH, area->verbs[i].name, area->verbs[i].summary);
    }
    (void)fprintf(to, "\n'stele %s VERB --help' tells more about a verb.\n", area->name);
}

/* The names of an option, such as "-c, --count N". */
static void describe(const struct sti_option *o, char *out, size_t size)
{
    const char *value = o->value_name == NULL ? "" : o->value_name;
    /* That of STI_OPT_LEVEL is not parted from the name. */
    const char *space = o->value_name == NULL || o->kind == STI_OPT_LEVEL ? "" : " ";

    if (o->name == NULL) {
        (void)snprintf(out, size, "-%c%s%s", o->letter, space, value);
    } else if (o->letter == '\0') {
        (void)snprintf(out, size, "    --%s%s%s", o->name, space, value);
    } else {
        (void)snprintf(out, size, "-%c, --%s%s%s", o->letter, o->name, space, value);
    }
}

/* Lines of a help text behind the first are indented to its column. */
static void print_option(const struct sti_option *o)
{
    char names[64];
    const char *line = o->help;

    describe(o, names, sizeof names);
    (void)printf("  %-*s", OPTION_WIDTH, names);
    if (strlen(names) > OPTION_WIDTH) {
        (void)printf("\n  %*s", OPTION_WIDTH, "");
    }
    for (;;) {
        const size_t len = strcspn(line, "\n");

        (void)printf("  %.*s\n", (int)len, line);
        if (line[len] == '\0') {
            return;
        }
        line += len + 1;
        (void)printf("  %*s", OPTION_WIDTH, "");
    }
}

void sti_help_verb(const struct sti_area *area, const struct sti_verb *verb)
{
    (void)printf("usage: stele %s %s%s%s [OPTIONS]\n\n%s\n\noptions:\n", area->name, verb->name,
            verb->operands[0] == '\0' ? "" : " ", verb->operands, verb->text);
    for (size_t i = 0; i < area->option_count; i++) {
        if ((verb->options >> i & 1U) != 0) {
            print_option(&area->options[i]);
        }
    }
    (void)printf("\noutput with --json:\n%s\n\nexample:\n%s\n", verb->output, verb->example);
}
