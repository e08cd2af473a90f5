/* SPDX-License-Identifier: MIT
 *
 * reference_test.c: every packet of a session between two peers of the reference is understood and
 * written again byte for byte; what is none is refused.
 */
#include "fleet/reference.h"

#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define SESSION STELE_TESTS_DIR "/vectors/clouddb/packets/session.jsonl"

enum {
    LINE_SIZE = 1 << 16,
    BYTES_SIZE = LINE_SIZE / 2
};

static stele_bytes hex_member(const json_t *line, const char *name, uint8_t out[BYTES_SIZE])
{
    const char *hex = json_string_value(json_object_get(line, name));
    size_t len;

    if (hex == NULL) {
        return stele_nil();
    }
    len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], 0};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return stele_bytes_of(out, len);
}

/* ---- Written again. ---- */

static void write_keys(struct sti_fleet_ref_packet *p, stele_buf *out)
{
    stele_bytes key;

    CHECK_OK(sti_fleet_ref_log_ids(p->name, out, NULL), NULL);
    while (sti_fleet_ref_next_key(p, &key) == STELE_OK) {
        struct sti_docs_version version;
        stele_bytes id;

        CHECK_OK(sti_docs_log_key_decode(&version, &id, key, NULL), NULL);
        CHECK_OK(sti_fleet_ref_add_key(key, out, NULL), NULL);
    }
}

static void write_info(struct sti_fleet_ref_packet *p, stele_buf *out)
{
    struct sti_docs_checkpoint checkpoint;

    CHECK_OK(sti_fleet_ref_info(p->name, out, NULL), NULL);
    while (sti_fleet_ref_next_checkpoint(p, &checkpoint, NULL) == STELE_OK) {
        CHECK_OK(sti_fleet_ref_add_checkpoint(&checkpoint, out, NULL), NULL);
    }
}

static void write_again(struct sti_fleet_ref_packet *p, stele_buf *out)
{
    stele_buf key;

    switch (p->kind) {
    case STELE_FLEET_PKT_GET_INFO:
        CHECK_OK(sti_fleet_ref_get_info(p->name, out, NULL), NULL);
        break;
    case STELE_FLEET_PKT_GET_LOG_IDS:
        CHECK_OK(sti_fleet_ref_get_log_ids(p->name, p->epoch, out, NULL), NULL);
        break;
    case STELE_FLEET_PKT_FETCH_LOG:
        stele_buf_init(&key, SIZE_MAX);
        CHECK_OK(sti_docs_log_key_encode(p->version, p->id, &key, NULL), NULL);
        CHECK_OK(sti_fleet_ref_fetch_log(stele_buf_view(&key), out, NULL), NULL);
        stele_buf_free(&key);
        break;
    case STELE_FLEET_PKT_LOG_PUSH:
        CHECK_OK(sti_fleet_ref_log_push(p->entry, out, NULL), NULL);
        break;
    case STELE_FLEET_PKT_LOG_IDS_PUSH:
        write_keys(p, out);
        break;
    default:
        write_info(p, out);
        break;
    }
}

static void check_packet(stele_bytes bytes)
{
    struct sti_fleet_ref_packet packet;
    stele_buf again;
    stele_error err;

    CHECK_OK(sti_fleet_ref_decode(&packet, bytes, &err), &err);
    assert_int_equal(packet.kind, bytes.data[0]);
    stele_buf_init(&again, SIZE_MAX);
    write_again(&packet, &again);
    CHECK_BYTES(stele_buf_view(&again), bytes);
    stele_buf_free(&again);
}

/* ---- Cut. ---- */

/* Only where the packet has a list of things that it may end behind, or says nothing of what it
 * carries, may a shorter one be one, too. */
