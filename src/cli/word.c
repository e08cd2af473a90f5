/* SPDX-License-Identifier: MIT
 *
 * word.c: bytes as words of text, and input that is no lines.
 */
#include "cli/word.h"

#include "cli/output.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_SIZE = 64 << 10
};

/* ---- Words. ---- */

static bool begins_with(stele_bytes bytes, const char *text)
{
    const size_t len = strlen(text);

    return bytes.len >= len && memcmp(bytes.data, text, len) == 0;
}

/* On one line, and with nothing that the terminal would obey. */
static bool is_word(stele_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] == '\n' || bytes.data[i] == '\r' || bytes.data[i] == '\t') {
            return false;
        }
    }
    return sti_is_plain_text(bytes);
}

void sti_print_word(stele_bytes bytes)
{
    if (!is_word(bytes)) {
        (void)fputs("b64:", stdout);
        sti_print_base64(stdout, bytes);
        return;
    }
    if (begins_with(bytes, "hex:") || begins_with(bytes, "b64:") || begins_with(bytes, "str:")) {
        (void)fputs("str:", stdout);
    }
    sti_print_bytes(bytes);
}

void sti_print_ok(bool json, bool dry_run)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_bool(&j, "ok", true);
        sti_json_dry_run(&j, dry_run);
        sti_json_end(&j);
    } else {
        sti_row_bool("ok", true);
        sti_row_dry_run(dry_run);
    }
}

/* ---- Input. ---- */

stele_code sti_input_open(struct sti_input *in, const char *path, stele_error *err)
{
    in->name = path;
    in->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 && errno == ENOENT) {
        return sti_cli_fail(err, STELE_ENOTFOUND, "%s: no such file", path);
    }
    return in->fd >= 0 ? STELE_OK : sti_cli_fail_errno(err, errno, path);
}

void sti_input_close(struct sti_input *in)
{
    if (in->fd > STDIN_FILENO) {
        (void)close(in->fd);
    }
}

stele_code sti_input_read(void *input, void *data, size_t len, size_t *got, stele_error *err)
{
    const struct sti_input *in = input;
    ssize_t n;

    do {
        n = read(in->fd, data, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return sti_cli_fail_errno(err, errno, in->fd == STDIN_FILENO ? "standard input" : in->name);
    }
    *got = (size_t)n;
    return STELE_OK;
}

stele_code sti_input_read_all(
        struct sti_input *in, stele_buf *out, const char *what, stele_error *err)
{
    static uint8_t data[READ_SIZE];
    stele_code code = stele_buf_append(out, stele_empty(), err);
    size_t got = 1;

    while (code == STELE_OK && got > 0) {
        code = sti_input_read(in, data, sizeof data, &got, err);
        if (code == STELE_OK) {
            code = stele_buf_append(out, stele_bytes_of(data, got), err);
        }
    }
    return code == STELE_ETOOBIG
                   ? sti_cli_fail(err, code, "%s of more than %zu MiB", what, out->limit >> 20)
                   : code;
}

stele_code sti_read_input(stele_buf *out, const char *what, stele_error *err)
{
    struct sti_input in = {"-", STDIN_FILENO};

    return sti_input_read_all(&in, out, what, err);
}
