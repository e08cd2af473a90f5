/* SPDX-License-Identifier: MIT
 *
 * logs.c: streams to mirror, and whether two are equal.
 */
#include "nats/logs.h"

#include "lib/check.h"

#include <stdio.h>

enum {
    BATCH = 100
};

stele_stream *logs_open(const char *dir)
{
    stele_stream_options opts;
    stele_stream *s = NULL;
    stele_error err;

    stele_stream_options_init(&opts);
    opts.create_dirs = true;
    opts.rollover = 64 << 10;
    CHECK_OK(stele_stream_open(&s, dir, &opts, &err), &err);
    return s;
}

void logs_close(stele_stream *s)
{
    stele_error err;

    CHECK_OK(stele_stream_close(s, &err), &err);
}

void logs_publish(stele_stream *s, unsigned count)
{
    stele_message messages[BATCH];
    char texts[BATCH][64];
    stele_error err;
    int64_t next;

    CHECK_OK(stele_stream_next_offset(s, &next, &err), &err);
    for (unsigned done = 0; done < count;) {
        unsigned n = count - done < BATCH ? count - done : BATCH;

        for (unsigned i = 0; i < n; i++) {
            int64_t number = next + i;
            int len = snprintf(texts[i], sizeof texts[i], "value \xff%c of %lld",
                    (char)(number % 7), (long long)number);

            texts[i][7] = (char)(number % 3); /* zeros, too */
            messages[i] = (stele_message){.time = 1700000000000000 + number * 11};
            messages[i].key = number % 4 == 0 ? stele_nil() : stele_bytes_of(texts[i], 9);
            messages[i].value =
                    number % 5 == 0 ? stele_nil() : stele_bytes_of(texts[i], (size_t)len);
        }
        CHECK_OK(stele_stream_publish(s, messages, n, &next, &err), &err);
        done += n;
    }
}

unsigned logs_check_equal(stele_stream *a, stele_stream *b)
{
    stele_messages *ms[2] = {NULL, NULL};
    int64_t next = STELE_OFFSET_OLDEST;
    unsigned count = 0;
    stele_error err;

    CHECK_OK(stele_messages_new(&ms[0], &err), &err);
    CHECK_OK(stele_messages_new(&ms[1], &err), &err);
    for (;;) {
        int64_t other = next;

        CHECK_OK(stele_stream_consume(a, next, 1, ms[0], &next, &err), &err);
        if (stele_messages_count(ms[0]) == 0) {
            CHECK_CODE(stele_stream_consume(b, other, 1, ms[1], &other, &err), STELE_OK);
            assert_int_equal(stele_messages_count(ms[1]), 0);
            break;
        }
        CHECK_OK(stele_stream_consume(b, other, 1, ms[1], &other, &err), &err);
        assert_int_equal(stele_messages_count(ms[1]), 1);
        {
            const stele_message *x = stele_messages_at(ms[0], 0);
            const stele_message *y = stele_messages_at(ms[1], 0);

            assert_int_equal(x->offset, y->offset);
            assert_int_equal(x->time, y->time);
            CHECK_BYTES(y->key, x->key);
            CHECK_BYTES(y->value, x->value);
        }
        count++;
    }
    stele_messages_free(ms[0]);
    stele_messages_free(ms[1]);
    return count;
}