static bool may_be_cut(stele_bytes bytes, size_t len)
{
    switch (bytes.data[0]) {
    case STELE_FLEET_PKT_GET_INFO:
    case STELE_FLEET_PKT_LOG_PUSH:
        return true;
    case STELE_FLEET_PKT_FETCH_LOG:
        return len > 1 + STI_DOCS_VERSION_SIZE;
    case STELE_FLEET_PKT_LOG_IDS_PUSH:
        return len >= 9 && (len - 9) % 20 == 0; /* "peer-a", keys of 19 bytes */
    case STELE_FLEET_PKT_GET_INFO_RESP:
        return len >= 9 && (len - 9) % STI_DOCS_CHECKPOINT_SIZE == 0;
    default:
        return false;
    }
}

static void check_cut(stele_bytes bytes)
{
    for (size_t len = 0; len < bytes.len; len++) {
        struct sti_fleet_ref_packet packet;
        uint8_t *copy = malloc(len == 0 ? 1 : len);
        stele_code rc;

        assert_non_null(copy);
        memcpy(copy, bytes.data, len);
        rc = sti_fleet_ref_decode(&packet, stele_bytes_of(copy, len), NULL);
        CHECK_CODE(rc, len > 0 && may_be_cut(bytes, len) ? STELE_OK : STELE_ECORRUPT);
        free(copy);
    }
}

static void test_session(void **state)
{
    static char line[LINE_SIZE];
    static uint8_t memory[2][BYTES_SIZE];
    FILE *f = fopen(SESSION, "r");
    unsigned count[256] = {0};

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        json_t *json = json_loads(line, 0, NULL);
        stele_bytes data = hex_member(json, "data", memory[0]);
        stele_bytes response = hex_member(json, "response", memory[1]);
        struct sti_docs_entry entry;

        if (data.len > 0) {
            count[data.data[0]]++;
            check_packet(data);
            check_cut(data);
        }
        if (response.len > 0 && data.data[0] == STELE_FLEET_PKT_GET_INFO) {
            check_packet(response);
        } else if (response.len > 0) {
            CHECK_OK(sti_docs_entry_decode(&entry, response, NULL), NULL);
        }
        json_decref(json);
    }
    (void)fclose(f);
    assert_int_equal(count[STELE_FLEET_PKT_GET_INFO], 10);
    assert_int_equal(count[STELE_FLEET_PKT_GET_LOG_IDS], 4);
    assert_int_equal(count[STELE_FLEET_PKT_FETCH_LOG], 6);
    assert_int_equal(count[STELE_FLEET_PKT_LOG_PUSH], 8);
    assert_int_equal(count[STELE_FLEET_PKT_LOG_IDS_PUSH], 4);
    assert_int_equal(count[STELE_FLEET_PKT_GET_INFO_RESP], 6);
}

/* ---- Hostile. ---- */

static void test_hostile(void **state)
{
    static uint8_t big[1 + STI_DOCS_VERSION_SIZE + STI_DOCS_ID_MAX + 1] = {
            STELE_FLEET_PKT_FETCH_LOG};
    static const uint8_t name_beyond[] = {STELE_FLEET_PKT_GET_LOG_IDS, 0xff, 0xff, 'a'};
    static const uint8_t key_beyond[] = {STELE_FLEET_PKT_LOG_IDS_PUSH, 0, 1, 'a', 2, 'x'};
    static const uint8_t unknown[] = {0x77, 1, 2, 3};
    static const uint8_t bad_version[] = {
            STELE_FLEET_PKT_FETCH_LOG, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'x'};
    struct sti_fleet_ref_packet p;
    stele_error err;

    (void)state;
    CHECK_CODE(sti_fleet_ref_decode(&p, stele_nil(), &err), STELE_ECORRUPT);
    CHECK_CODE(
            sti_fleet_ref_decode(&p, stele_bytes_of(unknown, sizeof unknown), &err), STELE_ENOTSUP);
    CHECK_CODE(sti_fleet_ref_decode(&p, stele_bytes_of(name_beyond, sizeof name_beyond), &err),
            STELE_ECORRUPT);
    CHECK_CODE(sti_fleet_ref_decode(&p, stele_bytes_of(key_beyond, sizeof key_beyond), &err),
            STELE_ECORRUPT);
    CHECK_CODE(sti_fleet_ref_decode(&p, stele_bytes_of(bad_version, sizeof bad_version), &err),
            STELE_ECORRUPT);
    CHECK_CODE(sti_fleet_ref_decode(&p, stele_bytes_of(big, sizeof big), &err), STELE_ETOOBIG);
    CHECK_OK(sti_fleet_ref_decode(&p, stele_bytes_of(big, sizeof big - 1), &err), &err);
}

