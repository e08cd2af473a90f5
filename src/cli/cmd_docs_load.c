/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_load.c: `stele docs load`: JSON lines into a database.
 *
 * Lines are gathered (intake.h) and set in one batch, which is durable when it ends. A batch in
 * which a change failed cannot go on: then it is begun again, with the lines before that one.
 */
#include "cli/cmd_docs.h"
#include "cli/document.h"
#include "cli/intake.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_COUNT = 1000,
    BATCH_SIZE = 1 << 20 /* bytes of lines */
};

/* A document that waits, in the bytes of the loader. */
struct item {
    size_t id_at;
    size_t id_len;
    size_t doc_at;
    size_t doc_len;
    int64_t line;
};

struct loader {
    stele_docs *db;
    struct sti_intake intake;
    stele_buf bytes;
    struct item items[BATCH_COUNT];
    size_t count;
};

/* ---- Lines. ---- */

static stele_code keep(struct loader *l, stele_bytes id, stele_bytes doc, stele_error *err)
{
    struct item item = {.id_at = l->bytes.len, .id_len = id.len, .doc_len = doc.len};
    stele_code code = stele_buf_append(&l->bytes, id, err);

    item.doc_at = l->bytes.len;
    item.line = l->intake.lines.number;
    if (code == STELE_OK) {
        code = stele_buf_append(&l->bytes, doc, err);
    }
    if (code == STELE_OK) {
        l->items[l->count++] = item;
    }
    return code;
}

static stele_code take(struct loader *l, const struct sti_object *o, stele_bytes line,
        struct sti_data *id, struct sti_data *doc, stele_error *err)
{
    static const char *const names[] = {"id", "id_b64", "doc", "doc_b64"};
    stele_code code = sti_object_only(o, names, sizeof names / sizeof names[0], err);

    if (code == STELE_OK) {
        code = sti_object_bytes(o, "id", id, err);
    }
    if (code == STELE_OK) {
        code = sti_object_document(o, line, "doc", doc, err);
    }
    if (code == STELE_OK && !id->given) {
        code = sti_cli_fail(err, STELE_EINVAL, "no \"id\"");
    }
    if (code == STELE_OK && !doc->given) {
        code = sti_cli_fail(err, STELE_EINVAL, "no \"doc\"");
    }
    if (code == STELE_OK) {
        code = sti_docs_check_id(id->bytes, err);
    }
    return code == STELE_OK ? keep(l, id->bytes, doc->bytes, err) : code;
}

static stele_code add_line(void *arg, stele_bytes line, stele_error *err)
{
    struct sti_data id = {false, {NULL, 0}, NULL};
    struct sti_data doc = {false, {NULL, 0}, NULL};
    struct sti_object o = {NULL};
    stele_code code = sti_object_parse(line, &o, err);

    code = code == STELE_OK ? take(arg, &o, line, &id, &doc, err) : code;
    free(id.owned);
    free(doc.owned);
    sti_object_free(&o);
    return code;
}

/* ---- Batches. ---- */

static bool is_full(const void *arg)
{
    const struct loader *l = arg;

    return l->count == BATCH_COUNT || l->bytes.len >= BATCH_SIZE;
}

/* Set the first `count` that wait; *failed: that one could not be. */
static stele_code set_some(struct loader *l, size_t count, size_t *failed, stele_error *err)
{
    const uint8_t *data = l->bytes.data;
    stele_docs_batch *batch = NULL;
    stele_code code = stele_docs_batch_begin(&batch, l->db, err);

    *failed = SIZE_MAX;
    if (code != STELE_OK) {
        return code;
    }
    for (size_t i = 0; i < count; i++) {
        const struct item *item = &l->items[i];

        code = stele_docs_batch_set(batch, stele_bytes_of(data + item->id_at, item->id_len),
                stele_bytes_of(data + item->doc_at, item->doc_len), NULL, NULL, err);
        if (code != STELE_OK) {
            *failed = i;
            stele_docs_batch_abort(batch);
            return code;
        }
    }
    return stele_docs_batch_end(batch, err);
}

static stele_code end_batch(void *arg, stele_error *err)
{
    struct loader *l = arg;
    size_t failed = 0;
    stele_code code = set_some(l, l->count, &failed, err);

    if (code != STELE_OK && failed != SIZE_MAX) {
        stele_error other;
        size_t again = 0;

        code = sti_cli_wrap(err, code, "line %" PRId64, l->items[failed].line);
        if (failed > 0 && set_some(l, failed, &again, &other) != STELE_OK) {
            *err = other;
            code = other.code;
        } else {
            l->intake.written += (int64_t)failed;
        }
    }
    l->count = 0;
    stele_buf_clear(&l->bytes);
    return code;
}

static void print_nothing(const void *arg)
{
    (void)arg;
}

static stele_code load(struct loader *l, stele_error *err)
{
    static const struct sti_intake_calls calls = {
            .add = add_line,
            .is_full = is_full,
            .write = end_batch,
            .print = print_nothing,
    };
    static const struct sti_number no_ack = {false, 0};
    stele_code code;

    stele_buf_init(&l->bytes, SIZE_MAX);
    sti_intake_init(&l->intake, &calls, l, &no_ack);
    code = sti_intake_run(&l->intake, "loaded", err);
    sti_intake_free(&l->intake);
    stele_buf_free(&l->bytes);
    return code;
}

stele_code sti_docs_load_verb(const struct sti_run *run, stele_error *err)
{
    struct loader *l = calloc(1, sizeof *l);
    stele_code code;

    if (l == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu bytes", sizeof *l);
    }
    code = sti_docs_open_writer(run, STI_DOCS_CREATE, &l->db, err);
    if (code == STELE_OK) {
        code = sti_docs_done(l->db, load(l, err), err);
    }
    if (code >= STELE_OK) {
        sti_print_ok(run->json, false);
        if (!run->json) {
            sti_row_uint("documents", (uint64_t)l->intake.written);
        }
    }
    free(l);
    return code < STELE_OK ? code : STELE_OK;
}
