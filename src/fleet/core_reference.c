/* SPDX-License-Identifier: MIT
 *
 * core_reference.c: a peer of the reference: asking it, and answering.
 *
 * What is answered goes to who asked, as the transport says, whatever name the packet has in it.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fleet/core_state.h"
#include "fleet/mutant.h"
#include "fleet/reference.h"

#define MS_NS INT64_C(1000000)

enum {
    KEYS_MAX = 1 << 20, /* bytes of keys that wait to be fetched */
    ASKED_MAX = 32,     /* days that one answer makes us ask for */
    TOLD_MAX = 1 << 18  /* keys of days that a peer is told in a second, about */
};

/* ---- Info: checkpoints. ---- */

static stele_code add_checkpoint(
        void *arg, const struct sti_docs_checkpoint *checkpoint, stele_error *err)
{
    return checkpoint->count == 0 ? STELE_OK : sti_fleet_ref_add_checkpoint(checkpoint, arg, err);
}

static stele_code make_info(struct sti_fleet_core *c, stele_buf *out)
{
    const struct sti_fleet_storage *storage = &c->config.storage;
    stele_code rc = sti_fleet_ref_info(stele_str(c->config.self), out, c->err);

    return rc == STELE_OK ? storage->checkpoints(storage->set.arg, add_checkpoint, out, c->err)
                          : rc;
}

/* In line for who waits and gives no name; else to the one who asked. */
static stele_code on_get_info(struct sti_fleet_core *c, struct sti_fleet_peer *p,
        const struct sti_fleet_ref_packet *packet)
{
    stele_buf out;
    stele_code rc;

    stele_buf_init(&out, SIZE_MAX);
    rc = make_info(c, &out);
    if (rc == STELE_OK && packet->name.len == 0) {
        rc = sti_fleet_do_reply(c, STELE_OK, stele_buf_view(&out));
    } else if (rc == STELE_OK) {
        rc = sti_fleet_do_send(c, p, stele_buf_view(&out));
        rc = rc == STELE_OK ? sti_fleet_do_reply(c, STELE_OK, stele_nil()) : rc;
    }
    stele_buf_free(&out);
    return rc;
}

static stele_code get_info(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    stele_buf out;
    stele_code rc;

    stele_buf_init(&out, SIZE_MAX);
    rc = sti_fleet_ref_get_info(stele_str(c->config.self), &out, c->err);
    rc = rc == STELE_OK ? sti_fleet_do_send(c, p, stele_buf_view(&out)) : rc;
    stele_buf_free(&out);
    return rc;
}

/* As the reference does at first, then as long as it is not level; then more often than the hour of
 * the reference, since what it pushes may be lost, and nobody says so. */
stele_code sti_fleet_ref_due(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    static const int64_t first[] = {
            100 * MS_NS, 250 * MS_NS, 500 * MS_NS, 5000 * MS_NS, 5000 * MS_NS};
    const size_t count = sizeof first / sizeof first[0];
    int64_t wait = p->rate == STI_FLEET_FULL_RATE ? 30000 * MS_NS : 5000 * MS_NS;

    if (p->info_tries < count) {
        wait = first[p->info_tries++];
    }
    p->info_at = sti_fleet_later(c->event->now_ns, wait);
    return STI_FLEET_MUTANT(REFERENCE_NEVER_ASKED) ? STELE_OK : get_info(c, p);
}

/* ---- Checkpoints against ours. ---- */

struct own_days {
    struct sti_docs_checkpoint *list;
    size_t count;
    size_t capacity;
};

static stele_code note_day(
        void *arg, const struct sti_docs_checkpoint *checkpoint, stele_error *err)
{
    struct own_days *days = arg;

    if (days->count == days->capacity) {
        size_t capacity = days->capacity == 0 ? 64 : 2 * days->capacity;
        struct sti_docs_checkpoint *list = sti_realloc(days->list, capacity, sizeof *list);

        if (list == NULL) {
            return sti_fail_memory(err, capacity * sizeof *list);
        }
        days->list = list;
        days->capacity = capacity;
    }
    days->list[days->count++] = *checkpoint;
    return STELE_OK;
}

static bool lacks(const struct sti_docs_checkpoint *own, const struct sti_docs_checkpoint *their)
{
    return own == NULL ? their->count > 0
                       : own->count < their->count ||
                                 (own->count == their->count &&
                                         memcmp(own->sum, their->sum, sizeof own->sum) != 0);
}

static stele_code ask_for_day(struct sti_fleet_core *c, struct sti_fleet_peer *p, int64_t epoch)
{
    stele_buf out;
    stele_code rc;

    stele_buf_init(&out, SIZE_MAX);
    rc = sti_fleet_ref_get_log_ids(stele_str(c->config.self), epoch, &out, c->err);
    rc = rc == STELE_OK ? sti_fleet_do_send(c, p, stele_buf_view(&out)) : rc;
    stele_buf_free(&out);
    return rc;
}

