/* SPDX-License-Identifier: MIT
 *
 * nodes.c: databases with nodes.
 */
#include "nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char type[] =
        "{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":\"binary\","
        "\"unique\":true}],\"version\":1}";

void nap(void)
{
    const struct timespec ms = {.tv_nsec = 2000000};

    (void)nanosleep(&ms, NULL);
}

static stele_bytes json_of(const char *text, char *out, size_t size)
{
    size_t len = strlen(text);

    assert_true(len < size);
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)(text[i] == '\'' ? '"' : text[i]);
    }
    return stele_bytes_of(out, len);
}

static stele_time wall(void *arg)
{
    struct one *o = arg;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (stele_time)now.tv_sec * 1000000 + now.tv_nsec / 1000 + atomic_load(&o->ahead_us);
}

static uint64_t monotonic(void *arg)
{
    struct timespec now;

    (void)arg;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void hear(void *arg, const stele_node_event *event)
{
    struct one *o = arg;

    atomic_fetch_add(&o->events[event->kind], 1);
    if (event->kind == STELE_NODE_EV_DAMAGED && event->code != STELE_OK) {
        atomic_fetch_add(&o->damaged_for_good, 1);
    }
}

/* ---- Beginning and end. ---- */

/* With STELE_LOG what the library says of itself is printed. */
static void print_log(void *arg, stele_log_level level, const char *message)
{
    const struct one *o = arg;

    (void)fprintf(stderr, "%s: %d: %s\n", o->name, (int)level, message);
}

int fleet_set_up(void **state)
{
    struct fleet *f = calloc(1, sizeof *f);
    stele_error err;

    assert_non_null(f);
    CHECK_OK(stele_fleet_hub_new(&f->hub, &err), &err);
    for (int i = 0; i < NODES; i++) {
        struct one *o = &f->list[i];

        (void)snprintf(o->name, sizeof o->name, "n%d", i);
        tmpdir_make(&o->tmp);
        stele_env_init(&o->env);
        o->env.wall_clock = wall;
        o->env.monotonic_ns = monotonic;
        o->env.arg = o;
        o->env.log = getenv("STELE_LOG") == NULL ? NULL : print_log;
    }
    *state = f;
    return 0;
}

int fleet_tear_down(void **state)
{
    struct fleet *f = *state;

    for (int i = 0; i < NODES; i++) {
        one_close(&f->list[i]);
        tmpdir_remove(&f->list[i].tmp);
    }
    stele_fleet_hub_free(f->hub);
    free(f);
    return 0;
}

void one_open_db(struct fleet *f, int i)
{
    struct one *o = &f->list[i];
    stele_docs_options options;
    stele_error err;

    stele_docs_options_init(&options);
    options.env = &o->env;
    options.not_durable = !o->durable;
    CHECK_OK(stele_docs_open(&o->db, o->tmp.path, &options, &err), &err);
    CHECK_OK(stele_docs_register(o->db, stele_str(type), &err), &err);
}

void one_join(struct fleet *f, int i)
{
    struct one *o = &f->list[i];
    stele_node_options options;
    stele_error err;

    stele_node_options_init(&options);
    options.event = hear;
    options.arg = o;
    options.look_ms = 20;
    options.lone_ms = 200;
    options.retention_s = o->retention_s;
    options.check_ms = o->check_ms;
    options.queue_max = o->queue_max;
    CHECK_OK(stele_fleet_hub_join(f->hub, o->name, &o->transport, &err), &err);
    CHECK_OK(stele_node_open(&o->node, o->db, o->transport, &options, &err), &err);
}

void one_open(struct fleet *f, int i)
{
    one_open_db(f, i);
    one_join(f, i);
}

void one_leave(struct one *o)
{
    stele_node_close(o->node);
    stele_fleet_close(o->transport);
    o->node = NULL;
    o->transport = NULL;
}

void one_close(struct one *o)
{
    stele_error err;

    one_leave(o);
    if (o->db != NULL) {
        CHECK_OK(stele_docs_validate(o->db, NULL, NULL, NULL, &err), &err);
    }
    CHECK_OK(stele_docs_close(o->db, &err), &err);
    o->db = NULL;
}

/* ---- Documents. ---- */

stele_code one_try_set(struct one *o, const char *id, const char *json)
{
    char text[256];

    return stele_docs_set(o->db, stele_str(id), json_of(json, text, sizeof text), NULL, NULL);
}

void one_set(struct one *o, const char *id, const char *json)
{
    CHECK_CODE(one_try_set(o, id, json), STELE_OK);
}

void one_delete(struct one *o, const char *id)
{
    stele_error err;

    CHECK_OK(stele_docs_delete(o->db, stele_str(id), NULL, &err), &err);
}

static bool has(struct one *o, const char *id, const char *json)
{
    char text[256];
    stele_buf out;
    stele_code rc;
    bool same;

    stele_buf_init(&out, SIZE_MAX);
    rc = stele_docs_get(o->db, stele_str(id), &out, NULL);
    assert_true(rc == STELE_OK || rc == STELE_ENOTFOUND);
    same = rc == STELE_OK ? json != NULL && stele_bytes_equal(stele_buf_view(&out),
                                                    json_of(json, text, sizeof text))
                          : json == NULL;
    stele_buf_free(&out);
    return same;
}

void one_await(struct one *o, const char *id, const char *json)
{
    while (!has(o, id, json)) {
        nap();
    }
}

void one_await_event(struct one *o, stele_node_event_kind kind)
{
    while (atomic_load(&o->events[kind]) == 0) {
        nap();
    }
}

stele_node_status one_status(struct one *o)
{
    stele_node_status status;
    stele_error err;

    CHECK_OK(stele_node_get_status(o->node, &status, &err), &err);
    return status;
}

struct seeking {
    const char *name;
    stele_node_peer found;
};

static void seek(void *arg, const stele_node_peer *peer)
{
    struct seeking *s = arg;

    if (strcmp(peer->name, s->name) == 0) {
        s->found = *peer;
        s->found.name = s->name;
    }
}

stele_node_peer one_peer(struct one *o, const char *name)
{
    struct seeking s = {.name = name};
    stele_error err;

    CHECK_OK(stele_node_peers(o->node, seek, &s, &err), &err);
    return s.found;
}

/* ---- Comparing. ---- */

static void put(stele_buf *out, stele_bytes bytes)
{
    CHECK_OK(stele_buf_append(out, bytes, NULL), NULL);
    CHECK_OK(stele_buf_append(out, stele_str("\n"), NULL), NULL);
}

static stele_code put_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    (void)err;
    put(arg, entry->log_id);
    put(arg, entry->json);
    return STELE_OK;
}

