/* SPDX-License-Identifier: MIT
 *
 * report.h: errors of this library, and what those of libnats mean.
 */
#ifndef STI_NATS_REPORT_H
#define STI_NATS_REPORT_H

#include <stele/error.h>

#include <nats/nats.h>

/* Fill in *err, which may be NULL, and return the code. */
stele_code sti_nats_fail(stele_error *err, stele_code code, const char *format, ...)
        STELE_PRINTF(3, 4);
stele_code sti_nats_fail_memory(stele_error *err, size_t size);

/* What a status of libnats is for callers. NATS_OK: STELE_OK. */
stele_code sti_nats_code(natsStatus status);

/* Of connecting: what no further attempt changes. A server that is being stopped, or started, gives
 * all kinds of others. */
bool sti_nats_is_final(natsStatus status);

/* The same as an error, "doing: text". */
stele_code sti_nats_fail_status(stele_error *err, natsStatus status, const char *doing);

#endif /* STI_NATS_REPORT_H */
