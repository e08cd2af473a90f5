/* SPDX-License-Identifier: MIT
 *
 * option.h: the command line: options anywhere, and values with units.
 *
 * A verb accepts some of the options of its area's table. An option names a
 * field of the area's argument struct, by its offset; what it was given is
 * stored there as the type of its kind says:
 *
 *     kind            field               accepts
 *     STI_OPT_FLAG    bool                nothing
 *     STI_OPT_TEXT    const char *        any text
 *     STI_OPT_TEXTS   struct sti_texts    any text, as often as it is given
 *     STI_OPT_DATA    struct sti_data     text, or hex:…, b64:…, str:…
 *     STI_OPT_NUMBER  struct sti_number   0 and more
 *     STI_OPT_COUNT   struct sti_number   1 and more
 *     STI_OPT_LEVEL   struct sti_number   nothing, or with = before it 1 and more
 *     STI_OPT_BYTES   struct sti_number   digits and k, M, G, KiB, MiB, GiB
 *     STI_OPT_DUR     struct sti_number   90, 500ms, 2s, 5m, 1h, 7d; stored in µs
 *     STI_OPT_TIME    struct sti_number   RFC 3339, or microseconds since 1970
 *
 * STI_OPT_LEVEL without a value is given, and 0.
 *
 * Options may stand before, between and behind the operands, as --name VALUE,
 * --name=VALUE, -x VALUE or -xVALUE; flags of one letter may share a dash. A
 * lone -- ends them. Of an option that is given twice the last counts,
 * if it is none of STI_OPT_TEXTS.
 */
#ifndef STI_CLI_OPTION_H
#define STI_CLI_OPTION_H

#include <stele/bytes.h>
#include <stele/env.h>

struct sti_number {
    bool given;
    int64_t value;
};

struct sti_data {
    bool given;
    stele_bytes bytes; /* into the command line, or into `owned` */
    uint8_t *owned;
};

struct sti_texts {
    const char **items; /* into the command line */
    size_t count;
};

enum sti_option_kind {
    STI_OPT_FLAG,
    STI_OPT_TEXT,
    STI_OPT_TEXTS,
    STI_OPT_DATA,
    STI_OPT_NUMBER,
    STI_OPT_COUNT,
    STI_OPT_LEVEL,
    STI_OPT_BYTES,
    STI_OPT_DUR,
    STI_OPT_TIME
};

struct sti_option {
    const char *name; /* without its dashes; NULL: it has a letter only */
    char letter;      /* 0: it has a name only */
    enum sti_option_kind kind;
    size_t field; /* offset in the argument struct */
    const char *value_name;
    const char *help;
};

/* Which options of a table a verb accepts: bit i is entry i. */
typedef uint64_t sti_option_set;

#define STI_SET(entry) ((sti_option_set)1 << (entry))

struct sti_options {
    const struct sti_option *table;
    size_t count; /* at most 64 */
    sti_option_set accepted;
};

/* What is left of the command line when the options are taken out. Points
 * into it, and into memory of the caller for argc pointers. */
struct sti_operands {
    const char **items;
    size_t count;
};

/* Take the options out of argv. STELE_EINVAL names what is wrong. On failure
 * too, sti_options_free() must follow. */
stele_code sti_options_parse(const struct sti_options *options, int argc, char *const *argv,
        void *args, struct sti_operands *rest, stele_error *err);

/* Free what options of the kinds STI_OPT_DATA and STI_OPT_TEXTS own. */
void sti_options_free(const struct sti_options *options, void *args);

/* Single values; STELE_EINVAL names the text. */
stele_code sti_parse_integer(const char *text, int64_t *out, stele_error *err);
stele_code sti_parse_id(const char *text, uint64_t *out, stele_error *err);
stele_code sti_parse_bytes(const char *text, int64_t *out, stele_error *err);
stele_code sti_parse_duration(const char *text, int64_t *out_us, stele_error *err);
stele_code sti_parse_time(const char *text, stele_time *out, stele_error *err);
stele_code sti_parse_data(const char *text, struct sti_data *out, stele_error *err);

/* What a duration is in milliseconds, rounded up, so that a short one is not none. */
int64_t sti_ms_of_us(int64_t us);

/* Standard base64 with padding, nothing else around it. *out is the caller's
 * to free, and not NULL for no bytes either. */
stele_code sti_decode_base64(
        const char *text, size_t len, uint8_t **out, size_t *out_len, stele_error *err);

#endif /* STI_CLI_OPTION_H */
