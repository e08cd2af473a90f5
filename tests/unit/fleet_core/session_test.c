/* SPDX-License-Identifier: MIT
 *
 * session_test.c: the recorded session of two peers of the reference, with a core in the place of
 * one and then of the other: what that one sent there is what the core sends.
 */
#include "fleet/packet.h"
#include "fleet/reference.h"
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define SESSION STELE_TESTS_DIR "/vectors/clouddb/packets/session.jsonl"

enum {
    LINE_SIZE = 1 << 16,
    LINES_MAX = 64,
    SENT_MAX = 256
};

struct line {
    bool is_mark;
    char from[16];
    char method[16];
    bool has_response;
    stele_bytes data;
    stele_bytes response;
};

struct sent {
    bool used;
    enum sti_fleet_effect_kind kind;
    uint64_t token;
    stele_bytes bytes;
};

struct replay {
    struct kit k;
    struct line lines[LINES_MAX];
    size_t line_count;
    struct sent sent[SENT_MAX];
    size_t sent_count;
    const char *self;
    const char *peer;
    unsigned spared; /* questions whose answer was there already */
};

static stele_bytes copy_of(stele_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len + 1);

    assert_non_null(copy);
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return stele_bytes_of(copy, bytes.len);
}

static stele_bytes from_hex(const char *hex)
{
    size_t len = hex == NULL ? 0 : strlen(hex) / 2;
    uint8_t *out = malloc(len + 1);

    assert_non_null(out);
    for (size_t i = 0; i < len; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], 0};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return stele_bytes_of(out, len);
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text == NULL ? "" : text;
}

static void load(struct replay *r)
{
    static char text[LINE_SIZE];
    FILE *f = fopen(SESSION, "r");

    assert_non_null(f);
    while (fgets(text, sizeof text, f) != NULL) {
        json_t *json = json_loads(text, 0, NULL);
        struct line *l = &r->lines[r->line_count++];

        assert_true(r->line_count <= LINES_MAX);
        l->is_mark = json_object_get(json, "mark") != NULL;
        (void)snprintf(l->from, sizeof l->from, "%s", text_of(json, "from"));
        (void)snprintf(l->method, sizeof l->method, "%s", text_of(json, "method"));
        l->has_response = json_object_get(json, "response") != NULL;
        l->data = from_hex(text_of(json, "data"));
        l->response = from_hex(text_of(json, "response"));
        json_decref(json);
    }
    (void)fclose(f);
}

static void free_bytes(stele_bytes bytes)
{
    free((uint8_t *)(uintptr_t)bytes.data);
}

static void unload(struct replay *r)
{
    for (size_t i = 0; i < r->line_count; i++) {
        free_bytes(r->lines[i].data);
        free_bytes(r->lines[i].response);
    }
    for (size_t i = 0; i < r->sent_count; i++) {
        free_bytes(r->sent[i].bytes);
    }
    kit_free(&r->k);
}

/* ---- What the core does. ---- */

static void note_sent(struct replay *r)
{
    for (size_t i = 0; i < r->k.done.count; i++) {
        const struct sti_fleet_effect *e = &r->k.done.list[i];

        if (e->kind <= STI_FLEET_DO_REPLY && e->bytes.len > 0) {
            assert_true(r->sent_count < SENT_MAX);
            r->sent[r->sent_count++] =
                    (struct sent){.kind = e->kind, .token = e->token, .bytes = copy_of(e->bytes)};
        }
    }
}

/* With the stores that it wants done. */
static void settle(struct replay *r)
{
    note_sent(r);
    while (kit_effect(&r->k, STI_FLEET_DO_STORE, 0) != NULL) {
        kit_store(&r->k);
        note_sent(r);
    }
}

static struct sent *find_sent(struct replay *r, enum sti_fleet_effect_kind kind, stele_bytes bytes)
{
    for (size_t i = 0; i < r->sent_count; i++) {
        struct sent *s = &r->sent[i];

        if (!s->used && s->kind == kind && stele_bytes_equal(s->bytes, bytes)) {
            s->used = true;
            return s;
        }
    }
    return NULL;
}

