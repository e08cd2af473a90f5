/* SPDX-License-Identifier: MIT
 *
 * output.h: what the command prints: JSON lines, text for people, errors.
 *
 * Standard output carries data alone; errors, notes and progress go to
 * standard error. Writing never fails half way: stdio remembers a failure,
 * and sti_finish_output() reports it.
 *
 * In JSON, bytes are a string when they are valid UTF-8 without control
 * characters other than \n, \r and \t; else the name of the field gets "_b64"
 * at its end, and the string is base64.
 */
#ifndef STI_CLI_OUTPUT_H
#define STI_CLI_OUTPUT_H

#include <stele/bytes.h>
#include <stele/env.h>

#include <stdio.h>

/* Room for a time as text, its terminator included. */
enum {
    STI_TIME_TEXT_SIZE = 64
};

/* RFC 3339 in UTC with six decimals; outside of the years 0 to 9999, which it
 * cannot write, the number of microseconds. */
void sti_format_time(stele_time time, char out[STI_TIME_TEXT_SIZE]);

/* Whether bytes can be a JSON string as they are, by the rule above. */
bool sti_is_plain_text(stele_bytes bytes);

/* One JSON object on one line. */
struct sti_json {
    FILE *to;
    bool first;
};

struct sti_json sti_json_begin(FILE *to);
void sti_json_null(struct sti_json *j, const char *name);
void sti_json_bool(struct sti_json *j, const char *name, bool value);
void sti_json_int(struct sti_json *j, const char *name, int64_t value);
void sti_json_uint(struct sti_json *j, const char *name, uint64_t value);
void sti_json_int_or_null(struct sti_json *j, const char *name, int64_t value); /* < 0: null */
void sti_json_text(struct sti_json *j, const char *name, const char *value);    /* NULL: null */
void sti_json_bytes(struct sti_json *j, const char *name, stele_bytes value);   /* nil: null */
void sti_json_time(struct sti_json *j, const char *name, stele_time value);
void sti_json_name(struct sti_json *j, const char *name); /* the value is up to the caller */
void sti_json_dry_run(struct sti_json *j, bool dry_run);  /* "dry_run":true, or nothing */
void sti_json_end(struct sti_json *j);

/* A JSON string on its own, for lists. */
void sti_json_string(FILE *to, stele_bytes value);

/* Base64 without quotes. */
void sti_print_base64(FILE *to, stele_bytes value);

/* A line of text: a label, aligned with those of other rows, and a value. */
void sti_row(const char *label, const char *format, ...) STELE_PRINTF(2, 3);
void sti_row_int(const char *label, int64_t value);
void sti_row_uint(const char *label, uint64_t value);
void sti_row_bool(const char *label, bool value);
void sti_row_dry_run(bool dry_run); /* or nothing */

/* Bytes as they are, without and with a newline. */
void sti_print_bytes(stele_bytes bytes);
void sti_print_line(stele_bytes bytes);

/* "stele: WHERE: MESSAGE" on standard error, with the file and the position
 * if the message lacks them, and as JSON too. */
void sti_print_error(const char *where, const stele_error *err, bool json);

/* A stele_env.log: what a writer finds and mends, such as a torn end, is told on standard error,
 * but not as data. */
void sti_print_log(void *arg, stele_log_level level, const char *message);

/* Flush standard output. STELE_EIO or STELE_ENOSPC when not all of it could
 * be written. */
stele_code sti_finish_output(stele_error *err);

/* Progress of a long piece of work: a line on standard error, when that is a
 * terminal and a second has gone by. */
struct sti_progress {
    const char *what;
    int64_t started_ms;
    int64_t shown_ms;
    bool terminal;
    bool visible;
};

void sti_progress_begin(struct sti_progress *p, const char *what);
/* total <= 0: not known. */
void sti_progress_show(struct sti_progress *p, int64_t done, int64_t total);
void sti_progress_end(struct sti_progress *p);

#endif /* STI_CLI_OUTPUT_H */
