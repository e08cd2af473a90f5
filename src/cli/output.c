/* SPDX-License-Identifier: MIT
 *
 * output.c: JSON lines, text for people, errors.
 */
#include "cli/output.h"

#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LABEL_WIDTH = 12,
    BAR_WIDTH = 30,
    PROGRESS_AFTER_MS = 1000,
    PROGRESS_EVERY_MS = 100
};

#define MICROSECONDS  ((int64_t)1000000)
#define SECONDS_A_DAY ((int64_t)86400)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

void sti_format_time(stele_time time, char out[STI_TIME_TEXT_SIZE])
{
    const int64_t second = floor_div(time, MICROSECONDS);
    const int64_t day = floor_div(second, SECONDS_A_DAY);
    const int64_t second_of_day = second - day * SECONDS_A_DAY;
    const int64_t days = day + 719468; /* since 0000-03-01 */
    const int64_t cycle = floor_div(days, 146097);
    const int64_t d = days - cycle * 146097;
    const int64_t year_of_cycle = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    const int64_t day_of_year = d - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    const int64_t m = (5 * day_of_year + 2) / 153; /* from March */
    const int64_t day_of_month = day_of_year - (153 * m + 2) / 5 + 1;
    const int64_t month = m < 10 ? m + 3 : m - 9;
    const int64_t year = cycle * 400 + year_of_cycle + (month <= 2 ? 1 : 0);

    if (year < 0 || year > 9999) {
        (void)snprintf(out, STI_TIME_TEXT_SIZE, "%" PRId64, time);
        return;
    }
    (void)snprintf(out, STI_TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int)year,
            (int)month, (int)day_of_month, (int)(second_of_day / 3600),
            (int)(second_of_day / 60 % 60), (int)(second_of_day % 60),
            (int)((time % MICROSECONDS + MICROSECONDS) % MICROSECONDS));
}