/* Both ascend by day; of a list that does not, what stands too low is passed over. */
static stele_code compare_days(struct sti_fleet_core *c, struct sti_fleet_peer *p,
        struct sti_fleet_ref_packet *packet, const struct own_days *days)
{
    struct sti_docs_checkpoint their;
    uint64_t good = 0;
    uint64_t total = 0;
    size_t asked = 0;
    size_t i = 0;
    stele_code rc = STELE_OK;
    stele_code next;

    while (rc == STELE_OK &&
            (next = sti_fleet_ref_next_checkpoint(packet, &their, NULL)) != STELE_END) {
        const struct sti_docs_checkpoint *own = NULL;

        if (next != STELE_OK) {
            c->counters.bad_packets++;
            continue;
        }
        while (i < days->count && days->list[i].epoch < their.epoch) {
            i++;
        }
        own = i < days->count && days->list[i].epoch == their.epoch ? &days->list[i] : NULL;
        total += their.count;
        if (!lacks(own, &their)) {
            good += their.count;
        } else if (asked++ < ASKED_MAX) {
            good += own == NULL || own->count == their.count ? 0 : own->count;
            rc = ask_for_day(c, p, their.epoch);
        }
    }
    p->rate = good >= total ? STI_FLEET_FULL_RATE
                            : (unsigned)((double)good / (double)total * (STI_FLEET_FULL_RATE - 1));
    return rc;
}

static stele_code on_info(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, struct sti_fleet_ref_packet *packet)
{
    const struct sti_fleet_storage *storage = &c->config.storage;
    struct own_days days = {.count = 0};
    stele_code rc = storage->checkpoints(storage->set.arg, note_day, &days, c->err);

    rc = rc == STELE_OK ? compare_days(c, p, packet, &days) : rc;
    sti_free(days.list);
    return rc;
}

/* ---- Keys of a day. ---- */

struct keys {
    struct sti_fleet_core *c;
    struct sti_fleet_peer *p;
    stele_buf out;
};

static stele_code send_keys(struct keys *k)
{
    stele_code rc = sti_fleet_do_send(k->c, k->p, stele_buf_view(&k->out));

    stele_buf_clear(&k->out);
    return rc == STELE_OK ? sti_fleet_ref_log_ids(stele_str(k->c->config.self), &k->out, k->c->err)
                          : rc;
}

/* A key that no such packet can carry is left out: whoever has it must push it. */
static stele_code add_key(
        void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    struct keys *k = arg;
    stele_code rc = STELE_OK;

    (void)hash;
    k->p->told_keys++;
    if (key.len <= STI_FLEET_KEY_MAX) {
        rc = sti_fleet_ref_add_key(key, &k->out, err);
    }
    return rc == STELE_OK && k->out.len > STI_FLEET_KEYS_FLUSH ? send_keys(k) : rc;
}

/* It has been told so much that it is to ask again later, as it does anyway. */
static bool may_not_be_told(const struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    if (c->event->now_ns - p->told_since >= 1000 * MS_NS) {
        p->told_since = c->event->now_ns;
        p->told_keys = 0;
    }
    return p->told_keys > TOLD_MAX;
}

static stele_code on_get_log_ids(struct sti_fleet_core *c, struct sti_fleet_peer *p,
        const struct sti_fleet_ref_packet *packet)
{
    const struct sti_fleet_set *set = &c->config.storage.set;
    size_t empty = 1 + 2 + strlen(c->config.self);
    struct keys k = {.c = c, .p = p};
    struct sti_fleet_bound low;
    struct sti_fleet_bound high;
    stele_code rc;

    if (packet->epoch < 1 || packet->epoch > INT64_MAX / STI_DOCS_DAY_SECONDS) {
        return STELE_OK;
    }
    if (may_not_be_told(c, p)) {
        c->counters.dropped++;
        return STELE_OK;
    }
    low = sti_fleet_bound_of_second((packet->epoch - 1) * STI_DOCS_DAY_SECONDS);
    high = sti_fleet_bound_of_second(packet->epoch * STI_DOCS_DAY_SECONDS);
    stele_buf_init(&k.out, SIZE_MAX);
    rc = sti_fleet_ref_log_ids(stele_str(c->config.self), &k.out, c->err);
    rc = rc == STELE_OK ? set->ops->keys(set->arg, sti_fleet_bound_view(&low),
                                  sti_fleet_bound_view(&high), add_key, &k, c->err)
                        : rc;
    if (rc == STELE_OK && k.out.len > empty) {
        rc = sti_fleet_do_send(c, p, stele_buf_view(&k.out));
    }
    stele_buf_free(&k.out);
    return rc;
}

/* ---- Fetching, one by one. ---- */

static stele_code is_here(struct sti_fleet_core *c, stele_bytes key, bool *here)
{
    const struct sti_fleet_storage *storage = &c->config.storage;
    uint8_t hash[STI_DOCS_HASH_SIZE];

    return storage->find(storage->set.arg, key, hash, here, c->err);
}

