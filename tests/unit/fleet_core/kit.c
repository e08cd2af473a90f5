/* SPDX-License-Identifier: MIT
 *
 * kit.c: one core, and what it did last.
 */
#include "kit.h"

#include "base/alloc.h"
#include "fleet/packet.h"

#include <stdlib.h>

/* What has to be there. */
static const struct sti_fleet_effect *must(const struct sti_fleet_effect *e)
{
    if (e == NULL) {
        print_error("the core did not do what it should\n");
        abort();
    }
    return e;
}

/* ---- Storage. ---- */

static stele_code find(
        void *arg, stele_bytes key, uint8_t hash[STI_DOCS_HASH_SIZE], bool *found, stele_error *err)
{
    const struct fleet_item *item = fleet_memory_find(arg, key);

    (void)err;
    *found = item != NULL;
    if (item != NULL) {
        memcpy(hash, item->hash, STI_DOCS_HASH_SIZE);
    }
    return STELE_OK;
}

static stele_code read_entry(void *arg, stele_bytes key, stele_buf *out, stele_error *err)
{
    const struct fleet_item *item = fleet_memory_find(arg, key);

    return item == NULL ? STELE_ENOTFOUND
                        : stele_buf_append(out, stele_bytes_of(item->bytes, item->len), err);
}

static stele_code checkpoints(
        void *arg, sti_fleet_checkpoint_fn each, void *each_arg, stele_error *err)
{
    struct fleet_memory *log = arg;
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

/* Every entry counts here; IDs are in the order of the log. */
static stele_code kept(
        void *arg, stele_bytes after, sti_fleet_kept_fn each, void *each_arg, stele_error *err)
{
    struct fleet_memory *log = arg;
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < log->count; i++) {
        struct sti_docs_entry e;

        CHECK_OK(sti_docs_entry_decode(
                         &e, stele_bytes_of(log->items[i].bytes, log->items[i].len), NULL),
                NULL);
        if (stele_bytes_compare(e.id, after) > 0) {
            rc = each(each_arg, e.id, stele_bytes_of(log->items[i].bytes, log->items[i].len), err);
        }
    }
    return rc == STELE_END ? STELE_OK : rc;
}

/* ---- The core. ---- */

void kit_init(struct kit *k, const char *self)
{
    *k = (struct kit){.wall = KIT_WALL, .random = 77};
    k->config = (struct sti_fleet_core_config){.self = self,
            .boot = 1000,
            .server = 1,
            .collation = stele_str("icu"),
            .storage = {.set = {&fleet_memory_set, &k->log},
                    .find = find,
                    .read = read_entry,
                    .checkpoints = checkpoints,
                    .kept = kept}};
}

void kit_start(struct kit *k)
{
    stele_error err;

    CHECK_OK(sti_fleet_core_new(&k->core, &k->config, &err), &err);
    kit_tick(k, 0);
}

void kit_free(struct kit *k)
{
    sti_fleet_core_free(k->core);
    sti_fleet_effects_free(&k->done);
    fleet_memory_free(&k->log);
}

static bool fails(void *arg)
{
    uint64_t *left = arg;

    return (*left)-- == 0;
}

/* Of a forgetful core, one of the first allocations fails. */
static stele_code step(struct kit *k, const struct sti_fleet_event *event, stele_error *err)
{
    uint64_t left = k->random * UINT64_C(0x9e3779b97f4a7c15) >> 59;
    stele_code rc;

    k->random++;
    if (k->forgetful) {
        sti_alloc_set_hook(fails, &left);
    }
    rc = sti_fleet_step(k->core, event, &k->done, err);
    sti_alloc_set_hook(NULL, NULL);
    k->forgotten += rc == STELE_ENOMEM;
    return rc;
}

void kit_event(struct kit *k, struct sti_fleet_event event)
{
    stele_error err;
    stele_code rc;

    sti_fleet_effects_clear(&k->done);
    event.now_ns = k->now_ns;
    event.wall = (struct sti_docs_time){
            .seconds = k->wall + k->now_ns / KIT_S, .ns = (uint32_t)(k->now_ns % KIT_S)};
    event.random = k->random++;
    rc = step(k, &event, &err);
    while (rc == STELE_ENOMEM && k->forgetful && event.kind == STI_FLEET_EV_STORED) {
        rc = step(k, &event, &err);
    }
    if (rc != STELE_ENOMEM || !k->forgetful) {
        CHECK_OK(rc, &err);
    }
}

void kit_up(struct kit *k, const char *peer)
{
    kit_event(k, (struct sti_fleet_event){.kind = STI_FLEET_EV_UP, .peer = peer});
}

void kit_tick(struct kit *k, int64_t ns)
{
    k->now_ns += ns;
    kit_event(k, (struct sti_fleet_event){.kind = STI_FLEET_EV_TICK});
}

void kit_message(struct kit *k, const char *peer, uint64_t token, stele_bytes bytes)
{
    kit_event(
            k, (struct sti_fleet_event){
                       .kind = STI_FLEET_EV_MESSAGE, .peer = peer, .token = token, .bytes = bytes});
}