/* The reference adds 26 to the length of the ID in 16 bits: from 65,510 on the sum is small again,
 * its check passes, and it cuts a slice that ends before it begins, which ends the process. */
static void test_id_len_wraps(void **state)
{
    (void)state;
    for (unsigned len = 65500; len < 65536; len++) {
        uint8_t bytes[1 + 26 + 100] = "@CDBL";
        struct sti_fleet_ref_packet p;
        struct sti_docs_entry entry;

        bytes[1 + 24] = (uint8_t)(len >> 8);
        bytes[1 + 25] = (uint8_t)len;
        CHECK_OK(sti_fleet_ref_decode(&p, stele_bytes_of(bytes, sizeof bytes), NULL), NULL);
        assert_true(sti_docs_entry_decode(&entry, p.entry, NULL) < 0);
    }
}

/* A checkpoint that is none does not hide the others. */
static void test_bad_checkpoint(void **state)
{
    struct sti_docs_checkpoint c = {.epoch = 19901, .count = 1, .sum = {1}};
    struct sti_docs_checkpoint got;
    struct sti_fleet_ref_packet p;
    stele_buf buf;

    (void)state;
    stele_buf_init(&buf, SIZE_MAX);
    CHECK_OK(sti_fleet_ref_info(stele_str("me"), &buf, NULL), NULL);
    CHECK_OK(sti_fleet_ref_add_checkpoint(&c, &buf, NULL), NULL);
    CHECK_OK(sti_fleet_ref_add_checkpoint(&c, &buf, NULL), NULL);
    buf.data[5 + 3] = 9;
    CHECK_OK(sti_fleet_ref_decode(&p, stele_buf_view(&buf), NULL), NULL);
    CHECK_CODE(sti_fleet_ref_next_checkpoint(&p, &got, NULL), STELE_EVERSION);
    CHECK_OK(sti_fleet_ref_next_checkpoint(&p, &got, NULL), NULL);
    assert_int_equal(got.epoch, 19901);
    CHECK_CODE(sti_fleet_ref_next_checkpoint(&p, &got, NULL), STELE_END);
    stele_buf_free(&buf);
}

static void test_too_long(void **state)
{
    static uint8_t bytes[UINT16_MAX + 1];
    stele_buf buf;

    (void)state;
    stele_buf_init(&buf, SIZE_MAX);
    CHECK_CODE(sti_fleet_ref_add_key(stele_bytes_of(bytes, STI_FLEET_KEY_MAX + 1), &buf, NULL),
            STELE_ETOOBIG);
    CHECK_OK(sti_fleet_ref_add_key(stele_bytes_of(bytes, STI_FLEET_KEY_MAX), &buf, NULL), NULL);
    CHECK_CODE(sti_fleet_ref_info(stele_bytes_of(bytes, sizeof bytes), &buf, NULL), STELE_ETOOBIG);
    CHECK_OK(sti_fleet_ref_info(stele_bytes_of(bytes, UINT16_MAX), &buf, NULL), NULL);
    stele_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_session),
            cmocka_unit_test(test_hostile),
            cmocka_unit_test(test_id_len_wraps),
            cmocka_unit_test(test_bad_checkpoint),
            cmocka_unit_test(test_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
