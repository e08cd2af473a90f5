/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_there.c: verbs whose database is served by another process.
 *
 * Those that change something are run by that one, and those whose short answer is wanted quickly.
 * The others read beside it, of what is committed there: they wait until that has all that the
 * other one had when they began.
 */
#include "cli/cmd_docs.h"
#include "cli/remote.h"
#include "cli/report.h"
#include "cli/word.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_MS = 500,   /* then who only reads does so beside */
    LEVEL_MS = 2000, /* then it is read as it is */
    LOOK_NS = 2000000,
    PIECE = 1 << 16
};

/* ---- Beside. ---- */

static bool is_level(stele_docs *db, const struct sti_remote_place *there)
{
    struct sti_remote_place here;
    stele_error err;

    return sti_docs_place(db, &here, &err) != STELE_OK ||
           (here.seq >= there->seq && here.types == there->types);
}

void sti_docs_await_level(const char *path, stele_docs *db)
{
    const struct timespec nap = {.tv_nsec = LOOK_NS};
    struct sti_remote_place there;

    if (sti_remote_where(path, &there)) {
        for (int i = 0; i < LEVEL_MS * 1000000LL / LOOK_NS && !is_level(db, &there); i++) {
            (void)nanosleep(&nap, NULL);
        }
    }
}

/* ---- Input. ---- */

/* The operand that names input, or may; 0: the verb has none. *needed: without it, too. */
static size_t input_operand(const char *verb, bool *needed)
{
    *needed = strcmp(verb, "load") == 0;
    if (strcmp(verb, "set") == 0 || strcmp(verb, "patch") == 0) {
        *needed = true;
        return 2;
    }
    if (strcmp(verb, "type") == 0) {
        return 2;
    }
    return strcmp(verb, "restore") == 0 ? 1 : 0;
}

static bool is_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static stele_code copy_all(struct sti_input *in, int to, stele_error *err)
{
    static uint8_t piece[PIECE];
    size_t got = 1;
    stele_code code = STELE_OK;

    while (code == STELE_OK && got > 0) {
        size_t done = 0;

        code = sti_input_read(in, piece, sizeof piece, &got, err);
        while (code == STELE_OK && done < got) {
            ssize_t n = write(to, piece + done, got - done);

            if (n < 0 && errno != EINTR) {
                code = sti_cli_fail_errno(err, errno, "a temporary file");
            }
            done += n < 0 ? 0 : (size_t)n;
        }
    }
    if (code == STELE_OK && lseek(to, 0, SEEK_SET) != 0) {
        code = sti_cli_fail_errno(err, errno, "a temporary file");
    }
    return code;
}

/* The other process waits for nobody who types, so that it gets files alone. */
static stele_code as_file(struct sti_input *in, FILE **copy, int *out, stele_error *err)
{
    if (is_file(in->fd)) {
        *out = in->fd;
        return STELE_OK;
    }
    *copy = tmpfile();
    if (*copy == NULL) {
        return sti_cli_fail_errno(err, errno, "a temporary file");
    }
    *out = fileno(*copy);
    return copy_all(in, *out, err);
}

struct there {
    const char **words;
    struct sti_input in;
    FILE *copy;
    int input; /* -1: none */
};

/* Files are opened here, where their names mean something. The word for them becomes "-". */
static stele_code take_input(
        struct there *t, const struct sti_run *run, const char *verb, int count, stele_error *err)
{
    bool needed = false;
    size_t at = input_operand(verb, &needed);
    const char *word = at > 0 && at < run->operands->count ? run->operands->items[at] : NULL;
    const bool is_document = at == 2 && strcmp(verb, "type") != 0;
    stele_code code;

    if (word == NULL ? !needed : is_document && strcmp(word, "-") != 0) {
        return STELE_OK;
    }
    code = sti_input_open(&t->in, word == NULL ? "-" : word, err);
    code = code == STELE_OK ? as_file(&t->in, &t->copy, &t->input, err) : code;
    for (int i = 0; word != NULL && i < count; i++) {
        if (t->words[i] == word) {
            t->words[i] = "-";
        }
    }
    return code;
}

/* Who served it is gone: what came through a pipe is not lost, as it comes from its copy now. */
static stele_code give_back(const struct there *t, stele_error *err)
{
    if (t->copy != NULL && t->in.fd == STDIN_FILENO && dup2(t->input, STDIN_FILENO) < 0) {
        return sti_cli_fail_errno(err, errno, "standard input");
    }
    return STELE_OK;
}

/* ---- There. ---- */

/* NULL: it is done beside. */
static const char *database_of(const struct sti_run *run, const char *area, const char *verb)
{
    const struct sti_docs_args *args = run->args;
    const struct sti_operands *operands = run->operands;

    if (strcmp(area, "docs") == 0 && strcmp(verb, "type") == 0) {
        return operands->count > 1 && strcmp(operands->items[0], "add") == 0 ? operands->items[1]
                                                                             : NULL;
    }
    if (strcmp(area, "docs") == 0 && strcmp(verb, "validate") == 0 &&
            (!args->mend || args->common.dry_run)) {
        return NULL; /* in a child, which no process with many threads can have */
    }
    return operands->items[0];
}

static bool only_reads(const char *area, const char *verb)
{
    static const char *const verbs[] = {"get", "has", "stat"};

    for (size_t i = 0; strcmp(area, "docs") == 0 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verb, verbs[i]) == 0) {
            return true;
        }
    }
    return false;
}

stele_code sti_docs_elsewhere(const struct sti_run *run, const char *area, const char *verb,
        int argc, char *const *argv, bool *done, int *exit_code, stele_error *err)
{
    const char *db = database_of(run, area, verb);
    struct there t = {.in = {"-", -1}, .input = -1};
    stele_code code;

    *done = false;
    if (sti_docs_served() != NULL || db == NULL || !sti_remote_is_served(db)) {
        return STELE_OK;
    }
    t.words = calloc((size_t)argc + 3, sizeof *t.words);
    if (t.words == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for the arguments");
    }
    t.words[0] = area;
    t.words[1] = verb;
    for (int i = 0; i < argc; i++) {
        t.words[i + 2] = argv[i];
    }
    code = take_input(&t, run, verb, argc + 2, err);
    code = code == STELE_OK ? sti_remote_run(db, argc + 2, t.words, t.input,
                                      only_reads(area, verb) ? READ_MS : 0, done, exit_code, err)
                            : code;
    code = code == STELE_OK && !*done ? give_back(&t, err) : code;
    sti_input_close(&t.in);
    if (t.copy != NULL) {
        (void)fclose(t.copy);
    }
    free(t.words);
    return code;
}