void kit_reply(struct kit *k, uint64_t token, stele_code code, stele_bytes bytes)
{
    kit_event(k, (struct sti_fleet_event){
                         .kind = STI_FLEET_EV_REPLY, .token = token, .code = code, .bytes = bytes});
}

const struct sti_fleet_effect *kit_effect(
        const struct kit *k, enum sti_fleet_effect_kind kind, size_t n)
{
    for (size_t i = 0; i < k->done.count; i++) {
        if (k->done.list[i].kind == kind && n-- == 0) {
            return &k->done.list[i];
        }
    }
    return NULL;
}

const struct sti_fleet_effect *kit_packet(const struct kit *k, uint8_t packet)
{
    for (size_t i = 0; i < k->done.count; i++) {
        const struct sti_fleet_effect *e = &k->done.list[i];

        if (e->kind <= STI_FLEET_DO_REPLY && e->bytes.len > 0 && e->bytes.data[0] == packet) {
            return e;
        }
    }
    return NULL;
}

bool kit_told(const struct kit *k, enum sti_fleet_told told)
{
    for (size_t i = 0; i < k->done.count; i++) {
        if (k->done.list[i].kind == STI_FLEET_DO_TELL && k->done.list[i].told == told) {
            return true;
        }
    }
    return false;
}

void kit_store(struct kit *k)
{
    const struct sti_fleet_effect *e = must(kit_effect(k, STI_FLEET_DO_STORE, 0));
    struct sti_fleet_reader r;
    uint64_t token;

    token = e->token;
    r = sti_fleet_reader_of(e->bytes);
    while (r.rest.len > 0) {
        (void)fleet_memory_add(&k->log, sti_fleet_read_sized(&r));
        assert_false(r.bad);
    }
    kit_event(k, (struct sti_fleet_event){.kind = STI_FLEET_EV_STORED, .token = token});
}

void kit_change(struct kit *k, stele_bytes entry)
{
    const struct sti_fleet_effect *e;
    struct sti_docs_entry decoded;

    CHECK_OK(sti_docs_entry_decode(&decoded, entry, NULL), NULL);
    kit_event(k, (struct sti_fleet_event){.kind = STI_FLEET_EV_CLIENT,
                         .token = 4242,
                         .id = decoded.id,
                         .json = decoded.json,
                         .is_delete = decoded.is_delete});
    e = must(kit_effect(k, STI_FLEET_DO_CHANGE, 0));
    CHECK_BYTES(e->id, decoded.id);
    assert_null(kit_effect(k, STI_FLEET_DO_ACK, 0));
    (void)fleet_memory_add(&k->log, entry);
    kit_event(k, (struct sti_fleet_event){
                         .kind = STI_FLEET_EV_STORED, .token = e->token, .bytes = entry});
}

/* ---- Entries, peers. ---- */

void kit_entry(stele_buf *out, int64_t seconds, uint32_t server, const char *id, const char *json)
{
    struct sti_docs_entry e = {.version = {.seconds = seconds, .server = server},
            .id = stele_str(id),
            .json = stele_str(json),
            .is_delete = json == NULL};

    CHECK_OK(sti_docs_entry_encode(&e, out, NULL), NULL);
}

void kit_hello(stele_buf *out, uint8_t kind, uint32_t server, uint64_t boot, uint64_t pushed,
        struct fleet_memory *log)
{
    struct sti_fleet_hello h = {.kind = kind,
            .lowest = STI_FLEET_VERSION,
            .highest = STI_FLEET_VERSION,
            .server = server,
            .boot = boot,
            .now = {.seconds = KIT_WALL},
            .pushed = pushed,
            .collation = stele_str("icu")};
    struct sti_fleet_bound low = sti_fleet_bound_first();
    struct sti_docs_aggregate sum;

    CHECK_OK(fleet_memory_set.sum(log, sti_fleet_bound_view(&low), stele_nil(), &sum, NULL), NULL);
    h.count = sum.count;
    CHECK_OK(sti_docs_aggregate_fingerprint(&sum, h.root, NULL), NULL);
    CHECK_OK(sti_fleet_hello_encode(&h, out, NULL), NULL);
}

void kit_meet(struct kit *k, const char *peer, uint64_t boot)
{
    const struct sti_fleet_effect *e;
    stele_buf hello;

    stele_buf_init(&hello, SIZE_MAX);
    kit_up(k, peer);
    e = must(kit_packet(k, STI_FLEET_PKT_HELLO));
    assert_int_equal(e->kind, STI_FLEET_DO_REQUEST);
    assert_string_equal(e->peer, peer);
    kit_hello(&hello, STI_FLEET_PKT_HELLO_REPLY, (uint32_t)boot, boot, 0, &k->log);
    kit_reply(k, e->token, STELE_OK, stele_buf_view(&hello));
    stele_buf_free(&hello);
}
