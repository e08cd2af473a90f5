/* SPDX-License-Identifier: MIT
 *
 * node_note.c: what a node remembers of itself and its peers.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/env.h"
#include "base/error.h"
#include "fleet/mutant.h"
#include "fleet/node.h"

enum {
    NOTE_HEAD = 8
};

static stele_code encode(const stele_node *n, stele_buf *out, stele_error *err)
{
    uint8_t head[NOTE_HEAD];
    stele_code rc;

    sti_put_be64(head, n->boot);
    rc = stele_buf_append(out, stele_bytes_of(head, sizeof head), err);
    for (size_t i = 0; i < n->peer_count && rc == STELE_OK; i++) {
        stele_bytes name = stele_str(n->peers[i].name);
        uint8_t len = (uint8_t)name.len;
        uint8_t synced[STI_DOCS_VERSION_SIZE];

        if (n->peers[i].noted) {
            rc = stele_buf_append(out, stele_bytes_of(&len, sizeof len), err);
            rc = rc == STELE_OK ? stele_buf_append(out, name, err) : rc;
            sti_docs_version_put(synced, n->peers[i].synced);
            rc = rc == STELE_OK ? stele_buf_append(out, stele_bytes_of(synced, sizeof synced), err)
                                : rc;
        }
    }
    return rc;
}

static stele_code decode_peers(stele_node *n, stele_bytes rest, stele_error *err)
{
    while (rest.len > 0) {
        char name[STELE_FLEET_NAME_MAX + 1];
        size_t len = rest.data[0];
        size_t size = 1 + len + STI_DOCS_VERSION_SIZE;
        struct sti_node_peer *peer;
        stele_code rc;

        if (len == 0 || size > rest.len) {
            return sti_fail(err, STELE_ECORRUPT, "the node's note of its peers");
        }
        memcpy(name, rest.data + 1, len);
        name[len] = 0;
        peer = sti_node_peer_of(n, name, true);
        if (peer == NULL) {
            return sti_fail(err, STELE_ENOMEM, "no memory for the names of peers");
        }
        peer->noted = true;
        rc = sti_docs_version_get(&peer->synced, rest.data + 1 + len, err);
        if (rc != STELE_OK) {
            return rc;
        }
        rest = stele_bytes_of(rest.data + size, rest.len - size);
    }
    return STELE_OK;
}

static stele_code decode(stele_node *n, stele_bytes note, stele_error *err)
{
    if (note.len == 0) {
        return STELE_OK;
    }
    if (note.len < NOTE_HEAD) {
        return sti_fail(err, STELE_ECORRUPT, "the node's note of %zu bytes", note.len);
    }
    n->boot = sti_get_be64(note.data);
    return decode_peers(n, stele_bytes_of(note.data + NOTE_HEAD, note.len - NOTE_HEAD), err);
}

/* Higher than any before, and than those of others who began earlier, if clocks are right. */
static uint64_t next_boot(const stele_node *n)
{
    stele_time now = sti_env_now(&n->env);
    uint64_t wall = now < 1 ? 1 : (uint64_t)now;

    if (STI_FLEET_MUTANT(NODE_BOOT_AGAIN) && n->boot > 0) {
        return n->boot;
    }
    return n->boot < wall ? wall : n->boot + 1;
}

static void forget_peers(stele_node *n)
{
    sti_free(n->peers);
    n->peers = NULL;
    n->peer_count = 0;
    n->boot = 0;
}

stele_code sti_node_note_begin(stele_node *n, stele_error *err)
{
    stele_buf note;
    stele_code rc;

    stele_buf_init(&note, SIZE_MAX);
    rc = sti_docs_peer_scatter(n->db, (uint32_t)sti_env_random64(&n->env), err);
    rc = rc == STELE_OK ? sti_docs_peer_get_note(n->db, &note, err) : rc;
    rc = rc == STELE_OK ? decode(n, stele_buf_view(&note), err) : rc;
    if (rc == STELE_ECORRUPT || rc == STELE_EVERSION) {
        /* It can do without: peers are met again, and the time is above the last boot. */
        sti_env_log(&n->env, STELE_LOG_WARN, "what was noted of peers is damaged, and is left");
        forget_peers(n);
        rc = STELE_OK;
    }
    if (rc == STELE_OK) {
        n->boot = next_boot(n);
        stele_buf_clear(&note);
        rc = encode(n, &note, err);
    }
    rc = rc == STELE_OK ? sti_docs_peer_put_note(n->db, stele_buf_view(&note), err) : rc;
    stele_buf_free(&note);
    return rc;
}

void sti_node_note_changed(stele_node *n)
{
    struct sti_node_parcel *p = NULL;
    stele_buf note;

    stele_buf_init(&note, SIZE_MAX);
    if (!STI_FLEET_MUTANT(NODE_NOTE_LOST) && encode(n, &note, NULL) == STELE_OK) {
        p = sti_node_parcel_new(NULL, stele_buf_view(&note));
    }
    stele_buf_free(&note);
    if (p != NULL) {
        p->job = STI_NODE_NOTE;
        sti_node_tell_keeper(n, p);
    }
}
