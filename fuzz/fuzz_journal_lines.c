/* SPDX-License-Identifier: MIT
 *
 * The command's input: a line of JSON that is an operation of a journal.
 *
 * What is taken, the library takes; and printed, as the command prints it, it is read again to
 * the same operation.
 */
#include "cli/cmd_journal.h"
#include "fuzz.h"
#include "journal/op.h"

#include <string.h>

static char *print(const stele_journal_op *op, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    fuzz_require(out != NULL);
    sti_journal_print_json(out, op);
    fuzz_require(fclose(out) == 0 && *len > 0 && text[*len - 1] == '\n');
    return text;
}

static void print_and_read(const stele_journal_op *op)
{
    struct sti_journal_line again;
    size_t len = 0;
    size_t len_again = 0;
    char *text = print(op, &len);
    char *text_again;
    stele_error err;

    fuzz_require(sti_journal_line_parse(stele_bytes_of(text, len - 1), &again, &err) == STELE_OK);
    fuzz_require(again.op.kind == op->kind && again.op.timestamp == op->timestamp);
    fuzz_require(stele_bytes_equal(again.op.key, op->key));
    fuzz_require(stele_bytes_equal(again.op.subkey, op->subkey));
    fuzz_require(stele_bytes_equal(again.op.value, op->value));
    fuzz_require(again.op.setting_count == op->setting_count);
    text_again = print(&again.op, &len_again);
    fuzz_require(len == len_again && memcmp(text, text_again, len) == 0);
    sti_journal_line_free(&again);
    free(text);
    free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sti_journal_line line;
    stele_error err;

    if (sti_journal_line_parse(stele_bytes_of(data, size), &line, &err) == STELE_OK) {
        fuzz_require(sti_journal_op_check(&line.op, &err) == STELE_OK);
        if (line.op.timestamp == STELE_JOURNAL_NOW) {
            line.op.timestamp = 0; /* as dump() gives it a time */
        }
        print_and_read(&line.op);
    }
    sti_journal_line_free(&line);
    return 0;
}