/* The length of the UTF-8 character at p, of at most `left` bytes; 0 if it is
 * none: too long a form, a surrogate, above U+10FFFF, cut off. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    const uint8_t lead = p[0];
    size_t len;
    uint8_t low = 0x80; /* the range of the second byte */
    uint8_t high = 0xbf;

    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    if (lead < 0xe0) {
        len = 2;
    } else if (lead < 0xf0) {
        len = 3;
        low = lead == 0xe0 ? 0xa0 : 0x80;
        high = lead == 0xed ? 0x9f : 0xbf;
    } else {
        len = 4;
        low = lead == 0xf0 ? 0x90 : 0x80;
        high = lead == 0xf4 ? 0x8f : 0xbf;
    }
    if (left < len || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

bool sti_is_plain_text(stele_bytes bytes)
{
    for (size_t i = 0; i < bytes.len;) {
        const uint8_t *p = bytes.data + i;
        const size_t len = utf8_length(p, bytes.len - i);

        if (len == 0) {
            return false;
        }
        if (len == 1 && (p[0] < 0x20 || p[0] == 0x7f) && p[0] != '\n' && p[0] != '\r' &&
                p[0] != '\t') {
            return false;
        }
        /* U+0080 to U+009F are C2 80 to C2 9F. */
        if (len == 2 && p[0] == 0xc2 && p[1] < 0xa0) {
            return false;
        }
        i += len;
    }
    return true;
}

static void put(FILE *to, const void *data, size_t len)
{
    (void)fwrite(data, 1, len, to); /* stdio remembers a failure */
}

static void put_text(FILE *to, const char *text)
{
    put(to, text, strlen(text));
}

/* Runs without special characters are written at once. */
void sti_json_string(FILE *to, stele_bytes value)
{
    size_t run = 0;

    put_text(to, "\"");
    for (size_t i = 0; i < value.len; i++) {
        const uint8_t c = value.data[i];
        char escape[8];

        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        put(to, value.data + run, i - run);
        run = i + 1;
        if (c == '\n' || c == '\r' || c == '\t') {
            (void)snprintf(escape, sizeof escape, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        } else if (c == '"' || c == '\\') {
            (void)snprintf(escape, sizeof escape, "\\%c", c);
        } else {
            (void)snprintf(escape, sizeof escape, "\\u%04x", c);
        }
        put_text(to, escape);
    }
    if (run < value.len) {
        put(to, value.data + run, value.len - run);
    }
    put_text(to, "\"");
}

void sti_print_base64(FILE *to, stele_bytes value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char out[4096];
    size_t used = 0;

    for (size_t i = 0; i < value.len; i += 3) {
        const size_t left = value.len - i;
        const uint32_t b1 = left > 1 ? value.data[i + 1] : 0;
        const uint32_t b2 = left > 2 ? value.data[i + 2] : 0;
        const uint32_t bits = (uint32_t)value.data[i] << 16 | b1 << 8 | b2;

        out[used++] = digits[bits >> 18];
        out[used++] = digits[bits >> 12 & 63];
        out[used++] = left > 1 ? digits[bits >> 6 & 63] : '=';
        out[used++] = left > 2 ? digits[bits & 63] : '=';
        if (used == sizeof out) {
            put(to, out, used);
            used = 0;
        }
    }
    put(to, out, used);
}

struct sti_json sti_json_begin(FILE *to)
{
    struct sti_json j;

    j.to = to;
    j.first = true;
    put_text(to, "{");
    return j;
}

void sti_json_name(struct sti_json *j, const char *name)
{
    put_text(j->to, j->first ? "\"" : ",\"");
    put_text(j->to, name);
    put_text(j->to, "\":");
    j->first = false;
}

void sti_json_null(struct sti_json *j, const char *name)
{
    sti_json_name(j, name);
    put_text(j->to, "null");
}

void sti_json_bool(struct sti_json *j, const char *name, bool value)
{
    sti_json_name(j, name);
    put_text(j->to, value ? "true" : "false");
}

void sti_json_int(struct sti_json *j, const char *name, int64_t value)
{
    sti_json_name(j, name);
    (void)fprintf(j->to, "%" PRId64, value);
}

void sti_json_uint(struct sti_json *j, const char *name, uint64_t value)
{
    sti_json_name(j, name);
    (void)fprintf(j->to, "%" PRIu64, value);
}

void sti_json_int_or_null(struct sti_json *j, const char *name, int64_t value)
{
    if (value < 0) {
        sti_json_null(j, name);
    } else {
        sti_json_int(j, name, value);
    }
}

void sti_json_text(struct sti_json *j, const char *name, const char *value)
{
    sti_json_bytes(j, name, stele_str(value));
}

void sti_json_bytes(struct sti_json *j, const char *name, stele_bytes value)
{
    if (stele_is_nil(value)) {
        sti_json_null(j, name);
    } else if (sti_is_plain_text(value)) {
        sti_json_name(j, name);
        sti_json_string(j->to, value);
    } else {
        put_text(j->to, j->first ? "\"" : ",\"");
        put_text(j->to, name);
        put_text(j->to, "_b64\":\"");
        j->first = false;
        sti_print_base64(j->to, value);
        put_text(j->to, "\"");
    }
}

void sti_json_time(struct sti_json *j, const char *name, stele_time value)
{
    char text[STI_TIME_TEXT_SIZE];

    sti_format_time(value, text);
    sti_json_text(j, name, text);
}

void sti_json_dry_run(struct sti_json *j, bool dry_run)
{
    if (dry_run) {
        sti_json_bool(j, "dry_run", true);
    }
}

void sti_json_end(struct sti_json *j)
{
    put_text(j->to, "}\n");
}

void sti_row(const char *label, const char *format, ...)
{
    va_list args;

    (void)printf("%-*s  ", LABEL_WIDTH, label);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

void sti_row_int(const char *label, int64_t value)
{
    sti_row(label, "%" PRId64, value);
}

void sti_row_uint(const char *label, uint64_t value)
{
    sti_row(label, "%" PRIu64, value);
}

void sti_row_bool(const char *label, bool value)
{
    sti_row(label, "%s", value ? "yes" : "no");
}

void sti_row_dry_run(bool dry_run)
{
    if (dry_run) {
        sti_row("dry run", "nothing was changed");
    }
}

void sti_print_bytes(stele_bytes bytes)
{
    if (bytes.len > 0) {
        put(stdout, bytes.data, bytes.len);
    }
}

void sti_print_line(stele_bytes bytes)
{
    sti_print_bytes(bytes);
    (void)putchar('\n');
}

/* Messages come from names and texts of others, which may hold anything; a
 * terminal gets printable characters only. */
static void put_message(const char *message)
{
    for (const char *at = message; *at != '\0'; at++) {
        const unsigned char c = (unsigned char)*at;

        (void)fputc(c < 0x20 || c == 0x7f ? '?' : c, stderr);
    }
}

/* Whether a message names a position already. */
static bool has_position(const char *message, int64_t position)
{
    char text[32];

    (void)snprintf(text, sizeof text, "at %" PRId64, position);
    return strstr(message, text) != NULL;
}

void sti_print_error(const char *where, const stele_error *err, bool json)
{
    const char *message = err->message[0] == '\0' ? stele_code_text(err->code) : err->message;
    const bool file = err->file[0] != '\0' && strstr(message, err->file) == NULL;
    const bool position = err->position >= 0 && !has_position(message, err->position);
    struct sti_json j;

    (void)fprintf(stderr, "stele: %s%s", where, where[0] == '\0' ? "" : ": ");
    put_message(message);
    if (file || position) {
        (void)fputs(" (", stderr);
        put_message(file ? err->file : "");
        if (position) {
            (void)fprintf(stderr, "%sat %" PRId64, file ? " " : "", err->position);
        }
        (void)fputc(')', stderr);
    }
    (void)fputc('\n', stderr);
    if (json) {
        j = sti_json_begin(stderr);
        sti_json_text(&j, "error", message);
        sti_json_text(&j, "code", stele_code_name(err->code));
        sti_json_text(&j, "file", err->file[0] == '\0' ? NULL : err->file);
        sti_json_int_or_null(&j, "position", err->position);
        sti_json_end(&j);
    }
}

void sti_print_log(void *arg, stele_log_level level, const char *message)
{
    (void)arg;
    if (level <= STELE_LOG_WARN) {
        (void)fputs("note: ", stderr);
        put_message(message);
        (void)fputc('\n', stderr);
    }
}

stele_code sti_finish_output(stele_error *err)
{
    errno = 0;
    if (fflush(stdout) != 0) {
        return sti_cli_fail_errno(err, errno, "standard output");
    }
    if (ferror(stdout) != 0) {
        return sti_cli_fail(err, STELE_EIO, "standard output: not all could be written");
    }
    return STELE_OK;
}

static int64_t now_ms(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sti_progress_begin(struct sti_progress *p, const char *what)
{
    p->what = what;
    p->started_ms = now_ms();
    p->shown_ms = 0;
    p->terminal = isatty(STDERR_FILENO) == 1;
    p->visible = false;
}

void sti_progress_show(struct sti_progress *p, int64_t done, int64_t total)
{
    char bar[BAR_WIDTH + 1];
    int64_t now;
    int64_t filled;

    if (!p->terminal) {
        return;
    }
    now = now_ms();
    if (now - p->started_ms < PROGRESS_AFTER_MS || now - p->shown_ms < PROGRESS_EVERY_MS) {
        return;
    }
    p->shown_ms = now;
    p->visible = true;
    if (total <= 0 || done > total) {
        (void)fprintf(stderr, "\r%s  %" PRId64 "\033[K", p->what, done);
        return;
    }
    filled = (int64_t)((double)done / (double)total * BAR_WIDTH);
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(stderr, "\r%s  [%s] %3d %%\033[K", p->what, bar,
            (int)((double)done / (double)total * 100));
}

void sti_progress_end(struct sti_progress *p)
{
    if (p->visible) {
        (void)fputs("\r\033[K", stderr);
        p->visible = false;
    }
}
