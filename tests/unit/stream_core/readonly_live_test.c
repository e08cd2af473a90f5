/* SPDX-License-Identifier: MIT
 *
 * readonly_live_test.c: live handles beside a writer in another process.
 *
 * The child publishes, deletes and rolls over as fast as it can, and is
 * killed in the middle; the parent reads all the time. Every message that it
 * sees is whole and a numbered one, offsets rise, the next offset never falls,
 * and what is in a container stays as it is.
 */
#include "core.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HELD = 8,
    LOOKS = 150 /* from the oldest to the end, before the writer is killed */
};

/* Messages of growing batches; every now and then some go. Never returns. */
static void write_for_ever(struct core *c, const char *path)
{
    static stele_message m[64];
    static struct core_text text[64];
    stele_stream *s = NULL;
    stele_offsets *set = NULL;
    int64_t next = 0;

    if (stele_stream_open(&s, path, &c->opts, NULL) != STELE_OK ||
            stele_stream_next_offset(s, &next, NULL) != STELE_OK ||
            stele_offsets_new(&set, NULL) != STELE_OK) {
        _exit(1);
    }
    for (int64_t round = 0;; round++) {
        size_t count = (size_t)(1 + round * 7 % 64);

        for (size_t i = 0; i < count; i++) {
            m[i] = core_message(&text[i], next + (int64_t)i);
        }
        if (stele_stream_publish(s, m, count, &next, NULL) != STELE_OK) {
            _exit(2);
        }
        if (round % 5 == 0) {
            /* In the head, its newest message too, and in the segments before. */
            stele_offsets_clear(set);
            for (int64_t o = round % 3; o < 40; o += 3) {
                int64_t offset = next - 1 - o * (round % 4);

                if (offset >= 0 && stele_offsets_add(set, offset, NULL) != STELE_OK) {
                    _exit(6);
                }
            }
            if (stele_stream_delete_multi(s, set, NULL, NULL, NULL) != STELE_OK) {
                _exit(3);
            }
        }
        if (round % 50 == 49 && next > 4000 &&
                stele_stream_trim_by_offset_multi(s, next - 4000, NULL, NULL, NULL, NULL) !=
                        STELE_OK) {
            _exit(4);
        }
        if (round % 97 == 96) {
            if (stele_stream_close(s, NULL) != STELE_OK ||
                    stele_stream_open(&s, path, &c->opts, NULL) != STELE_OK) {
                _exit(5);
            }
        }
    }
}

static pid_t start_writer(struct core *c)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        write_for_ever(c, c->dir.path);
    }
    return pid;
}

struct reader {
    struct core c;
    stele_messages *held[HELD];
    size_t held_count[HELD];
    unsigned turn;
    int64_t next;
    uint64_t seen;
};

static void reader_begin(struct reader *r, const struct core *writer)
{
    memset(r, 0, sizeof *r);
    core_begin(&r->c);
    tmpdir_remove(&r->c.dir);
    r->c.dir = writer->dir;
    r->c.opts.live = true;
    core_open(&r->c);
    for (int i = 0; i < HELD; i++) {
        CHECK_OK(stele_messages_new(&r->held[i], &r->c.err), &r->c.err);
    }
}

/* The container to fill; what it held is looked at a last time. */
static stele_messages *reader_turn(struct reader *r)
{
    unsigned i = r->turn++ % HELD;

    assert_int_equal(stele_messages_count(r->held[i]), r->held_count[i]);
    for (size_t k = 0; k < r->held_count[i]; k++) {
        core_check_numbered(stele_messages_at(r->held[i], k));
    }
    return r->held[i];
}

/* From the oldest to the end. */
static void reader_look(struct reader *r)
{
    int64_t at = STELE_OFFSET_OLDEST;
    int64_t last = -1;

    for (;;) {
        stele_messages *ms = reader_turn(r);
        size_t count;

        CHECK_OK(stele_stream_consume(r->c.s, at, 300, ms, &at, &r->c.err), &r->c.err);
        count = stele_messages_count(ms);
        r->held_count[(r->turn - 1) % HELD] = count;
        if (count == 0) {
            break;
        }
        for (size_t k = 0; k < count; k++) {
            const stele_message *m = stele_messages_at(ms, k);

            assert_true(m->offset > last);
            core_check_numbered(m);
            last = m->offset;
        }
        r->seen += count;
    }
    assert_true(at >= r->next);
    r->next = at;
    assert_true(core_next(&r->c) >= r->next);
}

static void reader_end(struct reader *r)
{
    core_close(&r->c);
    for (int i = 0; i < HELD; i++) {
        (void)reader_turn(r);
    }
    for (int i = 0; i < HELD; i++) {
        stele_messages_free(r->held[i]);
    }
    stele_messages_free(r->c.ms);
}

static void killed_in_the_middle(void **state)
{
    struct core c;
    struct reader r;
    uint64_t seen = 0;

    (void)state;
    for (int way = 0; way < 4; way++) {
        core_begin(&c);
        c.opts.rollover = 16 << 10;
        c.opts.no_map = way == 1;
        c.opts.new_segments = way == 2 ? STELE_STREAM_V1 : STELE_STREAM_V2;
        c.opts.no_background = way == 3;
        core_open(&c); /* so that it is there */
        core_close(&c);
        reader_begin(&r, &c);
        for (int kill_round = 0; kill_round < 3; kill_round++) {
            pid_t pid = start_writer(&c);
            int status;

            for (int i = 0; i < LOOKS / 3 || r.seen < 1000; i++) {
                reader_look(&r);
            }
            assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* it found nothing wrong */
            assert_int_equal(kill(pid, SIGKILL), 0);
            assert_int_equal(waitpid(pid, &status, 0), pid);
            reader_look(&r); /* no writer, no recovery yet */
            /* What a reader has seen, a writer that recovers has, too. */
            core_open(&c);
            assert_true(core_next(&c) >= r.next);
            reader_look(&r);
            assert_int_equal(core_next(&c), r.next);
            core_close(&c);
        }
        seen += r.seen;
        reader_end(&r);
        core_end(&c);
    }
    print_message("%llu messages seen\n", (unsigned long long)seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(killed_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
