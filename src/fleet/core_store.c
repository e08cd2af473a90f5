/* SPDX-License-Identifier: MIT
 *
 * core_store.c: entries on their way to storage, and those that have to wait.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "fleet/core_state.h"
#include "fleet/mutant.h"

/* ---- Quarantine. ---- */

static bool is_ahead(const struct sti_fleet_core *c, struct sti_docs_version v)
{
    int64_t limit = c->event->wall.seconds < 0 ? 0 : c->event->wall.seconds;

    limit = limit > INT64_MAX - (int64_t)c->config.drift_max ? INT64_MAX
                                                             : limit + c->config.drift_max;
    if (STI_FLEET_MUTANT(DRIFT_IGNORED)) {
        return false;
    }
    return v.seconds > limit || (v.seconds == limit && v.ns > c->event->wall.ns);
}

static stele_code hold(struct sti_fleet_core *c, struct sti_fleet_peer *p,
        struct sti_docs_version version, stele_bytes entry)
{
    struct sti_fleet_held **at = &c->held;
    struct sti_fleet_held *h;

    while (*at != NULL && sti_docs_version_compare((*at)->version, version) < 0) {
        at = &(*at)->next;
    }
    for (h = *at; h != NULL && sti_docs_version_compare(h->version, version) == 0; h = h->next) {
        if (h->len == entry.len && memcmp(h->entry, entry.data, entry.len) == 0) {
            return STELE_OK;
        }
    }
    if (c->counters.quarantined >= STI_FLEET_HELD_MAX ||
            entry.len + sizeof *h > c->config.quarantine_max - c->held_bytes) {
        c->counters.dropped++;
        return STELE_OK;
    }
    h = sti_malloc(sizeof *h + entry.len);
    if (h == NULL) {
        return sti_fail_memory(c->err, entry.len);
    }
    h->version = version;
    h->len = entry.len;
    memcpy(h->entry, entry.data, entry.len);
    h->next = *at;
    *at = h;
    c->held_bytes += sizeof *h + entry.len;
    c->counters.quarantined++;
    return sti_fleet_do_tell(c, STI_FLEET_TOLD_QUARANTINED, p, version);
}

stele_code sti_fleet_release_held(struct sti_fleet_core *c)
{
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && c->held != NULL && !is_ahead(c, c->held->version)) {
        struct sti_fleet_held *h = c->held;

        rc = sti_fleet_accept(c, NULL, stele_bytes_of(h->entry, h->len), false, NULL);
        if (rc == STELE_OK) {
            c->held = h->next;
            c->held_bytes -= sizeof *h + h->len;
            c->counters.quarantined--;
            sti_free(h);
        }
    }
    return rc;
}

int64_t sti_fleet_held_at(const struct sti_fleet_core *c)
{
    int64_t seconds;

    if (c->held == NULL) {
        return STI_FLEET_NEVER;
    }
    seconds = c->held->version.seconds - (int64_t)c->config.drift_max;
    if (__builtin_sub_overflow(seconds, c->event->wall.seconds, &seconds)) {
        return STI_FLEET_NEVER;
    }
    seconds = seconds < 0 ? 0 : seconds;
    if (__builtin_add_overflow(seconds, INT64_C(1), &seconds) ||
            __builtin_mul_overflow(seconds, (int64_t)STI_DOCS_SECOND_NS, &seconds)) {
        return STI_FLEET_NEVER;
    }
    return sti_fleet_later(c->event->now_ns, seconds);
}

/* ---- What came. ---- */

bool sti_fleet_has_room(const struct sti_fleet_core *c)
{
    return c->store_bytes + c->batch.len < c->config.store_max;
}

/* Whether it is here already, as it is. */
static stele_code is_known(
        struct sti_fleet_core *c, const struct sti_docs_entry *entry, bool *known)
{
    const struct sti_fleet_storage *storage = &c->config.storage;
    uint8_t here[STI_DOCS_HASH_SIZE];
    uint8_t hash[STI_DOCS_HASH_SIZE];
    bool found = false;
    stele_buf key;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_log_key_encode(entry->version, entry->id, &key, c->err);
    if (rc == STELE_OK) {
        rc = storage->find(storage->set.arg, stele_buf_view(&key), here, &found, c->err);
    }
    if (rc == STELE_OK && found) {
        rc = sti_docs_entry_hash(entry, hash, c->err);
    }
    *known = rc == STELE_OK && found && memcmp(hash, here, sizeof hash) == 0;
    stele_buf_free(&key);
    return rc;
}

