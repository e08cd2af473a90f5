/* SPDX-License-Identifier: MIT
 *
 * word.h: bytes as words of text, and input that is no lines.
 */
#ifndef STI_CLI_WORD_H
#define STI_CLI_WORD_H

#include <stele/bytes.h>

/* Print bytes as text that can be given as an argument again: as they are, or with b64: or str: in
 * front. */
void sti_print_word(stele_bytes bytes);

/* {"ok":true}, or the row; of a dry run it says so. */
void sti_print_ok(bool json, bool dry_run);

/* What an operand that may be missing, or -, stands for: all of standard input. Appends it.
 * STELE_ETOOBIG names `what`, "a value". */
stele_code sti_read_input(stele_buf *out, const char *what, stele_error *err);

/* A file that is read, - is standard input: STELE_ENOTFOUND if it is not there. */
struct sti_input {
    const char *name;
    int fd;
};

stele_code sti_input_open(struct sti_input *in, const char *path, stele_error *err);
void sti_input_close(struct sti_input *in);

/* A stele_read_fn for it. */
stele_code sti_input_read(void *input, void *data, size_t len, size_t *got, stele_error *err);

/* Append all of it. STELE_ETOOBIG names `what`, "a definition". */
stele_code sti_input_read_all(
        struct sti_input *in, stele_buf *out, const char *what, stele_error *err);

#endif /* STI_CLI_WORD_H */
