/* SPDX-License-Identifier: MIT
 *
 * main.c: a program that uses an installed Stele: write, sync, read back.
 */
#include <stele/stele.h>

#include <stdio.h>

static int run(const char *dir, stele_error *err)
{
    stele_stream_options opts;
    stele_stream *s = NULL;
    stele_messages *ms = NULL;
    stele_message m = stele_message_invalid();
    int64_t next = 0;
    int done = 0;

    stele_stream_options_init(&opts);
    opts.create_dirs = true;
    m.value = stele_str("from a consumer");
    if (stele_stream_open(&s, dir, &opts, err) != STELE_OK) {
        return 0;
    }
    if (stele_stream_publish(s, &m, 1, &next, err) == STELE_OK &&
            stele_stream_sync(s, NULL, err) == STELE_OK &&
            stele_messages_new(&ms, err) == STELE_OK &&
            stele_stream_get(s, next - 1, ms, err) == STELE_OK) {
        done = stele_bytes_equal(stele_messages_at(ms, 0)->value, m.value);
    }
    stele_messages_free(ms);
    return stele_stream_close(s, done ? err : NULL) == STELE_OK && done;
}

int main(int argc, char **argv)
{
    stele_error err = {STELE_OK, 0, -1, "", "the message differs"};

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    if (!run(argv[1], &err)) {
        (void)fprintf(stderr, "consumer: %s\n", err.message);
        return 1;
    }
    (void)printf("stele %u\n", (unsigned)stele_version_number());
    return 0;
}
