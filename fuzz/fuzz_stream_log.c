/* SPDX-License-Identifier: MIT
 *
 * The bytes of a log: scanned over all damage, indexed, salvaged.
 *
 *     byte 0: index parameters; the rest is the file
 *
 * Every message that a scan gives is encoded again to the same bytes; the
 * index has just those messages; what salvage keeps is whole when it is read again.
 */
#include "base/alloc.h"
#include "fuzz.h"
#include "stream/index_file.h"
#include "stream/salvage.h"

#include <string.h>

static int64_t base_of(const uint8_t *data, size_t len)
{
    int64_t base = len < 8 || data[0] == 0xFF ? 0 : (int64_t)(sti_get_be64(data) & INT64_MAX);

    return base == INT64_MAX ? 0 : base;
}

static void encode_again(
        const uint8_t *at, stele_stream_version version, const stele_message *m, size_t size)
{
    uint8_t *again = malloc(size + 1);

    fuzz_require(again != NULL);
    fuzz_require(sti_message_size(version, m->key.len, m->value.len) == size);
    sti_message_put(again, version, m->offset, m->time, m->key, m->value);
    fuzz_require(memcmp(at, again, size) == 0);
    free(again);
}

static uint64_t scan_all(const uint8_t *data, size_t len, int64_t base)
{
    struct sti_scan scan;
    uint64_t count = 0;

    sti_scan_begin(&scan, data, len, sti_log_kind_of(data, len, base), base, INT64_MAX);
    for (;;) {
        uint64_t at = scan.at;
        int64_t last = scan.last;
        enum sti_message_state state;
        stele_message m;
        size_t size;

        fuzz_require(at <= len);
        state = sti_scan_next(&scan, &m, &size);
        if (state == STI_MESSAGE_WHOLE) {
            fuzz_require(scan.at == at + size && scan.at <= len);
            fuzz_require(m.offset > last && m.offset >= base);
            encode_again(data + at, scan.version, &m, size);
            count++;
        } else if (state == STI_MESSAGE_END || !sti_scan_resync(&scan)) {
            return count;
        } else {
            fuzz_require(scan.at > at);
        }
    }
}

static void index_all(const uint8_t *data, size_t len, int64_t base, struct sti_index_params params,
        uint64_t count)
{
    struct sti_items items = {0};
    int64_t time = INT64_MIN;

    fuzz_require(sti_items_build(&items, data, len, base, INT64_MAX, params, INT64_MIN, NULL) ==
                 STELE_OK);
    fuzz_require(items.count == count && items.end <= len);
    for (uint64_t i = 0; i < items.count; i++) {
        struct sti_index_item item;

        sti_index_item_get(items.data + i * items.item_size, params, &item);
        fuzz_require(item.position < len);
        fuzz_require(!params.times || item.time >= time);
        time = item.time;
    }
    fuzz_require(sti_index_equal(items.data, items.count, &items, params));
    sti_items_free(&items);
}

static void salvage_all(const uint8_t *data, size_t len, int64_t base)
{
    struct sti_witness none = {0};
    struct sti_salvage first;
    struct sti_salvage second;
    uint8_t *kept = NULL;
    uint64_t kept_len = 0;

    fuzz_require(sti_salvage_run(&first, data, len, base, INT64_MAX, &none, NULL) == STELE_OK);
    fuzz_require(first.end <= len && first.tail <= len && first.damaged <= len);
    if (first.messages > 0) {
        fuzz_require(first.first >= base && first.last >= first.first);
        fuzz_require(sti_salvage_compose(&first, data, &kept, &kept_len, NULL) == STELE_OK);
        fuzz_require(sti_salvage_run(&second, kept, kept_len, first.first, INT64_MAX, &none,
                             NULL) == STELE_OK);
        fuzz_require(second.messages == first.messages && sti_salvage_is_whole(&second));
        fuzz_require(second.first == first.first && second.last == first.last);
        sti_salvage_free(&second);
        sti_free(kept);
    }
    sti_salvage_free(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned flags = fuzz_byte(&in);
    struct sti_index_params params = {.times = (flags & 1) != 0, .keys = (flags & 2) != 0};
    size_t len;
    uint8_t *log = fuzz_bytes(&in, in.size, &len);
    int64_t base = base_of(log, len);

    index_all(log, len, base, params, scan_all(log, len, base));
    salvage_all(log, len, base);
    free(log);
    return 0;
}
