/* SPDX-License-Identifier: MIT
 *
 * lines.c: lines of standard input, or of another file.
 */
#include "cli/lines.h"

#include "cli/report.h"
#include "cli/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_SIZE = 64 << 10,
    POLL_MS = 100 /* how soon a signal ends a wait, at the latest */
};

void sti_lines_init(struct sti_lines *lines, int fd)
{
    memset(lines, 0, sizeof *lines);
    lines->fd = fd;
}

void sti_lines_free(struct sti_lines *lines)
{
    free(lines->data);
    sti_lines_init(lines, lines->fd);
}

/* Room for READ_SIZE more bytes: by moving what is left to the front, or by
 * a larger buffer. */
static stele_code make_room(struct sti_lines *lines, stele_error *err)
{
    size_t capacity = lines->capacity;
    uint8_t *data;

    if (lines->capacity - lines->end >= READ_SIZE) {
        return STELE_OK;
    }
    if (lines->start > 0) {
        memmove(lines->data, lines->data + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->scanned -= lines->start;
        lines->start = 0;
    }
    if (capacity - lines->end >= READ_SIZE) {
        return STELE_OK;
    }
    capacity = capacity == 0 ? (size_t)4 * READ_SIZE : capacity * 2;
    data = realloc(lines->data, capacity);
    if (data == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "line %" PRId64 ": no memory for %zu bytes",
                lines->number + 1, capacity);
    }
    lines->data = data;
    lines->capacity = capacity;
    return STELE_OK;
}

static bool would_block(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, 0) == 0;
}

/* Not left to read(): a signal just before it would not end it. What else may be wrong, read() will
 * tell. */
static bool is_there_before_signal(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    while (!sti_signals_came()) {
        const int ready = poll(&p, 1, POLL_MS);

        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return true;
        }
    }
    return false;
}

static stele_code fill(struct sti_lines *lines, bool wait, stele_error *err)
{
    stele_code code = make_room(lines, err);
    ssize_t got;

    if (code != STELE_OK) {
        return code;
    }
    if (!wait && would_block(lines->fd)) {
        return STELE_ETIMEDOUT;
    }
    if (lines->until_signal && !is_there_before_signal(lines->fd)) {
        return STELE_END;
    }
    do {
        got = read(lines->fd, lines->data + lines->end, lines->capacity - lines->end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return sti_cli_fail_errno(err, errno, "standard input");
    }
    lines->at_end = got == 0;
    lines->end += (size_t)got;
    lines->taken += got;
    return STELE_OK;
}

static stele_code give(
        struct sti_lines *lines, size_t len, size_t skip, stele_bytes *out, stele_error *err)
{
    if (len > STI_LINE_SIZE_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "line %" PRId64 ": longer than %zu MiB",
                lines->number + 1, STI_LINE_SIZE_MAX >> 20);
    }
    lines->number++;
    *out = stele_bytes_of(lines->data + lines->start, len);
    lines->start += len + skip;
    lines->scanned = lines->start;
    return STELE_OK;
}

stele_code sti_lines_next(struct sti_lines *lines, bool wait, stele_bytes *out, stele_error *err)
{
    for (;;) {
        const uint8_t *newline = NULL;
        stele_code code;

        if (lines->end > lines->scanned) {
            newline = memchr(lines->data + lines->scanned, '\n', lines->end - lines->scanned);
        }
        if (newline != NULL) {
            return give(lines, (size_t)(newline - lines->data) - lines->start, 1, out, err);
        }
        lines->scanned = lines->end;
        if (lines->end - lines->start > STI_LINE_SIZE_MAX ||
                (lines->at_end && lines->end > lines->start)) {
            return give(lines, lines->end - lines->start, 0, out, err);
        }
        if (lines->at_end) {
            return STELE_END;
        }
        code = fill(lines, wait, err);
        if (code != STELE_OK) {
            return code;
        }
    }
}
