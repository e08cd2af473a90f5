/* SPDX-License-Identifier: MIT
 *
 * recon.h: how two peers find out which entries each lacks, saying little where they agree.
 *
 * The one who asks sends fingerprints of ranges. Where the other has something else there, it sends
 * back the range cut into STI_FLEET_WAYS parts of about equal count, each with its fingerprint, or,
 * if it has few there, a list of what it has. So it goes on until all that differs is listed, by
 * short IDs: a SipHash of the entry's hash under the salt of the session, drawn anew for each, so
 * that two that look the same once do not the next time.
 *
 * Who answers keeps nothing: all that it needs is in the packet. Who asks keeps what was found.
 *
 *     packet: 0x11 or 0x91, 1 version, 1 flags, 8 session, 8 salt, 16 horizon, ranges...
 *     range:  bound at which it ends, 1 mode, and
 *             0 same      nothing
 *             1 sum       varint count, 16 fingerprint
 *             2 list      varint n, n short IDs: all that the sender has there
 *             3 different varint n, n short IDs that the sender lacks, varint m, m that it has and
 *                         the other lacks. Answers alone
 *
 * The first range begins below all entries, each other one where the one before ends, and what is
 * behind the last one is the same. A sum of no entries is not cut: the other has all or nothing.
 *
 * A packet longer than STI_FLEET_RECON_FLUSH ends there, and says so in its flags: what it leaves
 * out is found another time. Both compare what is at or above the higher of their horizons: who
 * answers, and has a higher one than the head says, answers nothing but that.
 */
#ifndef STI_FLEET_RECON_H
#define STI_FLEET_RECON_H

#include "fleet/packet.h"
#include "fleet/set.h"

enum {
    STI_FLEET_WAYS = 16,
    STI_FLEET_LIST_MAX = 32,    /* so few are listed */
    STI_FLEET_LIST_LONG = 1024, /* with more than so many own ones, a list is answered by sums */
    STI_FLEET_ROUNDS_MAX = 24,  /* of an honest peer a session has fewer */
    STI_FLEET_RECON_FLUSH = 768 << 10, /* bytes: some 1,700 differences that lie far apart */

    STI_FLEET_RECON_CUT = 1,    /* flag: not all was said */
    STI_FLEET_RECON_HORIZON = 2 /* flag: nothing was said, the horizon is higher */
};

struct sti_fleet_recon_head {
    uint8_t flags;
    uint64_t session;
    uint64_t salt;
    struct sti_docs_version horizon;
};

uint64_t sti_fleet_short_id(
        const struct sti_fleet_recon_head *head, const uint8_t hash[STI_DOCS_HASH_SIZE]);

/* The head of either packet. STELE_ECORRUPT · STELE_EVERSION */
stele_code sti_fleet_recon_head_decode(
        struct sti_fleet_recon_head *out, stele_bytes bytes, stele_error *err);

/* Begin: the first packet, of what is in a range. */
stele_code sti_fleet_recon_begin(const struct sti_fleet_set *set,
        const struct sti_fleet_recon_head *head, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, stele_buf *out, stele_error *err);

/* Answer one. Fails with STELE_ECORRUPT for a packet that is none, and as the set does. */
stele_code sti_fleet_recon_answer(const struct sti_fleet_set *set, struct sti_docs_version horizon,
        stele_bytes packet, stele_buf *out, stele_error *err);

/* Something that one side lacks: some entries of a range, or, without short IDs, all of them. */
enum sti_fleet_side {
    STI_FLEET_HERE,
    STI_FLEET_THERE
};

typedef stele_code (*sti_fleet_found_fn)(void *arg, enum sti_fleet_side lacks,
        const struct sti_fleet_fetch_item *item, stele_error *err);

/* Go on with an answer: what is found is handed over, and the next packet appended, or nothing if
 * there is nothing more to ask. The answer is of this session (STELE_ECORRUPT). */
stele_code sti_fleet_recon_go_on(const struct sti_fleet_set *set,
        const struct sti_fleet_recon_head *head, stele_bytes packet, sti_fleet_found_fn found,
        void *arg, stele_buf *out, stele_error *err);

#endif /* STI_FLEET_RECON_H */
