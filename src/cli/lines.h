/* SPDX-License-Identifier: MIT
 *
 * lines.h: lines of standard input, or of another file.
 */
#ifndef STI_CLI_LINES_H
#define STI_CLI_LINES_H

#include <stele/bytes.h>

/* The longest line that is read. */
#define STI_LINE_SIZE_MAX ((size_t)96 << 20)

/* Lines of a file, with a buffer as long as the longest of them. */
struct sti_lines {
    int fd;
    bool at_end; /* of the file */
    /* SIGINT and SIGTERM, if they are caught (signals.h), end the lines as the end of the file
     * does, but that an unfinished last one is none. */
    bool until_signal;
    int64_t number; /* of the line that was given last, from 1 */
    int64_t taken;  /* bytes that were read so far */
    uint8_t *data;
    size_t capacity;
    size_t start;   /* of what was not given yet */
    size_t end;     /* of what is there */
    size_t scanned; /* no line ends before this */
};

void sti_lines_init(struct sti_lines *lines, int fd);
void sti_lines_free(struct sti_lines *lines);

/* The next line without its end; valid until the next call. The last one
 * needs no end. STELE_END: no more. STELE_ETIMEDOUT, without a message, if
 * `wait` is false and reading on would block. STELE_ETOOBIG names the line. */
stele_code sti_lines_next(struct sti_lines *lines, bool wait, stele_bytes *out, stele_error *err);

#endif /* STI_CLI_LINES_H */