/* The next key that is not here; when there are none left, how the peer is by now. */
static stele_code fetch_next(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    stele_code rc = STELE_OK;
    stele_buf out;

    stele_buf_init(&out, SIZE_MAX);
    while (rc == STELE_OK && p->fetch_token == 0 && p->keys_from < p->keys.len) {
        struct sti_fleet_reader r = sti_fleet_reader_of(
                stele_bytes_of(p->keys.data + p->keys_from, p->keys.len - p->keys_from));
        stele_bytes key = sti_fleet_read_sized(&r);
        bool here = false;

        rc = is_here(c, key, &here);
        if (rc == STELE_OK && !here) {
            stele_buf_clear(&out);
            rc = sti_fleet_ref_fetch_log(key, &out, c->err);
            rc = rc == STELE_OK ? sti_fleet_do_request(c, p, stele_buf_view(&out), &p->fetch_token)
                                : rc;
        }
        p->keys_from = p->keys.len - r.rest.len;
    }
    if (p->keys_from == p->keys.len) {
        p->keys_from = 0;
        stele_buf_free(&p->keys);
    }
    stele_buf_clear(&out);
    if (rc == STELE_OK && p->fetch_token == 0 && p->info_due && p->info_token == 0) {
        p->info_due = false;
        rc = sti_fleet_ref_get_info(stele_empty(), &out, c->err);
        rc = rc == STELE_OK ? sti_fleet_do_request(c, p, stele_buf_view(&out), &p->info_token) : rc;
    }
    stele_buf_free(&out);
    return rc;
}

static stele_code on_keys(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, struct sti_fleet_ref_packet *packet)
{
    struct sti_docs_version version;
    stele_bytes key;
    stele_bytes id;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && sti_fleet_ref_next_key(packet, &key) == STELE_OK) {
        struct sti_fleet_writer w = sti_fleet_writer_of(&p->keys, c->err);
        bool here = false;

        if (sti_docs_log_key_decode(&version, &id, key, NULL) != STELE_OK ||
                p->keys.len + key.len > KEYS_MAX) {
            c->counters.dropped++;
            continue;
        }
        rc = is_here(c, key, &here);
        if (rc == STELE_OK && !here && !STI_FLEET_MUTANT(KEYS_NOT_FETCHED)) {
            sti_fleet_write_sized(&w, key);
            p->info_due = true;
            rc = w.rc;
        }
    }
    return rc == STELE_OK ? fetch_next(c, p) : rc;
}

stele_code sti_fleet_on_ref_fetched(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    stele_code rc = STELE_OK;

    p->fetch_token = 0;
    if (c->event->code == STELE_OK && c->event->bytes.len > 0) {
        c->counters.fetched++;
        rc = sti_fleet_accept(c, p, c->event->bytes, false, NULL);
    } else if (c->event->code == STELE_ENOPEER || c->event->code == STELE_ETIMEDOUT) {
        p->keys_from = 0;
        stele_buf_free(&p->keys);
    }
    return rc == STELE_OK ? fetch_next(c, p) : rc;
}

stele_code sti_fleet_on_ref_info(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    struct sti_fleet_ref_packet packet;

    p->info_token = 0;
    if (c->event->code != STELE_OK) {
        return STELE_OK;
    }
    if (sti_fleet_ref_decode(&packet, c->event->bytes, NULL) != STELE_OK ||
            packet.kind != STELE_FLEET_PKT_GET_INFO_RESP) {
        c->counters.bad_packets++;
        return STELE_OK;
    }
    return on_info(c, p, &packet);
}

/* ---- What came. ---- */

static stele_code on_fetch_log(struct sti_fleet_core *c)
{
    const struct sti_fleet_storage *storage = &c->config.storage;
    stele_bytes key = stele_bytes_of(c->event->bytes.data + 1, c->event->bytes.len - 1);
    stele_buf out;
    stele_code rc;

    stele_buf_init(&out, SIZE_MAX);
    rc = storage->read(storage->set.arg, key, &out, NULL);
    rc = rc == STELE_OK || rc == STELE_ENOTFOUND
                 ? sti_fleet_do_reply(c, rc, rc == STELE_OK ? stele_buf_view(&out) : stele_nil())
                 : sti_fail(c->err, rc, "an entry cannot be read");
    stele_buf_free(&out);
    return rc;
}

stele_code sti_fleet_on_reference(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    struct sti_fleet_ref_packet packet;
    stele_code rc = sti_fleet_ref_decode(&packet, c->event->bytes, NULL);

    if (rc != STELE_OK) {
        c->counters.bad_packets++;
        return sti_fleet_do_reply(c, rc, stele_nil());
    }
    switch (packet.kind) {
    case STELE_FLEET_PKT_GET_INFO:
        return on_get_info(c, p, &packet);
    case STELE_FLEET_PKT_FETCH_LOG:
        return on_fetch_log(c);
    case STELE_FLEET_PKT_GET_LOG_IDS:
        rc = on_get_log_ids(c, p, &packet);
        break;
    case STELE_FLEET_PKT_LOG_PUSH:
        rc = sti_fleet_accept(c, p, packet.entry, false, NULL);
        break;
    case STELE_FLEET_PKT_LOG_IDS_PUSH:
        rc = on_keys(c, p, &packet);
        break;
    default:
        rc = on_info(c, p, &packet);
        break;
    }
    return rc == STELE_OK ? sti_fleet_do_reply(c, STELE_OK, stele_nil()) : rc;
}
