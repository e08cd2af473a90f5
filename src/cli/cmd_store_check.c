/* SPDX-License-Identifier: MIT
 *
 * cmd_store_check.c: `stele store check`, `scrub`.
 *
 * LMDB trusts its pages: one that is damaged may end the process that reads it. So the work is done
 * in a child, which prints the faults that it finds, each at once, and sends its result through a
 * pipe. If it dies, that is a fault, too.
 */
#include "cli/cmd_store.h"
#include "cli/output.h"
#include "cli/repair.h"
#include "cli/report.h"
#include "cli/word.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef stele_code (*check_fn)(const char *dir, const stele_store_options *opts,
        stele_store_fault_fn each, void *arg, stele_store_checked *out, stele_error *err);

/* What the child sends; small enough that a pipe takes it at once. */
struct result {
    stele_code code;
    stele_error err;
    stele_store_checked checked;
};

/* ---- Faults. ---- */

static void print_fault_text(const stele_store_fault *fault)
{
    (void)fputs(fault->file, stdout);
    if (fault->position >= 0) {
        (void)printf("  position %" PRId64, fault->position);
    }
    if (!stele_is_nil(fault->bucket)) {
        (void)fputs("  bucket ", stdout);
        sti_print_word(fault->bucket);
    }
    if (!stele_is_nil(fault->key)) {
        (void)fputs("  key ", stdout);
        sti_print_word(fault->key);
    }
    (void)printf("  %s\n", fault->text);
}

static void print_fault_json(const stele_store_fault *fault)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_text(&j, "file", fault->file);
    sti_json_int_or_null(&j, "position", fault->position);
    sti_json_bytes(&j, "bucket", fault->bucket);
    sti_json_bytes(&j, "key", fault->key);
    sti_json_text(&j, "error", fault->text);
    sti_json_end(&j);
}

static void on_fault(void *arg, const stele_store_fault *fault)
{
    const bool *json = arg;

    if (fault->code == STELE_OK) {
        sti_faults_note(fault->file, fault->text);
        return;
    }
    if (*json) {
        print_fault_json(fault);
    } else {
        print_fault_text(fault);
    }
    (void)fflush(stdout);
}

/* ---- The child. ---- */

static void send_result(int fd, const struct result *result)
{
    const char *data = (const char *)result;
    size_t sent = 0;

    while (sent < sizeof *result) {
        const ssize_t n = write(fd, data + sent, sizeof *result - sent);

        if (n < 0 && errno != EINTR) {
            return;
        }
        sent += n < 0 ? 0 : (size_t)n;
    }
}

static _Noreturn void run_child(const struct sti_run *run, check_fn check, int fd)
{
    static const struct rlimit no_core = {0, 0};
    struct result result;
    bool json = run->json;

    (void)setrlimit(RLIMIT_CORE, &no_core);
    memset(&result, 0, sizeof result);
    result.err.position = -1;
    result.code =
            check(run->operands->items[0], NULL, on_fault, &json, &result.checked, &result.err);
    (void)fflush(stdout);
    send_result(fd, &result);
    _exit(0);
}

/* ---- The parent. ---- */

/* False: the child ended without one. */
static bool receive(int fd, struct result *result)
{
    char *data = (char *)result;
    size_t got = 0;

    while (got < sizeof *result) {
        const ssize_t n = read(fd, data + got, sizeof *result - got);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        got += n < 0 ? 0 : (size_t)n;
    }
    return true;
}

static void died(const struct sti_run *run, int status, struct result *result)
{
    stele_store_fault fault = {.file = run->operands->items[0], .position = -1};
    bool json = run->json;
    char text[96];

    if (WIFSIGNALED(status)) {
        (void)snprintf(
                text, sizeof text, "a damaged page ended the check (signal %d)", WTERMSIG(status));
    } else {
        (void)snprintf(text, sizeof text, "a damaged page ended the check (exit code %d)",
                WEXITSTATUS(status));
    }
    fault.code = STELE_ECORRUPT;
    fault.text = text;
    on_fault(&json, &fault);
    memset(result, 0, sizeof *result);
    result->err.position = -1;
    result->code = STELE_ECORRUPT;
    result->checked.faults = 1;
}

static stele_code in_child(
        const struct sti_run *run, check_fn check, struct result *result, stele_error *err)
{
    int ends[2];
    int status = 0;
    bool whole;
    pid_t pid;

    (void)fflush(stdout);
    if (pipe(ends) != 0) {
        return sti_cli_fail_errno(err, errno, "a pipe");
    }
    pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        run_child(run, check, ends[1]);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return sti_cli_fail_errno(err, errno, "a process");
    }
    whole = receive(ends[0], result);
    (void)close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!whole) {
        died(run, status, result);
    }
    return STELE_OK;
}

static void print_sums(const struct sti_run *run, const stele_store_checked *checked)
{
    struct sti_json j;

    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_bool(&j, "ok", checked->faults == 0);
        sti_json_uint(&j, "buckets", checked->buckets);
        sti_json_uint(&j, "keys", checked->keys);
        sti_json_end(&j);
    } else {
        sti_row_bool("ok", checked->faults == 0);
        sti_row_uint("buckets", checked->buckets);
        sti_row_uint("keys", checked->keys);
    }
}

/* A check that failed before it found anything has nothing to sum up. */
static stele_code check_with(const struct sti_run *run, check_fn check, stele_error *err)
{
    const char *dir = run->operands->items[0];
    struct result r;
    stele_code code;

    memset(&r, 0, sizeof r);
    code = in_child(run, check, &r, err);
    if (code != STELE_OK) {
        return code;
    }
    if (r.code != STELE_OK && r.checked.faults == 0) {
        *err = r.err;
        return r.code;
    }
    print_sums(run, &r.checked);
    if (r.checked.faults == 0) {
        return STELE_OK;
    }
    return sti_cli_fail(err, STELE_ECORRUPT, "%s: %" PRIu64 " fault%s found", dir, r.checked.faults,
            r.checked.faults == 1 ? "" : "s");
}

stele_code sti_store_check_verb(const struct sti_run *run, stele_error *err)
{
    return check_with(run, stele_store_check_dir, err);
}

stele_code sti_store_scrub_verb(const struct sti_run *run, stele_error *err)
{
    return check_with(run, stele_store_scrub_dir, err);
}
