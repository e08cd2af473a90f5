/* SPDX-License-Identifier: MIT
 *
 * instant.h: times in documents as instants.
 */
#ifndef STI_DOCS_INSTANT_H
#define STI_DOCS_INSTANT_H

#include <stele/bytes.h>

#include <jansson.h>

struct sti_docs_instant {
    int64_t seconds; /* since 1970 UTC, those of before below 0 */
    uint32_t ns;     /* 0 to 999,999,999, always forward */
};

/* A time as RFC 3339 has it; what counts as one is said in order.h. False if it is none. */
bool sti_docs_instant_parse(stele_bytes text, struct sti_docs_instant *out);

/* Seconds since 1970, with a fraction. False if there are 2^63 of them or more. */
bool sti_docs_instant_of_double(double seconds, struct sti_docs_instant *out);

/* The instant of a value: a string as the first has it, or a number as the second. False for all
 * others, and NULL. */
bool sti_docs_instant_of(const json_t *value, struct sti_docs_instant *out);

#endif /* STI_DOCS_INSTANT_H */
