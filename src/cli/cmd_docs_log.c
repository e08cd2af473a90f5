/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_log.c: `stele docs log`, `history`, `feed`.
 */
#include "cli/cmd_docs.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ID_AT = 1,    /* among the operands */
    WAIT_MS = 100 /* how soon a signal ends a wait, at the latest */
};

struct printing {
    bool json;
    bool with_place;
    bool with_doc;
    bool follow;
    uint64_t place; /* of what was printed last */
};

static const char *op_of(const stele_docs_entry *entry)
{
    return entry->is_delete ? "delete" : "set";
}

static void print_json(const struct printing *p, const stele_docs_entry *entry)
{
    char version[STI_DOCS_VERSION_TEXT_SIZE];
    struct sti_json j = sti_json_begin(stdout);

    if (p->with_place) {
        sti_json_uint(&j, "position", entry->seq);
    }
    sti_docs_format_version(entry->version, version);
    sti_json_text(&j, "version", version);
    sti_json_bytes(&j, "id", entry->id);
    sti_json_text(&j, "op", op_of(entry));
    if (p->with_doc) {
        sti_json_document(&j, "doc", entry->is_delete ? stele_nil() : entry->json);
    }
    sti_json_end(&j);
}

static void print_text(const struct printing *p, const stele_docs_entry *entry)
{
    char version[STI_DOCS_VERSION_TEXT_SIZE];

    if (p->with_place) {
        (void)printf("%" PRIu64 "\t", entry->seq);
    }
    sti_docs_format_version(entry->version, version);
    (void)printf("%s\t%s\t", version, op_of(entry));
    sti_print_word(entry->id);
    if (p->with_doc && !entry->is_delete) {
        (void)putchar('\t');
        sti_print_document(entry->json);
    }
    (void)putchar('\n');
}

static stele_code print_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct printing *p = arg;
    stele_code code;

    if (p->json) {
        print_json(p, entry);
    } else {
        print_text(p, entry);
    }
    code = p->follow ? sti_finish_output(err) : sti_docs_printed(err);
    p->place = entry->seq;
    if (code == STELE_OK && p->follow && sti_signals_came()) {
        return STELE_END;
    }
    return code;
}

/* ---- log, history ---- */

stele_code sti_docs_log_verb(const struct sti_run *run, stele_error *err)
{
    struct printing p = {.json = run->json};
    stele_docs *db = NULL;
    stele_code code = sti_docs_open_reader(run, &db, err);

    return code == STELE_OK
                   ? sti_docs_done(db, stele_docs_log(db, stele_nil(), print_entry, &p, err), err)
                   : code;
}

/* What never was a document has no history, and is not found. */
static stele_code history(stele_docs *db, stele_bytes id, struct printing *p, stele_error *err)
{
    stele_docs_version version;
    bool deleted = false;
    stele_code code = stele_docs_version_of(db, id, &version, &deleted, err);

    return code == STELE_OK ? stele_docs_history(db, id, print_entry, p, err)
                            : sti_docs_name_id(id, code, err);
}

stele_code sti_docs_history_verb(const struct sti_run *run, stele_error *err)
{
    struct printing p = {.json = run->json, .with_doc = true};
    struct sti_data id = {false, {NULL, 0}, NULL};
    stele_docs *db = NULL;
    stele_code code = sti_docs_operand(run, ID_AT, &id, err);

    if (code == STELE_OK) {
        code = sti_docs_open_reader(run, &db, err);
    }
    if (code == STELE_OK) {
        code = sti_docs_done(db, history(db, id.bytes, &p, err), err);
    }
    free(id.owned);
    return code;
}

/* ---- feed ---- */

static stele_code feed(stele_docs *db, struct printing *p, stele_error *err)
{
    stele_wait wait = {.timeout_ms = WAIT_MS};
    stele_code code = stele_docs_feed(db, p->place, print_entry, p, err);

    while (code == STELE_OK && p->follow && !sti_signals_came()) {
        code = stele_docs_feed_wait(db, p->place, &wait, err);
        if (code == STELE_OK) {
            code = stele_docs_feed(db, p->place, print_entry, p, err);
        } else if (code == STELE_ETIMEDOUT) {
            code = STELE_OK;
        }
    }
    return code;
}

stele_code sti_docs_feed_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    struct printing p = {.json = run->json, .with_place = true, .with_doc = true};
    stele_docs *db = NULL;
    stele_code code = STELE_OK;

    p.follow = args->follow;
    if (args->from != NULL) {
        code = sti_parse_id(args->from, &p.place, err);
        if (code != STELE_OK) {
            return sti_cli_wrap(err, code, "option --from");
        }
    }
    if (p.follow) {
        code = sti_signals_catch(err);
    }
    if (code == STELE_OK) {
        code = sti_docs_open_reader(run, &db, err);
    }
    if (code == STELE_OK) {
        code = sti_docs_done(db, feed(db, &p, err), err);
    }
    return sti_signals_forgive(code);
}