static void meet_reference(struct replay *r)
{
    const struct sti_fleet_effect *e;

    kit_up(&r->k, r->peer);
    e = kit_packet(&r->k, STI_FLEET_PKT_HELLO);
    assert_non_null(e);
    kit_reply(&r->k, e->token, STELE_OK, stele_nil());
    settle(r);
}

/* ---- Line by line. ---- */

/* What the peer said comes to the core; what it waits for, it gets as it was. */
static void from_peer(struct replay *r, const struct line *l)
{
    bool waits = strcmp(l->method, "Request") == 0;
    const struct sti_fleet_effect *e;

    kit_message(&r->k, r->peer, waits ? 99 : 0, l->data);
    if (waits) {
        e = kit_effect(&r->k, STI_FLEET_DO_REPLY, 0);
        assert_non_null(e);
        assert_int_equal(e->code, STELE_OK);
        CHECK_BYTES(e->bytes, l->response);
    }
    settle(r);
}

/* The core has sent what the one did in whose place it is, and gets the same answer. */
static void from_self(struct replay *r, const struct line *l)
{
    uint8_t kind = l->data.data[0];
    struct sent *s;

    if (kind == STELE_FLEET_PKT_LOG_PUSH) {
        kit_change(&r->k, stele_bytes_of(l->data.data + 1, l->data.len - 1));
        settle(r);
        if (sti_fleet_core_peer_count(r->k.core) > 0) {
            assert_non_null(find_sent(r, STI_FLEET_DO_SEND, l->data));
        }
        return;
    }
    if (kind == STELE_FLEET_PKT_GET_INFO && l->data.len > 1) {
        return; /* by the clock */
    }
    s = find_sent(r, strcmp(l->method, "Request") == 0 ? STI_FLEET_DO_REQUEST : STI_FLEET_DO_SEND,
            l->data);
    if (s == NULL && kind == STELE_FLEET_PKT_GET_LOG_IDS) {
        r->spared++;
        return;
    }
    assert_non_null(s);
    if (l->has_response) {
        kit_reply(&r->k, s->token, STELE_OK, l->response);
        settle(r);
    }
}

/* Nobody is there before peer-b joins; which was asked for its info by then. */
static void run(struct replay *r, const char *self, const char *peer, bool is_first)
{
    size_t marks = 0;

    r->self = self;
    r->peer = peer;
    load(r);
    kit_init(&r->k, self);
    kit_start(&r->k);
    for (size_t i = 0; i < r->line_count; i++) {
        const struct line *l = &r->lines[i];

        if (l->is_mark) {
            if (marks++ == 0) {
                meet_reference(r);
            }
        } else if (marks == 0) {
            if (is_first && l->data.data[0] == STELE_FLEET_PKT_LOG_PUSH) {
                from_self(r, l);
            }
        } else if (strcmp(l->from, self) == 0) {
            from_self(r, l);
        } else {
            from_peer(r, l);
        }
    }
}

static void test_as_a(void **state)
{
    struct replay *r = calloc(1, sizeof *r);

    (void)state;
    assert_non_null(r);
    run(r, "peer-a", "peer-b", true);
    assert_int_equal(r->k.log.count, 8);
    assert_int_equal(r->spared, 0);
    assert_non_null(find_sent(r, STI_FLEET_DO_SEND, stele_bytes_of("\0peer-a", 7)));
    unload(r);
    free(r);
}

static void test_as_b(void **state)
{
    struct replay *r = calloc(1, sizeof *r);

    (void)state;
    assert_non_null(r);
    run(r, "peer-b", "peer-a", false);
    assert_int_equal(r->k.log.count, 8);
    /* The reference has not stored what it fetched when it compares, and asks again. */
    assert_int_equal(r->spared, 1);
    assert_non_null(find_sent(r, STI_FLEET_DO_SEND, stele_bytes_of("\0peer-b", 7)));
    unload(r);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_as_a),
            cmocka_unit_test(test_as_b),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
