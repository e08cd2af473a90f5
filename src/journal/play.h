/* SPDX-License-Identifier: MIT
 *
 * play.h: operating a chain from its first operation to its last.
 */
#ifndef STI_JOURNAL_PLAY_H
#define STI_JOURNAL_PLAY_H

#include "journal/chain.h"

/* stele_journal_play_until() on a chain that was loaded with STI_CHAIN_VERIFIED. `until` (NULL: no
 * limit) is all set; `played` may be NULL, and is set on failures as well. STELE_END of `operate`
 * is STELE_OK. */
stele_code sti_journal_play_chain(struct sti_journal_chain *chain, const stele_journal_until *until,
        stele_journal_operate operate, void *arg, stele_journal_played *played, stele_error *err);

/* What lies behind operation id - 1, which ends at `end` in the newest log, no seal. Beside a
 * recorder more may have been written since that was read: that is no damage, nor torn. */
stele_code sti_journal_judge_tail(struct sti_journal_file *log, uint64_t end, uint64_t id,
        struct sti_scan *out, stele_error *err);

/* The same of a log without a header. */
stele_code sti_journal_judge_headless(
        struct sti_journal_file *log, struct sti_scan *out, stele_error *err);

/* The error of a judged tail that is damaged. */
stele_code sti_journal_fail_damaged(
        const struct sti_journal_file *log, const struct sti_scan *scan, stele_error *err);

#endif /* STI_JOURNAL_PLAY_H */