stele_code sti_fleet_accept(struct sti_fleet_core *c, struct sti_fleet_peer *p, stele_bytes entry,
        bool snapshot, bool *is_new)
{
    struct sti_docs_entry e;
    bool known = false;
    stele_code rc;

    if (sti_docs_entry_decode(&e, entry, NULL) != STELE_OK) {
        c->counters.bad_entries++;
        return STELE_OK;
    }
    if (is_ahead(c, e.version)) {
        return hold(c, p, e.version, entry);
    }
    if (!snapshot && sti_docs_version_compare(e.version, c->horizon) < 0) {
        c->counters.below_horizon++;
        return STELE_OK;
    }
    if (!sti_fleet_has_room(c)) {
        c->counters.dropped++;
        return STELE_OK;
    }
    rc = is_known(c, &e, &known);
    if (rc == STELE_OK && !known && !STI_FLEET_MUTANT(STORES_LOST)) {
        rc = sti_fleet_entries_add(entry, &c->batch, c->err);
        if (rc == STELE_OK && is_new != NULL) {
            *is_new = true;
        }
    }
    return rc;
}

/* ---- On their way. ---- */

static stele_code make_room(struct sti_fleet_core *c)
{
    size_t capacity = c->pending_capacity == 0 ? 16 : 2 * c->pending_capacity;
    struct sti_fleet_pending *pending;

    if (c->pending_count < c->pending_capacity) {
        return STELE_OK;
    }
    pending = sti_realloc(c->pending, capacity, sizeof *pending);
    if (pending == NULL) {
        return sti_fail_memory(c->err, capacity * sizeof *pending);
    }
    c->pending = pending;
    c->pending_capacity = capacity;
    return STELE_OK;
}

/* The effect gets a token, under which what becomes of it is known. */
static stele_code set_off(
        struct sti_fleet_core *c, struct sti_fleet_effect *effect, uint64_t client, size_t size)
{
    stele_code rc = make_room(c);

    effect->token = c->next_token;
    rc = rc == STELE_OK ? sti_fleet_do(c, effect) : rc;
    if (rc == STELE_OK) {
        c->pending[c->pending_count++] = (struct sti_fleet_pending){.token = c->next_token++,
                .client = client,
                .size = size,
                .is_change = effect->kind == STI_FLEET_DO_CHANGE};
    }
    return rc;
}

stele_code sti_fleet_flush(struct sti_fleet_core *c)
{
    struct sti_fleet_effect effect = {
            .kind = STI_FLEET_DO_STORE, .bytes = stele_buf_view(&c->batch)};
    stele_code rc;

    if (c->batch.len == 0 || c->pending_count >= STI_FLEET_PENDING_MAX) {
        return STELE_OK;
    }
    rc = set_off(c, &effect, 0, c->batch.len);
    if (rc == STELE_OK) {
        c->store_bytes += c->batch.len;
        stele_buf_clear(&c->batch);
    }
    return rc;
}

static stele_code acknowledge(struct sti_fleet_core *c, uint64_t client, stele_code code)
{
    struct sti_fleet_effect effect = {.kind = STI_FLEET_DO_ACK, .token = client, .code = code};

    return sti_fleet_do(c, &effect);
}

stele_code sti_fleet_on_client(struct sti_fleet_core *c)
{
    const struct sti_fleet_event *event = c->event;
    struct sti_fleet_effect effect = {.kind = STI_FLEET_DO_CHANGE,
            .id = event->id,
            .json = event->json,
            .is_delete = event->is_delete};

    if (c->pending_count >= STI_FLEET_PENDING_MAX) {
        return acknowledge(c, event->token, STELE_EBUSY);
    }
    if (STI_FLEET_MUTANT(ACK_EARLY)) {
        return acknowledge(c, event->token, STELE_OK);
    }
    return set_off(c, &effect, event->token, 0);
}

/* What was thought to be here is not: it has to be looked for again. */
static stele_code store_failed(struct sti_fleet_core *c)
{
    stele_code rc = STI_FLEET_MUTANT(GOOD_KEPT) ? STELE_OK : sti_fleet_forget_good(c);

    return rc == STELE_OK ? sti_fleet_do_tell(c, STI_FLEET_TOLD_FAILED, NULL,
                                    (struct sti_docs_version){.seconds = 0})
                          : rc;
}

stele_code sti_fleet_on_stored(struct sti_fleet_core *c)
{
    const struct sti_fleet_event *event = c->event;
    struct sti_fleet_pending done;
    size_t i = 0;
    stele_code rc;

    while (i < c->pending_count && c->pending[i].token != event->token) {
        i++;
    }
    if (i == c->pending_count) {
        return STELE_OK;
    }
    done = c->pending[i];
    rc = done.is_change ? acknowledge(c, done.client, event->code) : STELE_OK;
    if (rc != STELE_OK) {
        return rc; /* the event is to come again */
    }
    c->pending[i] = c->pending[--c->pending_count];
    c->store_bytes -= done.size;
    if (done.is_change) {
        return event->code == STELE_OK ? sti_fleet_push_own(c, event->bytes) : STELE_OK;
    }
    return event->code == STELE_OK ? STELE_OK : store_failed(c);
}
