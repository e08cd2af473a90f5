/* SPDX-License-Identifier: MIT
 *
 * cmd_stream_consume.c: `stele stream consume`.
 *
 * Without --follow, the end is where the stream ends when the command starts,
 * so that it comes to one beside a process that never stops writing.
 */
#include "cli/cmd_stream.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <inttypes.h>
#include <string.h>

enum {
    BATCH_COUNT = 256,
    POLL_MS = 100 /* how soon a signal ends a wait, at the latest */
};

struct consumer {
    const struct sti_stream_args *args;
    stele_stream *stream;
    stele_messages *messages;
    bool by_key; /* of args->key; --no-key is the nil key */
    bool json;
    int64_t offset; /* where to go on */
    int64_t end;    /* not beyond, without --follow */
    int64_t left;   /* messages still to print */
};

static stele_code read_some(
        struct consumer *c, int64_t from, int64_t count_max, int64_t *next_offset, stele_error *err)
{
    if (c->by_key) {
        return stele_stream_consume_by_key(
                c->stream, c->args->key.bytes, from, count_max, c->messages, next_offset, err);
    }
    return stele_stream_consume(c->stream, from, count_max, c->messages, next_offset, err);
}

/* STELE_ETIMEDOUT when nothing came for a while. */
static stele_code wait_for_some(
        struct consumer *c, int64_t count_max, int64_t *next_offset, stele_error *err)
{
    const stele_wait wait = {POLL_MS, NULL};

    if (c->by_key) {
        return stele_stream_consume_by_key_wait(c->stream, c->args->key.bytes, c->offset, count_max,
                &wait, c->messages, next_offset, err);
    }
    return stele_stream_consume_wait(
            c->stream, c->offset, count_max, &wait, c->messages, next_offset, err);
}

/* ---- Where to start. ---- */

/* Count what there is in [from, end), and find the message before which
 * `skip` of them lie; *at is untouched if there are not so many. */
static stele_code count_from(struct consumer *c, int64_t from, int64_t skip, int64_t *count,
        int64_t *at, stele_error *err)
{
    int64_t seen = 0;

    while (from < c->end) {
        int64_t next = 0;
        stele_code code = read_some(c, from, BATCH_COUNT, &next, err);

        if (code != STELE_OK) {
            return code;
        }
        for (size_t i = 0; i < stele_messages_count(c->messages); i++) {
            const int64_t offset = stele_messages_at(c->messages, i)->offset;

            if (offset >= c->end) {
                break;
            }
            if (seen++ == skip) {
                *at = offset;
            }
        }
        if (next <= from) {
            break;
        }
        from = next;
    }
    *count = seen;
    return STELE_OK;
}

/* Offsets may be missing, and only some may have the key: look back over
 * twice as many until there are enough. */
static stele_code start_at_last(struct consumer *c, int64_t wanted, stele_error *err)
{
    int64_t width = wanted;

    for (;;) {
        const int64_t from = width < c->end ? c->end - width : 0;
        int64_t count = 0;
        stele_code code = count_from(c, from, INT64_MAX, &count, &c->offset, err);

        if (code != STELE_OK) {
            return code;
        }
        if (count >= wanted) {
            return count_from(c, from, count - wanted, &count, &c->offset, err);
        }
        if (from == 0) {
            c->offset = STELE_OFFSET_OLDEST;
            return STELE_OK;
        }
        width = width > c->end / 2 ? c->end : width * 2;
    }
}

static stele_code start_at_time(struct consumer *c, const char *text, stele_error *err)
{
    stele_time time = 0;
    stele_code code = sti_parse_time(text, &time, err);

    if (code != STELE_OK) {
        return code;
    }
    code = stele_stream_offset_by_time(c->stream, time, &c->offset, NULL, err);
    if (code == STELE_ENOTFOUND) {
        c->offset = c->end;
        return STELE_OK;
    }
    return code;
}

static stele_code find_start(struct consumer *c, stele_error *err)
{
    const char *from = c->args->from;
    int64_t number = 0;
    stele_code code;

    if (from == NULL || strcmp(from, "oldest") == 0) {
        c->offset = STELE_OFFSET_OLDEST;
        return STELE_OK;
    }
    if (strcmp(from, "newest") == 0) {
        c->offset = c->end;
        return STELE_OK;
    }
    if (from[0] == '@') {
        return start_at_time(c, from + 1, err);
    }
    code = sti_parse_integer(from, &number, err);
    if (code == STELE_OK && (number == INT64_MIN || (from[0] == '-' && number == 0))) {
        code = sti_cli_fail(err, STELE_EINVAL, "'%.64s' is out of range", from);
    }
    if (code != STELE_OK) {
        return sti_cli_wrap(err, code, "option -o");
    }
    if (from[0] == '-') {
        return start_at_last(c, -number, err);
    }
    c->offset = number;
    return STELE_OK;
}

/* ---- Printing. ---- */

static stele_code check_layout(const char *layout, stele_error *err)
{
    for (const char *at = layout; *at != '\0'; at++) {
        const char *known = *at == '%' ? "ksoT%" : "nt\\";

        if (*at != '%' && *at != '\\') {
            continue;
        }
        at++;
        if (*at == '\0' || strchr(known, *at) == NULL) {
            return sti_cli_fail(err, STELE_EINVAL,
                    "option -f: '%c%.1s' is not one of %%k %%s %%o %%T %%%% \\n \\t \\\\", at[-1],
                    at);
        }
    }
    return STELE_OK;
}

