/* SPDX-License-Identifier: MIT
 *
 * The command's input: lines of JSON, each a message.
 *
 * Every line comes out as it is in the input. A message that is taken and
 * printed, as the command prints messages, is read again to the same one.
 */
#include "cli/cmd_stream.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool same(stele_bytes a, stele_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void print_and_read(const struct sti_stream_input *in)
{
    struct sti_stream_input again;
    stele_error err;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct sti_json j;

    fuzz_require(out != NULL);
    j = sti_json_begin(out);
    sti_json_int(&j, "offset", in->message.offset);
    sti_json_time(&j, "time", in->message.time);
    sti_json_bytes(&j, "key", in->message.key);
    sti_json_bytes(&j, "value", in->message.value);
    sti_json_end(&j);
    fuzz_require(fclose(out) == 0 && len > 0);
    fuzz_require(sti_stream_parse(stele_bytes_of(text, len), &again, &err) == STELE_OK);
    fuzz_require(same(in->message.key, again.message.key));
    fuzz_require(same(in->message.value, again.message.value));
    fuzz_require(in->message.time == again.message.time);
    sti_stream_input_free(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);
    struct sti_lines lines;
    size_t at = 0;
    stele_bytes line;
    stele_error err;
    stele_code rc;

    fuzz_require(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    sti_lines_init(&lines, fd);
    while ((rc = sti_lines_next(&lines, true, &line, &err)) == STELE_OK) {
        struct sti_stream_input m;

        fuzz_require(line.len <= size - at && same(line, stele_bytes_of(data + at, line.len)));
        at += line.len;
        fuzz_require(at == size || data[at] == '\n');
        at += at < size ? 1 : 0;
        if (sti_stream_parse(line, &m, &err) == STELE_OK) {
            print_and_read(&m);
        }
        sti_stream_input_free(&m);
    }
    fuzz_require(rc == STELE_END && at == size);
    sti_lines_free(&lines);
    (void)close(fd);
    return 0;
}
