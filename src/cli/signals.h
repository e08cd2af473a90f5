/* SPDX-License-Identifier: MIT
 *
 * signals.h: verbs that run until they are told to end.
 */
#ifndef STI_CLI_SIGNALS_H
#define STI_CLI_SIGNALS_H

#include <stele/error.h>

/* From now on SIGINT and SIGTERM end nothing, but are remembered, and end a
 * call of the system that waits. */
stele_code sti_signals_catch(stele_error *err);

/* Whether one came. */
bool sti_signals_came(void);

/* What a signal interrupted, such as a write to standard output that nobody
 * reads, is no failure of the verb: its result, from what the work returned. */
stele_code sti_signals_forgive(stele_code code);

#endif /* STI_CLI_SIGNALS_H */
