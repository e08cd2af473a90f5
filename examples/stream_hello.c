#include <stele/stele.h>

#include <stdio.h>

int main(void)
{
    stele_error err;
    stele_stream *s = NULL;
    stele_messages *ms = NULL;
    stele_stream_options opts;
    stele_message m = {.key = stele_str("greeting"), .value = stele_str("hello")};
    int64_t next;

    stele_stream_options_init(&opts);
    opts.create_dirs = opts.key_index = true;
    if (stele_stream_open(&s, "hello.stream", &opts, &err) != STELE_OK ||
            stele_stream_publish(s, &m, 1, &next, &err) != STELE_OK ||
            stele_stream_sync(s, NULL, &err) != STELE_OK || /* now it survives a power cut */
            stele_messages_new(&ms, &err) != STELE_OK ||
            stele_stream_get_by_key(s, m.key, ms, &err) != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    m = *stele_messages_at(ms, 0);
    printf("%d: %.*s\n", (int)m.offset, (int)m.value.len, (const char *)m.value.data);
    stele_messages_free(ms);
    return stele_stream_close(s, NULL) != STELE_OK;
}
