/* SPDX-License-Identifier: MIT
 *
 * ask.c: having a verb run by the process that has the database open.
 */
#include "cli/remote.h"
#include "cli/report.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    WHERE_MS = 500 /* for the answer of a process that may be busy with something long */
};

bool sti_remote_is_served(const char *db)
{
    char path[STI_REMOTE_PATH_SIZE];
    stele_error err;
    int fd = -1;

    if (sti_remote_path(db, path, &err) != STELE_OK ||
            sti_remote_connect(path, WHERE_MS, &fd, &err) != STELE_OK || fd < 0) {
        return false;
    }
    (void)close(fd);
    return true;
}

static stele_code encode_request(
        int argc, const char *const *argv, stele_buf *out, stele_error *err)
{
    stele_code code = sti_remote_put(out, STI_REMOTE_VERSION, 1, err);

    if (argc > STI_REMOTE_WORDS_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "too many arguments");
    }
    code = code == STELE_OK ? sti_remote_put(out, (uint64_t)argc, 2, err) : code;
    for (int i = 0; code == STELE_OK && i < argc; i++) {
        code = sti_remote_put_bytes(out, stele_str(argv[i]), err);
    }
    return code;
}

/* All of a file, from its beginning. */
static stele_code print_file(int fd, FILE *to, stele_error *err)
{
    char piece[1 << 13];
    off_t at = 0;
    ssize_t n = 1;

    while (fd >= 0 && n > 0) {
        do {
            n = pread(fd, piece, sizeof piece, at);
        } while (n < 0 && errno == EINTR);
        if (n < 0) {
            return sti_cli_fail_errno(err, errno, "what was printed");
        }
        (void)fwrite(piece, 1, (size_t)n, to);
        at += n;
    }
    return STELE_OK;
}

static stele_code take_header(stele_bytes *answer, int *exit_code, stele_error *err)
{
    uint64_t version = 0;
    uint64_t result = 0;
    stele_code code = sti_remote_take(answer, 1, &version, err);

    if (code == STELE_OK && version != STI_REMOTE_VERSION) {
        code = sti_cli_fail(err, STELE_EVERSION, "another version of the command serves");
    }
    code = code == STELE_OK ? sti_remote_take(answer, 1, &result, err) : code;
    *exit_code = (int)result;
    return code;
}

static stele_code talk(int fd, int argc, const char *const *argv, int input, stele_buf *answer,
        struct sti_remote_files *files, stele_error *err)
{
    const struct sti_remote_files along = {{input, -1}};
    stele_buf request;
    stele_code code;

    stele_buf_init(&request, SIZE_MAX);
    code = encode_request(argc, argv, &request, err);
    code = code == STELE_OK ? sti_remote_send(fd, stele_buf_view(&request), &along, err) : code;
    stele_buf_free(&request);
    return code == STELE_OK ? sti_remote_receive(fd, answer, files, err) : code;
}

stele_code sti_remote_run(const char *db, int argc, const char *const *argv, int input,
        int patience_ms, bool *done, int *exit_code, stele_error *err)
{
    struct sti_remote_files files = sti_remote_no_files();
    char path[STI_REMOTE_PATH_SIZE];
    stele_bytes rest = stele_nil();
    stele_buf answer;
    int fd = -1;
    stele_code code = sti_remote_path(db, path, err);

    *done = false;
    code = code == STELE_OK ? sti_remote_connect(path, patience_ms, &fd, err) : code;
    if (code != STELE_OK || fd < 0) {
        return code;
    }
    stele_buf_init(&answer, SIZE_MAX);
    code = talk(fd, argc, argv, input, &answer, &files, err);
    (void)close(fd);
    *done = patience_ms == 0 || code != STELE_ETIMEDOUT;
    if (code == STELE_OK) {
        rest = stele_buf_view(&answer);
        code = take_header(&rest, exit_code, err);
    }
    code = code == STELE_OK ? print_file(files.fds[0], stdout, err) : code;
    code = code == STELE_OK ? print_file(files.fds[1], stderr, err) : code;
    if (code == STELE_OK && rest.len > 0) {
        (void)fwrite(rest.data, 1, rest.len, stderr);
    }
    sti_remote_close_files(&files);
    stele_buf_free(&answer);
    return code == STELE_OK || !*done ? STELE_OK : sti_cli_wrap(err, code, "%s", path);
}

bool sti_remote_where(const char *db, struct sti_remote_place *out)
{
    struct sti_remote_files files = sti_remote_no_files();
    char path[STI_REMOTE_PATH_SIZE];
    stele_bytes rest = stele_nil();
    stele_buf answer;
    stele_error err;
    int exit_code = 0;
    int fd = -1;
    stele_code code = sti_remote_path(db, path, &err);

    code = code == STELE_OK ? sti_remote_connect(path, WHERE_MS, &fd, &err) : code;
    if (code != STELE_OK || fd < 0) {
        return false;
    }
    stele_buf_init(&answer, SIZE_MAX);
    code = talk(fd, 0, NULL, -1, &answer, &files, &err);
    (void)close(fd);
    if (code == STELE_OK) {
        rest = stele_buf_view(&answer);
        code = take_header(&rest, &exit_code, &err);
    }
    code = code == STELE_OK && exit_code == 0 ? sti_remote_take(&rest, 8, &out->seq, &err) : code;
    code = code == STELE_OK && exit_code == 0 ? sti_remote_take(&rest, 8, &out->types, &err) : code;
    sti_remote_close_files(&files);
    stele_buf_free(&answer);
    return code == STELE_OK && exit_code == 0;
}
