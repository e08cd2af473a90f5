/* SPDX-License-Identifier: MIT
 *
 * sim_storage.c: the log of a node as its core reads it.
 *
 * As in a database, what an entry is kept with says whether it is still what was stored: of one
 * that is not nothing is given, and the read fails. Sums are kept apart from entries, and know
 * nothing of that.
 */
#include "lib/check.h"
#include "sim.h"

bool sim_is_whole(const struct fleet_item *item)
{
    uint8_t hash[STI_DOCS_HASH_SIZE];
    struct sti_docs_entry e;

    return sti_docs_entry_decode(&e, stele_bytes_of(item->bytes, item->len), NULL) == STELE_OK &&
           sti_docs_entry_hash(&e, hash, NULL) == STELE_OK &&
           memcmp(hash, item->hash, sizeof hash) == 0;
}

/* Whether an entry may be given to the core. */
static bool is_readable(struct sim_node *n, const struct fleet_item *item)
{
    if (!n->flipped || n->sim->config.rules == SIM_RULES_BELIEVES || sim_is_whole(item)) {
        return true;
    }
    sim_node_noticed(n);
    return false;
}

static stele_code fail_damaged(stele_error *err)
{
    if (err != NULL) {
        *err = (stele_error){.code = STELE_ECORRUPT};
    }
    return STELE_ECORRUPT;
}

static stele_code find(
        void *arg, stele_bytes key, uint8_t hash[STI_DOCS_HASH_SIZE], bool *found, stele_error *err)
{
    struct sim_node *n = arg;
    const struct fleet_item *item = fleet_memory_find(&n->log, key);

    if (item != NULL && !is_readable(n, item)) {
        return fail_damaged(err);
    }
    *found = item != NULL;
    if (item != NULL) {
        memcpy(hash, item->hash, STI_DOCS_HASH_SIZE);
    }
    return STELE_OK;
}

static stele_code read_entry(void *arg, stele_bytes key, stele_buf *out, stele_error *err)
{
    struct sim_node *n = arg;
    const struct fleet_item *item = fleet_memory_find(&n->log, key);

    if (item == NULL) {
        return STELE_ENOTFOUND;
    }
    return is_readable(n, item) ? stele_buf_append(out, stele_bytes_of(item->bytes, item->len), err)
                                : fail_damaged(err);
}

static stele_code checkpoints(
        void *arg, sti_fleet_checkpoint_fn each, void *each_arg, stele_error *err)
{
    struct fleet_memory *log = &((struct sim_node *)arg)->log;
    struct sti_docs_checkpoint c = {.epoch = 0};
    stele_code rc = STELE_OK;

    (void)fleet_memory_place(log, stele_nil());
    for (size_t i = 0; rc == STELE_OK && i < log->count; i++) {
        struct sti_docs_version v;

        CHECK_OK(sti_docs_version_get(&v, log->items[i].key.data, NULL), NULL);
        if (i == 0 || !sti_docs_checkpoint_covers(&c, v)) {
            rc = i == 0 ? STELE_OK : each(each_arg, &c, err);
            sti_docs_checkpoint_init(&c, v);
        }
        CHECK_OK(sti_docs_checkpoint_add(&c, log->items[i].hash, NULL), NULL);
    }
    return rc == STELE_OK && log->count > 0 ? each(each_arg, &c, err) : rc;
}

/* Of a key of the log. */
static stele_bytes id_of(const struct fleet_item *item)
{
    return stele_bytes_of(
            item->key.data + STI_DOCS_VERSION_SIZE, item->key.len - STI_DOCS_VERSION_SIZE);
}

static stele_code give_kept(struct sim_node *n, stele_bytes id, sti_fleet_kept_fn each,
        void *each_arg, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < n->log.count; i++) {
        const struct fleet_item *item = &n->log.items[i];

        if (stele_bytes_equal(id_of(item), id) && sim_is_kept(&n->log, item)) {
            rc = each(each_arg, id, stele_bytes_of(item->bytes, item->len), err);
        }
    }
    return rc;
}

/* All of the smallest ID above the last one, again and again. */
static stele_code kept(
        void *arg, stele_bytes after, sti_fleet_kept_fn each, void *each_arg, stele_error *err)
{
    struct sim_node *n = arg;
    stele_bytes last = after;
    stele_code rc = STELE_OK;

    (void)fleet_memory_place(&n->log, stele_nil());
    for (size_t i = 0; i < n->log.count; i++) {
        if (!is_readable(n, &n->log.items[i])) {
            return fail_damaged(err);
        }
    }
    while (rc == STELE_OK) {
        stele_bytes next = stele_nil();

        for (size_t i = 0; i < n->log.count; i++) {
            stele_bytes id = id_of(&n->log.items[i]);

            if (stele_bytes_compare(id, last) > 0 &&
                    (stele_is_nil(next) || stele_bytes_compare(id, next) < 0)) {
                next = id;
            }
        }
        if (stele_is_nil(next)) {
            break;
        }
        rc = give_kept(n, next, each, each_arg, err);
        last = next;
    }
    return rc == STELE_END ? STELE_OK : rc;
}

/* ---- As a set. ---- */

static stele_code sum(void *arg, stele_bytes low, stele_bytes high, struct sti_docs_aggregate *out,
        stele_error *err)
{
    return fleet_memory_set.sum(&((struct sim_node *)arg)->log, low, high, out, err);
}

static stele_code cuts(void *arg, stele_bytes low, stele_bytes high, size_t parts,
        sti_fleet_cut_fn each, void *each_arg, stele_error *err)
{
    return fleet_memory_set.cuts(
            &((struct sim_node *)arg)->log, low, high, parts, each, each_arg, err);
}

static stele_code keys(void *arg, stele_bytes low, stele_bytes high, sti_fleet_key_fn each,
        void *each_arg, stele_error *err)
{
    struct sim_node *n = arg;
    size_t to = fleet_memory_place(&n->log, high);
    stele_code rc = STELE_OK;

    for (size_t i = fleet_memory_place(&n->log, low); rc == STELE_OK && i < to; i++) {
        rc = is_readable(n, &n->log.items[i])
                     ? each(each_arg, n->log.items[i].key, n->log.items[i].hash, err)
                     : fail_damaged(err);
    }
    return rc == STELE_END ? STELE_OK : rc;
}

struct sti_fleet_storage sim_storage(struct sim_node *n)
{
    static const struct sti_fleet_set_ops ops = {.sum = sum, .keys = keys, .cuts = cuts};

    return (struct sti_fleet_storage){.set = {.ops = &ops, .arg = n},
            .find = find,
            .read = read_entry,
            .checkpoints = checkpoints,
            .kept = kept};
}
