/* SPDX-License-Identifier: MIT
 *
 * fuzz_fleet_node.c: a core over a database, as a node has it, and a peer that says anything.
 *
 * The input is steps: a byte says what, two give the length of what follows, little endian.
 *     0 some time passes: that many milliseconds
 *     1 a message, 2 one that waits for an answer, 3 the answer to what was asked last
 *     4 an entry of a peer, given to the database as it is
 *     5 a range of the log: what its keys add up to is what the sums say
 * What the core wants stored is stored. At the end everything in the database fits together.
 */
#include "docs/state.h"
#include "fleet/node.h"
#include "fuzz.h"

#include <ftw.h>
#include <string.h>
#include <unistd.h>

#define WALL INT64_C(1800000000)
#define MS   INT64_C(1000000)

enum {
    STEPS_MAX = 64,
    KINDS = 6,
    STORES_MAX = 16,
    PLACE_MIN = 8 /* bytes of a bound at least */
};

static stele_time wall(void *arg)
{
    (void)arg;
    return WALL * 1000000;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

/* ---- The node, without threads. ---- */

struct node {
    stele_node n; /* its database and view alone */
    int64_t now_ns;
    uint64_t asked;
    uint64_t tokens[STORES_MAX]; /* of what is to be stored */
    stele_buf stores[STORES_MAX];
    size_t store_count;
};

static void note_store(struct node *node, const struct sti_fleet_effect *e)
{
    stele_buf *buf = &node->stores[node->store_count];

    fuzz_require(node->store_count < STORES_MAX);
    stele_buf_init(buf, SIZE_MAX);
    fuzz_require(stele_buf_append(buf, e->bytes, NULL) == STELE_OK);
    node->tokens[node->store_count++] = e->token;
}

static void step_once(struct node *node, struct sti_fleet_event event)
{
    struct sti_fleet_effects effects = {.count = 0};

    event.now_ns = node->now_ns;
    event.wall = (struct sti_docs_time){.seconds = WALL + node->now_ns / (1000 * MS)};
    event.random = (uint64_t)node->now_ns * 7 + 1;
    fuzz_require(sti_fleet_step(node->n.core, &event, &effects, NULL) == STELE_OK);
    sti_docs_view_end(&node->n.view);
    for (size_t i = 0; i < effects.count; i++) {
        const struct sti_fleet_effect *e = &effects.list[i];

        if (e->kind == STI_FLEET_DO_SEND || e->kind == STI_FLEET_DO_REQUEST) {
            fuzz_require(strcmp(e->peer, "p") == 0);
        }
        if (e->kind == STI_FLEET_DO_REQUEST) {
            node->asked = e->token;
        } else if (e->kind == STI_FLEET_DO_STORE) {
            note_store(node, e);
        }
    }
    sti_fleet_effects_free(&effects);
}

static void store(struct node *node)
{
    stele_buf sized = node->stores[--node->store_count];
    struct sti_fleet_event stored = {
            .kind = STI_FLEET_EV_STORED, .token = node->tokens[node->store_count]};
    struct sti_fleet_reader r = sti_fleet_reader_of(stele_buf_view(&sized));
    struct sti_docs_taken taken;

    while (r.rest.len > 0) {
        stele_bytes entry = sti_fleet_read_sized(&r);

        fuzz_require(!r.bad);
        fuzz_require(
                sti_docs_peer_apply(node->n.db, &entry, 1, &taken, NULL, NULL, NULL) == STELE_OK);
        fuzz_require(taken.refused == 0);
    }
    stele_buf_free(&sized);
    step_once(node, stored);
}

/* A step, and all that comes of it. */
static void step(struct node *node, struct sti_fleet_event event)
{
    step_once(node, event);
    while (node->store_count > 0) {
        store(node);
    }
}

/* ---- Ranges. ---- */

static stele_code add_key(
        void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    (void)key;
    (void)err;
    sti_docs_aggregate_add_hash(arg, hash);
    return STELE_OK;
}

static void check_range(struct node *node, const uint8_t *bytes, size_t len)
{
    struct sti_docs_aggregate sum = {.count = 0};
    struct sti_docs_aggregate keys = {.count = 0};
    struct sti_docs_view view;
    size_t low = len / 2;
    stele_bytes high = len - low < PLACE_MIN ? stele_nil() : stele_bytes_of(bytes + low, len - low);

    if (low < PLACE_MIN || bytes[0] > 0x7f || (high.len > 0 && high.data[0] > 0x7f)) {
        return;
    }
    fuzz_require(sti_docs_view_begin(&view, node->n.db, NULL) == STELE_OK);
    fuzz_require(
            sti_docs_view_sum(&view, stele_bytes_of(bytes, low), high, &sum, NULL) == STELE_OK);
    fuzz_require(sti_docs_view_keys(&view, stele_bytes_of(bytes, low), high, add_key, &keys,
                         NULL) == STELE_OK);
    fuzz_require(sti_docs_aggregate_equal(&sum, &keys));
    sti_docs_view_end(&view);
}

/* ---- A run. ---- */

static void one_step(struct node *node, struct fuzz_input *in)
{
    unsigned what = fuzz_byte(in) % KINDS;
    unsigned wanted = fuzz_u16(in);
    struct sti_docs_taken taken;
    size_t len = 0;
    uint8_t *bytes;
    stele_bytes view;

    if (what == 0) {
        node->now_ns += (int64_t)wanted * MS;
        step(node, (struct sti_fleet_event){.kind = STI_FLEET_EV_TICK});
        return;
    }
    bytes = fuzz_bytes(in, wanted, &len);
    view = stele_bytes_of(bytes, len);
    if (what == 1 || what == 2) {
        step(node, (struct sti_fleet_event){.kind = STI_FLEET_EV_MESSAGE,
                           .peer = "p",
                           .token = what == 2,
                           .bytes = view});
    } else if (what == 3 && node->asked != 0) {
        step(node, (struct sti_fleet_event){
                           .kind = STI_FLEET_EV_REPLY, .token = node->asked, .bytes = view});
    } else if (what == 4) {
        fuzz_require(
                sti_docs_peer_apply(node->n.db, &view, 1, &taken, NULL, NULL, NULL) == STELE_OK);
    } else if (what == 5) {
        check_range(node, bytes, len);
    }
    free(bytes);
}

static void run(stele_docs *db, struct fuzz_input *in)
{
    struct node node = {.n = {.db = db}};
    struct sti_fleet_core_config config = {.self = "n", .boot = 5, .server = 1};

    config.storage = sti_node_storage(&node.n);
    fuzz_require(sti_fleet_core_new(&node.n.core, &config, NULL) == STELE_OK);
    step(&node, (struct sti_fleet_event){.kind = STI_FLEET_EV_UP, .peer = "p"});
    for (int i = 0; i < STEPS_MAX && in->size > 0; i++) {
        one_step(&node, in);
    }
    sti_fleet_core_free(node.n.core);
    fuzz_require(stele_docs_validate(db, NULL, NULL, NULL, NULL) == STELE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char definition[] =
            "{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":\"binary\","
            "\"unique\":true}],\"version\":1}";
    char in_memory[] = "/dev/shm/fuzz_fleet_node.XXXXXX";
    char on_disk[] = "/tmp/fuzz_fleet_node.XXXXXX";
    const char *dir = mkdtemp(in_memory);
    struct fuzz_input in = {data, size};
    stele_docs_options options;
    stele_docs *db = NULL;
    stele_env env;

    stele_env_init(&env);
    env.wall_clock = wall;
    stele_docs_options_init(&options);
    options.env = &env;
    options.not_durable = true;
    options.no_background = true;
    dir = dir != NULL ? dir : mkdtemp(on_disk);
    fuzz_require(dir != NULL);
    fuzz_require(stele_docs_open(&db, dir, &options, NULL) == STELE_OK);
    fuzz_require(stele_docs_register(db, stele_str(definition), NULL) == STELE_OK);
    fuzz_require(stele_docs_set(db, stele_str("a"), stele_str("{\"@type\":\"t\",\"u\":1}"), NULL,
                         NULL) == STELE_OK);
    fuzz_require(
            stele_docs_set(db, stele_str("b"), stele_str("{\"n\":2}"), NULL, NULL) == STELE_OK);
    run(db, &in);
    fuzz_require(stele_docs_close(db, NULL) == STELE_OK);
    fuzz_require(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
    return 0;
}
