/* SPDX-License-Identifier: MIT
 *
 * record_test.c: the recorder is a transport like any other, and shows each packet.
 */
#include "lib/check.h"
#include "lib/fleet_suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LINES = 16,
    LINE_SIZE = 160
};

static void count_packet(void *arg, const stele_fleet_packet *packet)
{
    (void)packet;
    __atomic_add_fetch((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

/* ---- The suite: recorders around a loopback fleet. ---- */

struct state {
    stele_fleet_hub *hub;
    stele_fleet *inner[FLEET_SUITE_PEERS];
    size_t count;
    unsigned packets;
};

static void *begin(void)
{
    struct state *s = calloc(1, sizeof *s);

    assert_non_null(s);
    CHECK_OK(stele_fleet_hub_new(&s->hub, NULL), NULL);
    return s;
}

static stele_fleet *join(void *state, const char *name)
{
    struct state *s = state;
    stele_fleet *f = NULL;

    CHECK_OK(stele_fleet_hub_join(s->hub, name, &s->inner[s->count], NULL), NULL);
    CHECK_OK(stele_fleet_record(&f, s->inner[s->count], count_packet, &s->packets, NULL), NULL);
    s->count++;
    return f;
}

static void end(void *state)
{
    struct state *s = state;

    assert_true(s->packets > 0 || s->count == 0);
    for (size_t i = 0; i < s->count; i++) {
        stele_fleet_close(s->inner[i]);
    }
    stele_fleet_hub_free(s->hub);
    free(s);
}

/* ---- What it shows. ---- */

struct shown {
    pthread_mutex_t lock;
    char lines[LINES][LINE_SIZE];
    size_t count;
};

static void note(void *arg, const stele_fleet_packet *p)
{
    static const char *const events[] = {"sends", "answered", "received", "replied"};
    static const char *const calls[] = {"all", "broadcast", "request", "send"};
    struct shown *s = arg;

    pthread_mutex_lock(&s->lock);
    assert_true(s->count < LINES);
    (void)snprintf(s->lines[s->count++], LINE_SIZE, "%s %s %s %s '%.*s'", events[p->event],
            p->event <= STELE_FLEET_ANSWERED ? calls[p->call] : "-",
            p->peer == NULL ? "*" : p->peer, stele_code_name(p->code), (int)p->data.len,
            p->data.len == 0 ? "" : (const char *)p->data.data);
    pthread_mutex_unlock(&s->lock);
}

static stele_code upper(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    (void)arg;
    (void)from;
    if (data.data[0] == 'f') {
        return STELE_ECORRUPT;
    }
    return stele_buf_append(reply, stele_str("UPPER"), err);
}

static void ignore(void *arg, const char *peer, stele_code code, stele_bytes reply)
{
    (void)arg;
    (void)peer;
    (void)code;
    (void)reply;
}

static void check_lines(struct shown *s, const char *const *expected, size_t count)
{
    assert_int_equal(s->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(s->lines[i], expected[i]);
    }
}

static void test_shows(void **state)
{
    static const char *const of_a[] = {"sends request b STELE_OK 'x'",
            "answered request b STELE_OK 'UPPER'", "sends request b STELE_OK 'f'",
            "answered request b STELE_EPEER ''", "sends all * STELE_OK 'y'",
            "answered all b STELE_OK 'UPPER'", "sends send nobody STELE_OK 'z'",
            "sends broadcast * STELE_OK 'w'"};
    static const char *const of_b[] = {"received - a STELE_OK 'x'", "replied - a STELE_OK 'UPPER'",
            "received - a STELE_OK 'f'", "replied - a STELE_ECORRUPT ''",
            "received - a STELE_OK 'y'", "replied - a STELE_OK 'UPPER'"};
    struct shown shown[2] = {
            {.lock = PTHREAD_MUTEX_INITIALIZER}, {.lock = PTHREAD_MUTEX_INITIALIZER}};
    stele_fleet_hub *hub = NULL;
    stele_fleet *inner[2];
    stele_fleet *f[2];
    stele_buf reply;

    (void)state;
    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(stele_fleet_hub_new(&hub, NULL), NULL);
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(stele_fleet_hub_join(hub, i == 0 ? "a" : "b", &inner[i], NULL), NULL);
        CHECK_OK(stele_fleet_record(&f[i], inner[i], note, &shown[i], NULL), NULL);
    }
    CHECK_OK(f[1]->ops->connect(f[1], upper, NULL, NULL), NULL);
    CHECK_OK(f[0]->ops->request(f[0], "b", stele_str("x"), NULL, &reply, NULL), NULL);
    CHECK_CODE(f[0]->ops->request(f[0], "b", stele_str("f"), NULL, &reply, NULL), STELE_EPEER);
    CHECK_OK(f[0]->ops->all(f[0], stele_str("y"), NULL, ignore, NULL, NULL), NULL);
    CHECK_CODE(f[0]->ops->send(f[0], "nobody", stele_str("z"), NULL), STELE_ENOPEER);
    CHECK_OK(f[1]->ops->connect(f[1], NULL, NULL, NULL), NULL);
    CHECK_OK(f[0]->ops->broadcast(f[0], stele_str("w"), NULL), NULL);
    stele_buf_free(&reply);
    check_lines(&shown[0], of_a, sizeof of_a / sizeof of_a[0]);
    check_lines(&shown[1], of_b, sizeof of_b / sizeof of_b[0]);
    for (size_t i = 0; i < 2; i++) {
        stele_fleet_close(f[i]);
        stele_fleet_close(inner[i]);
    }
    stele_fleet_hub_free(hub);
}

static void test_misuse(void **state)
{
    stele_fleet *f = NULL;
    stele_fleet some = {NULL};

    (void)state;
    CHECK_CODE(stele_fleet_record(&f, NULL, note, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_fleet_record(&f, &some, NULL, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_fleet_record(NULL, &some, note, NULL, NULL), STELE_EINVAL);
}

int main(void)
{
    const struct fleet_suite_factory factory = {
            .name = "recorder", .begin = begin, .join = join, .end = end};
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_shows),
            cmocka_unit_test(test_misuse),
    };
    int failed = fleet_suite_run(&factory);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
