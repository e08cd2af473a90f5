#include <stele/stele.h>

#include <stdio.h>

static stele_code show(void *arg, const stele_journal_op *op, stele_error *err)
{
    (void)arg;
    (void)err;
    printf("%.*s = %.*s\n", (int)op->key.len, (const char *)op->key.data, (int)op->value.len,
            (const char *)op->value.data);
    return STELE_OK;
}

int main(void)
{
    const stele_journal_op put = {.kind = STELE_JOURNAL_PUT,
            .timestamp = STELE_JOURNAL_NOW,
            .key = stele_str("x"),
            .value = stele_str("1")};
    stele_journal_options opts;
    stele_journal *j = NULL;
    stele_error err;

    stele_journal_options_init(&opts);
    opts.create_dirs = true;
    if (stele_journal_open(&j, "hello.journal", &opts, &err) != STELE_OK ||
            stele_journal_record(j, &err) != STELE_OK ||
            stele_journal_dump(j, &put, &err) != STELE_OK || /* now it survives a power cut */
            stele_journal_stop(j, &err) != STELE_OK ||
            stele_journal_play(j, show, NULL, NULL, &err) != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    return stele_journal_close(j, NULL) != STELE_OK;
}