static stele_code put_day(void *arg, const stele_docs_checkpoint *day, stele_error *err)
{
    (void)err;
    put(arg, stele_bytes_of(day->encoded, sizeof day->encoded));
    return STELE_OK;
}

static stele_code put_conflict(void *arg, const stele_docs_conflict *c, stele_error *err)
{
    (void)err;
    put(arg, stele_str(c->type));
    put(arg, stele_str(c->key));
    put(arg, c->owner);
    put(arg, c->id);
    return STELE_OK;
}

/* What is damaged cannot be read: it is equal to nothing. */
static bool is_damage(stele_code rc, stele_buf *out)
{
    bool is = rc == STELE_ECORRUPT || rc == STELE_EVERSION;

    if (is) {
        put(out, stele_str("damaged"));
    }
    return is;
}

static void put_log(struct one *o, stele_buf *out)
{
    stele_error err;
    stele_code rc = stele_docs_log(o->db, stele_nil(), put_entry, out, &err);

    if (!is_damage(rc, out)) {
        CHECK_OK(rc, &err);
    }
}

/* Documents, with what a search finds of a type, and conflicts. */
static void put_documents(struct one *o, stele_buf *out)
{
    stele_docs_search search;
    stele_docs_iter *it = NULL;
    stele_bytes id;
    stele_bytes json;
    stele_error err;
    stele_code rc;

    CHECK_OK(stele_docs_range(&it, o->db, stele_nil(), stele_nil(), false, &err), &err);
    while ((rc = stele_docs_iter_next(it, &id, &json, &err)) == STELE_OK) {
        put(out, id);
        put(out, json);
    }
    stele_docs_iter_end(it);
    stele_docs_search_init(&search);
    search.type = "t";
    search.key = "u";
    search.bound_field = "u";
    search.low = stele_str("0");
    if (is_damage(rc, out)) {
        return;
    }
    CHECK_OK(stele_docs_search_begin(&it, o->db, &search, &err), &err);
    while ((rc = stele_docs_iter_next(it, &id, NULL, &err)) == STELE_OK) {
        put(out, id);
    }
    stele_docs_iter_end(it);
    if (!is_damage(rc, out)) {
        rc = stele_docs_conflicts(o->db, put_conflict, out, &err);
    }
    if (!is_damage(rc, out)) {
        CHECK_OK(rc, &err);
    }
}

/* With log and days. */
static void put_all(struct one *o, stele_buf *out)
{
    stele_error err;
    stele_code rc;

    put_log(o, out);
    put_documents(o, out);
    rc = stele_docs_checkpoints(o->db, put_day, out, &err);
    if (!is_damage(rc, out)) {
        CHECK_OK(rc, &err);
    }
}

static bool same(struct fleet *f, int count, void (*put_one)(struct one *o, stele_buf *out))
{
    stele_buf first;
    stele_buf other;
    bool equal = true;

    stele_buf_init(&first, SIZE_MAX);
    stele_buf_init(&other, SIZE_MAX);
    put_one(&f->list[0], &first);
    for (int i = 1; i < count && equal; i++) {
        stele_buf_clear(&other);
        put_one(&f->list[i], &other);
        equal = stele_bytes_equal(stele_buf_view(&first), stele_buf_view(&other));
    }
    stele_buf_free(&first);
    stele_buf_free(&other);
    return equal;
}

void fleet_await_equal(struct fleet *f, int count)
{
    while (!same(f, count, put_log)) {
        nap();
    }
    assert_true(same(f, count, put_all));
}

bool fleet_is_equal(struct fleet *f, int count)
{
    return same(f, count, put_log) && same(f, count, put_all);
}

void fleet_await_same_documents(struct fleet *f, int count)
{
    while (!same(f, count, put_documents)) {
        nap();
    }
}