static void print_special(const stele_message *m, char kind, char letter)
{
    if (kind == '\\') {
        (void)putchar(letter == 'n' ? '\n' : letter == 't' ? '\t' : '\\');
        return;
    }
    switch (letter) {
    case 'k':
        sti_print_bytes(m->key);
        break;
    case 's':
        sti_print_bytes(m->value);
        break;
    case 'o':
        (void)printf("%" PRId64, m->offset);
        break;
    case 'T':
        (void)printf("%" PRId64, m->time);
        break;
    default:
        (void)putchar('%');
        break;
    }
}

static void print_layout(const stele_message *m, const char *layout)
{
    for (const char *at = layout; *at != '\0'; at++) {
        if (*at == '%' || *at == '\\') {
            print_special(m, at[0], at[1]);
            at++;
        } else {
            (void)putchar(*at);
        }
    }
}

static stele_code print_message(const struct consumer *c, const stele_message *m, stele_error *err)
{
    if (c->json) {
        sti_stream_print_json(m);
    } else if (c->args->layout != NULL) {
        print_layout(m, c->args->layout);
    } else {
        sti_print_line(m->value);
    }
    return c->args->follow || ferror(stdout) != 0 ? sti_finish_output(err) : STELE_OK;
}

static stele_code print_all(struct consumer *c, bool *ended, stele_error *err)
{
    const size_t count = stele_messages_count(c->messages);

    for (size_t i = 0; i < count; i++) {
        const stele_message *m = stele_messages_at(c->messages, i);
        stele_code code;

        if (!c->args->follow && m->offset >= c->end) {
            *ended = true;
            break;
        }
        code = print_message(c, m, err);
        if (code != STELE_OK) {
            return code;
        }
        c->left--;
        if (sti_signals_came()) {
            *ended = true;
            break;
        }
    }
    return STELE_OK;
}

/* Print what is there. *ended: all that was asked for is printed. */
static stele_code read_and_print(struct consumer *c, bool wait, bool *ended, stele_error *err)
{
    const int64_t count_max = c->left < BATCH_COUNT ? c->left : BATCH_COUNT;
    int64_t next = 0;
    stele_code code;

    code = wait ? wait_for_some(c, count_max, &next, err)
                : read_some(c, c->offset, count_max, &next, err);
    if (code != STELE_OK) {
        return code;
    }
    code = print_all(c, ended, err);
    c->offset = next;
    return code;
}

/* Waiting begins at the end, so that a wait in vain searches nothing again. */
static stele_code pump(struct consumer *c, stele_error *err)
{
    bool ended = false;
    bool wait = false;

    while (!ended && c->left > 0 && !sti_signals_came() &&
            (c->args->follow || c->offset < c->end)) {
        const int64_t before = c->offset;
        stele_code code = read_and_print(c, wait, &ended, err);

        if (code != STELE_OK && code != STELE_ETIMEDOUT) {
            return code;
        }
        wait = c->offset <= before;
        ended = ended || (wait && !c->args->follow);
    }
    return STELE_OK;
}

static stele_code check_arguments(const struct sti_stream_args *args, bool json, stele_error *err)
{
    if (args->key.given && args->no_key) {
        return sti_cli_fail(err, STELE_EINVAL, "--key and --no-key exclude each other");
    }
    if (args->end && args->follow) {
        return sti_cli_fail(err, STELE_EINVAL, "-e and --follow exclude each other");
    }
    if (args->layout != NULL && json) {
        return sti_cli_fail(err, STELE_EINVAL, "-f is for text, not for JSON");
    }
    return args->layout == NULL ? STELE_OK : check_layout(args->layout, err);
}

static stele_code consume(struct consumer *c, stele_error *err)
{
    stele_code code = stele_stream_next_offset(c->stream, &c->end, err);

    if (code == STELE_OK) {
        code = find_start(c, err);
    }
    /* One beyond the end is out of range; the stream has to say so. */
    if (code == STELE_OK && c->offset > c->end) {
        int64_t next = 0;

        code = read_some(c, c->offset, 1, &next, err);
    }
    return code == STELE_OK ? pump(c, err) : code;
}

stele_code sti_stream_consume(const struct sti_run *run, stele_error *err)
{
    struct consumer c;
    stele_code code;

    memset(&c, 0, sizeof c);
    c.args = run->args;
    c.json = run->json;
    c.by_key = c.args->key.given || c.args->no_key;
    c.left = c.args->count.given ? c.args->count.value : INT64_MAX;
    code = check_arguments(c.args, run->json, err);
    if (code == STELE_OK && c.args->follow) {
        code = sti_signals_catch(err);
    }
    if (code == STELE_OK) {
        code = stele_messages_new(&c.messages, err);
    }
    if (code == STELE_OK) {
        code = sti_stream_open_reader(run, &c.stream, err);
    }
    if (code == STELE_OK) {
        code = sti_stream_done(c.stream, consume(&c, err), err);
    }
    stele_messages_free(c.messages);
    return sti_signals_forgive(code);
}
