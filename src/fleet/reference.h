/* SPDX-License-Identifier: MIT
 *
 * reference.h: the packets that the reference's peers send each other.
 *
 *     byte 0   then                                     is answered by
 *     00       name of a peer, to the end               80 to that peer; without a name 80 in line
 *     01       str16 name of a peer, 8 bytes epoch      41 to that peer, as many as it takes
 *     02       key of an entry                          the entry in line, or an error
 *     40       entry
 *     41       str16 name of the sender, str8 keys...
 *     80       str16 name of the sender, checkpoints of 60 bytes...
 *
 * str16 and str8 are a length of two bytes or one, and so many bytes. Keys, entries and checkpoints
 * are those of docs. The reference cuts a key after 255 bytes when it writes it as str8; who asks
 * for what it got then is told that there is no such entry.
 *
 * The names in packets are not believed: who a packet is from is known from the transport, and that
 * is who is answered.
 */
#ifndef STI_FLEET_REFERENCE_H
#define STI_FLEET_REFERENCE_H

#include <stele/fleet.h>

#include "fleet/wire.h"

enum {
    /* The reference ends a packet 41 behind the key with which it has more than so many bytes. */
    STI_FLEET_KEYS_FLUSH = 4096,
    STI_FLEET_KEY_MAX = 255 /* bytes of a key that a packet 41 can carry */
};

struct sti_fleet_ref_packet {
    uint8_t kind;                    /* STELE_FLEET_PKT_… */
    stele_bytes name;                /* 00, 01, 41, 80: as the packet says; may be empty */
    int64_t epoch;                   /* 01 */
    struct sti_docs_version version; /* 02 */
    stele_bytes id;                  /* 02 */
    stele_bytes entry;               /* 40, not decoded */
    struct sti_fleet_reader items;   /* 41: keys, 80: checkpoints */
};

/* All views are into `bytes`. STELE_ENOTSUP for a kind that is not in the table · STELE_ECORRUPT */
stele_code sti_fleet_ref_decode(
        struct sti_fleet_ref_packet *out, stele_bytes bytes, stele_error *err);

/* The next key of a packet 41, which may be none that docs knows. STELE_END after the last. */
stele_code sti_fleet_ref_next_key(struct sti_fleet_ref_packet *packet, stele_bytes *key);

/* The next checkpoint of a packet 80. STELE_END after the last · STELE_ECORRUPT: this one is none,
 * the next one may be. */
stele_code sti_fleet_ref_next_checkpoint(
        struct sti_fleet_ref_packet *packet, struct sti_docs_checkpoint *out, stele_error *err);

/* Append a packet to an empty buffer. The name is one's own, or empty for 00. */
stele_code sti_fleet_ref_get_info(stele_bytes name, stele_buf *out, stele_error *err);
stele_code sti_fleet_ref_get_log_ids(
        stele_bytes name, int64_t epoch, stele_buf *out, stele_error *err);
stele_code sti_fleet_ref_fetch_log(stele_bytes key, stele_buf *out, stele_error *err);
stele_code sti_fleet_ref_log_push(stele_bytes entry, stele_buf *out, stele_error *err);

/* The beginning of a packet, and what follows it one by one. */
stele_code sti_fleet_ref_log_ids(stele_bytes name, stele_buf *out, stele_error *err);
stele_code sti_fleet_ref_add_key(stele_bytes key, stele_buf *out, stele_error *err);
stele_code sti_fleet_ref_info(stele_bytes name, stele_buf *out, stele_error *err);
stele_code sti_fleet_ref_add_checkpoint(
        const struct sti_docs_checkpoint *checkpoint, stele_buf *out, stele_error *err);

#endif /* STI_FLEET_REFERENCE_H */
