/* SPDX-License-Identifier: MIT
 *
 * node_storage.c: a database as the core reads it.
 */
#include "fleet/node.h"

static stele_code view_of(stele_node *n, stele_error *err)
{
    return n->view.read == NULL ? sti_docs_view_begin(&n->view, n->db, err) : STELE_OK;
}

static stele_code node_sum(void *arg, stele_bytes low, stele_bytes high,
        struct sti_docs_aggregate *out, stele_error *err)
{
    stele_node *n = arg;
    stele_code rc = view_of(n, err);

    return rc == STELE_OK ? sti_docs_view_sum(&n->view, low, high, out, err) : rc;
}

static stele_code node_keys(void *arg, stele_bytes low, stele_bytes high, sti_fleet_key_fn each,
        void *each_arg, stele_error *err)
{
    stele_node *n = arg;
    stele_code rc = view_of(n, err);

    return rc == STELE_OK ? sti_docs_view_keys(&n->view, low, high, each, each_arg, err) : rc;
}

static stele_code node_cuts(void *arg, stele_bytes low, stele_bytes high, size_t parts,
        sti_fleet_cut_fn each, void *each_arg, stele_error *err)
{
    stele_node *n = arg;
    stele_code rc = view_of(n, err);

    return rc == STELE_OK ? sti_docs_view_cuts(&n->view, low, high, parts, each, each_arg, err)
                          : rc;
}

static stele_code node_find(
        void *arg, stele_bytes key, uint8_t hash[STI_DOCS_HASH_SIZE], bool *found, stele_error *err)
{
    stele_node *n = arg;
    stele_code rc = view_of(n, err);

    return rc == STELE_OK ? sti_docs_view_find(&n->view, key, hash, found, err) : rc;
}

static stele_code node_read(void *arg, stele_bytes key, stele_buf *out, stele_error *err)
{
    stele_node *n = arg;
    stele_code rc = view_of(n, err);

    return rc == STELE_OK ? sti_docs_view_entry(&n->view, key, out, err) : rc;
}

static stele_code node_checkpoints(
        void *arg, sti_fleet_checkpoint_fn each, void *each_arg, stele_error *err)
{
    stele_node *n = arg;
    stele_code rc = view_of(n, err);

    return rc == STELE_OK ? sti_docs_view_checkpoints(&n->view, each, each_arg, err) : rc;
}

static stele_code node_kept(
        void *arg, stele_bytes after, sti_fleet_kept_fn each, void *each_arg, stele_error *err)
{
    stele_node *n = arg;
    stele_code rc = view_of(n, err);

    return rc == STELE_OK ? sti_docs_view_kept(&n->view, after, each, each_arg, err) : rc;
}

struct sti_fleet_storage sti_node_storage(stele_node *n)
{
    static const struct sti_fleet_set_ops ops = {
            .sum = node_sum, .keys = node_keys, .cuts = node_cuts};

    return (struct sti_fleet_storage){.set = {.ops = &ops, .arg = n},
            .find = node_find,
            .read = node_read,
            .checkpoints = node_checkpoints,
            .kept = node_kept};
}
