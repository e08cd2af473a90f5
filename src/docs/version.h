/* SPDX-License-Identifier: MIT
 *
 * version.h: the version of an entry of the log: when it was made, and by which server.
 *
 *     at  size  of 16 bytes, big endian
 *      0    8   seconds since 1970 UTC, not negative here
 *      8    4   nanoseconds, below 1,000,000,000
 *     12    4   number of the server
 *
 * Versions are compared field by field, which is the order of their bytes. One from before 1970
 * is refused: the reference counts its days towards zero, so that two of them share a checkpoint.
 */
#ifndef STI_DOCS_VERSION_H
#define STI_DOCS_VERSION_H

#include <stele/bytes.h>

enum {
    STI_DOCS_VERSION_SIZE = 16,
    STI_DOCS_VERSION_TEXT_SIZE = 64, /* of any version as text, with its zero byte */
    STI_DOCS_SECOND_NS = 1000000000,
    STI_DOCS_DAY_SECONDS = 86400
};

struct sti_docs_version {
    int64_t seconds;
    uint32_t ns;
    uint32_t server;
};

/* Whether it is one that may be written. */
static inline bool sti_docs_version_is_valid(struct sti_docs_version v)
{
    return v.seconds >= 0 && v.ns < STI_DOCS_SECOND_NS;
}

/* -1, 0 or 1. */
int sti_docs_version_compare(struct sti_docs_version a, struct sti_docs_version b);

void sti_docs_version_put(uint8_t out[STI_DOCS_VERSION_SIZE], struct sti_docs_version v);

/* STELE_ECORRUPT for one that is not valid. */
stele_code sti_docs_version_get(
        struct sti_docs_version *out, const uint8_t in[STI_DOCS_VERSION_SIZE], stele_error *err);

/* Days since 1970. The checkpoint that covers the day carries this number plus one. */
static inline int64_t sti_docs_version_epoch(struct sti_docs_version v)
{
    return v.seconds / STI_DOCS_DAY_SECONDS;
}

/* For people and JSON: "2026-11-26T04:58:00.123456789Z/7", always with nine digits of the second;
 * a year beyond 9999 has as many digits as it takes. The version is valid. */
void sti_docs_version_print(char out[STI_DOCS_VERSION_TEXT_SIZE], struct sti_docs_version v);

/* Takes exactly what is printed; STELE_EINVAL for all else. */
stele_code sti_docs_version_parse(struct sti_docs_version *out, stele_bytes text, stele_error *err);

#endif /* STI_DOCS_VERSION_H */
