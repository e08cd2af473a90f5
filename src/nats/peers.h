/* SPDX-License-Identifier: MIT
 *
 * peers.h: who is in a fleet, who is online, and the file that remembers who ever was.
 *
 * The file "peers" is text: a line "stele peers 1", the token of each name on a line of its own
 * in ascending order, and a line "end COUNT SUM", where SUM is the FNV-1a of all before it in hex.
 * It is written beside, synced, renamed, and the directory is synced: a crash leaves the old one or
 * the new one. It is read before it is written for the first time.
 *
 * The table is under the lock of who owns it; the file is written from a copy, without it.
 */
#ifndef STI_NATS_PEERS_H
#define STI_NATS_PEERS_H

#include <stele/fleet.h>
#include <stele/vfs.h>

struct sti_nats_peer {
    uint64_t boot; /* of the process that was heard last */
    int64_t heard_ns;
    bool online; /* as told; see sti_nats_peers_sweep() */
    char name[STELE_FLEET_NAME_MAX + 1];
};

struct sti_nats_peers {
    struct sti_nats_peer **list; /* by name, ascending */
    size_t count;
    size_t capacity;
    bool changed; /* names are not in the file yet */
};

/* NULL: not known. */
struct sti_nats_peer *sti_nats_peers_find(const struct sti_nats_peers *p, const char *name);

/* Known from now on. NULL: no memory, or STELE_NATS_PEERS_MAX. */
struct sti_nats_peer *sti_nats_peers_add(struct sti_nats_peers *p, const char *name);

void sti_nats_peers_free(struct sti_nats_peers *p);

/* The content of the file, appended. */
stele_code sti_nats_peers_write(const struct sti_nats_peers *p, stele_buf *out, stele_error *err);

/* Add the names in a file's content. STELE_ECORRUPT: it is not whole. */
stele_code sti_nats_peers_read(struct sti_nats_peers *p, stele_bytes content, stele_error *err);

/* The file in a directory: read it into a buffer, nil if there is none; replace it, durably. */
stele_code sti_nats_peers_load(stele_dir *dir, stele_buf *out, stele_error *err);
stele_code sti_nats_peers_save(stele_dir *dir, stele_bytes content, stele_error *err);

#endif /* STI_NATS_PEERS_H */
