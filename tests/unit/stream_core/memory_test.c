/* SPDX-License-Identifier: MIT
 *
 * memory_test.c: a stream of many segments costs little memory but its maps.
 */
#include "core.h"

#include <malloc.h>

enum {
    SEGMENTS = 200,
    PER = 100,
    OPEN_MAX = 300 << 10, /* bytes of our own for an open handle, */
    READ_MAX = 2 << 10    /* and for each segment that was read: none for each message */
};

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void opening_and_reading(void **state)
{
    static stele_message m[PER];
    static struct core_text text[PER];
    struct core c;
    size_t before;
    size_t opened;
    size_t read;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(PER);
    core_open(&c);
    for (int64_t i = 0; i < SEGMENTS; i++) {
        for (int64_t k = 0; k < PER; k++) {
            m[k] = core_message(&text[k], i * PER + k);
        }
        CHECK_OK(stele_stream_publish(c.s, m, PER, NULL, &c.err), &c.err);
    }
    core_close(&c);
    before = in_use();
    core_open(&c);
    opened = in_use();
    for (int round = 0; round < 2; round++) {
        for (int64_t at = 0; at < SEGMENTS * PER;) {
            CHECK_OK(stele_stream_consume(c.s, at, PER, c.ms, &at, &c.err), &c.err);
            assert_true(stele_messages_count(c.ms) > 0);
        }
        for (int key = 0; key < CORE_KEYS; key++) {
            CHECK_OK(stele_stream_get_by_key(c.s, core_message(text, key).key, c.ms, &c.err),
                    &c.err);
        }
        CHECK_CODE(stele_stream_get_by_key(c.s, stele_str("none"), c.ms, &c.err), STELE_ENOTFOUND);
        CHECK_OK(stele_stream_get_by_time(c.s, 1000000 + 1000 * PER, c.ms, &c.err), &c.err);
    }
    stele_messages_clear(c.ms);
    read = in_use();
    print_message("%d segments: opening takes %zu KiB of memory, reading all %zu bytes a segment\n",
            SEGMENTS, (opened - before) >> 10, (read - opened) / SEGMENTS);
    assert_int_equal(core_stats(&c).segments, SEGMENTS);
    assert_true(opened - before < OPEN_MAX);
    assert_true(read - opened < (size_t)READ_MAX * SEGMENTS);
    CHECK_OK(stele_stream_gc(c.s, 0, &c.err), &c.err);
    core_close(&c);
    assert_true(in_use() < before + (16 << 10)); /* nothing much stays: the container's room */
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(opening_and_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
