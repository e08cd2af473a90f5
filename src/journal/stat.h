/* SPDX-License-Identifier: MIT
 *
 * stat.h: the figures that the files of a journal give.
 */
#ifndef STI_JOURNAL_STAT_H
#define STI_JOURNAL_STAT_H

#include "journal/chain.h"

/* Set the figures down to replay_ms, which is -1, and leave the others. The newest log is read
 * whole; where it is damaged the figures are of what precedes. */
stele_code sti_journal_stat_chain(
        struct sti_journal_chain *chain, stele_journal_stats *out, stele_error *err);

#endif /* STI_JOURNAL_STAT_H */
