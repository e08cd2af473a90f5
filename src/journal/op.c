/* SPDX-License-Identifier: MIT */
#include "journal/op.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"

enum {
    HEAD_SIZE = 10,
    HAS_KEY = 1,
    HAS_SUBKEY = 2,
    HAS_VALUE = 4,
    VERSION_SHIFT = 4,
    KIND_MASK = 15,
    FEW_SETTINGS = 16,   /* are compared each with each */
    SETTING_SIZE_MIN = 2 /* two lengths */
};

/* What each kind may have; kinds that are none have nothing. */
static unsigned parts_of(unsigned kind)
{
    switch (kind) {
    case STELE_JOURNAL_PUT:
        return HAS_KEY | HAS_SUBKEY | HAS_VALUE;
    case STELE_JOURNAL_DELETE:
        return HAS_KEY | HAS_SUBKEY;
    case STELE_JOURNAL_CLEAR:
    case STELE_JOURNAL_CONFIG:
        return HAS_KEY;
    default:
        return 0;
    }
}

static unsigned parts_in(const stele_journal_op *op)
{
    return (stele_is_nil(op->key) ? 0U : (unsigned)HAS_KEY) |
           (stele_is_nil(op->subkey) ? 0U : (unsigned)HAS_SUBKEY) |
           (stele_is_nil(op->value) ? 0U : (unsigned)HAS_VALUE);
}

/* ---- What may be dumped. ---- */

static bool is_broken(stele_bytes b)
{
    return b.data == NULL && b.len > 0;
}

static int compare_names(const void *a, const void *b)
{
    const stele_journal_setting *x = a;
    const stele_journal_setting *y = b;

    return stele_bytes_compare(x->name, y->name);
}

static bool is_ascending(const stele_journal_setting *settings, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (compare_names(&settings[i - 1], &settings[i]) >= 0) {
            return false;
        }
    }
    return true;
}

static stele_code fail_twice(stele_error *err)
{
    return sti_fail(err, STELE_EINVAL, "two settings have the same name");
}

static stele_code check_few_differ(
        const stele_journal_setting *settings, size_t count, stele_error *err)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (stele_bytes_equal(settings[i].name, settings[j].name)) {
                return fail_twice(err);
            }
        }
    }
    return STELE_OK;
}

static stele_code check_names_differ(
        const stele_journal_setting *settings, size_t count, stele_error *err)
{
    stele_journal_setting *sorted;
    bool differ;

    if (is_ascending(settings, count)) {
        return STELE_OK;
    }
    if (count <= FEW_SETTINGS) {
        return check_few_differ(settings, count, err);
    }
    sorted = sti_malloc(count * sizeof *sorted);
    if (sorted == NULL) {
        return sti_fail_memory(err, count * sizeof *sorted);
    }
    memcpy(sorted, settings, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_names);
    differ = is_ascending(sorted, count);
    sti_free(sorted);
    return differ ? STELE_OK : fail_twice(err);
}

static stele_code check_settings(const stele_journal_op *op, stele_error *err)
{
    if (op->kind != STELE_JOURNAL_CONFIG) {
        return op->setting_count == 0
                       ? STELE_OK
                       : sti_fail(err, STELE_EINVAL, "settings belong to a configuration alone");
    }
    if (op->setting_count > STELE_JOURNAL_OP_MAX / SETTING_SIZE_MIN) {
        return sti_fail(err, STELE_ETOOBIG, "%zu settings are too many", op->setting_count);
    }
    if (op->settings == NULL && op->setting_count > 0) {
        return sti_fail(err, STELE_EINVAL, "%zu settings, but none is there", op->setting_count);
    }
    for (size_t i = 0; i < op->setting_count; i++) {
        if (stele_is_nil(op->settings[i].name) || stele_is_nil(op->settings[i].value)) {
            return sti_fail(err, STELE_EINVAL, "setting %zu: its name or value is nil", i);
        }
    }
    return check_names_differ(op->settings, op->setting_count, err);
}

static bool add_size(size_t *total, size_t more)
{
    return !__builtin_add_overflow(*total, more, total) && *total <= STELE_JOURNAL_OP_MAX;
}

static bool fits(const stele_journal_op *op)
{
    size_t total = 0;
    bool ok = add_size(&total, op->key.len) && add_size(&total, op->subkey.len) &&
              add_size(&total, op->value.len);

    for (size_t i = 0; i < op->setting_count && ok; i++) {
        ok = add_size(&total, op->settings[i].name.len) &&
             add_size(&total, op->settings[i].value.len) && add_size(&total, SETTING_SIZE_MIN);
    }
    return ok;
}

stele_code sti_journal_op_check(const stele_journal_op *op, stele_error *err)
{
    unsigned allowed = parts_of((unsigned)op->kind);
    stele_code rc;

    if (allowed == 0) {
        return sti_fail(err, STELE_EINVAL, "kind %d of an operation is none", (int)op->kind);
    }
    if (is_broken(op->key) || is_broken(op->subkey) || is_broken(op->value)) {
        return sti_fail(err, STELE_EINVAL, "bytes without data");
    }
    if ((parts_in(op) & ~allowed) != 0) {
        return sti_fail(err, STELE_EINVAL, "the operation has a %s, which its kind does not take",
                (parts_in(op) & ~allowed & HAS_SUBKEY) != 0 ? "subkey" : "value");
    }
    rc = check_settings(op, err);
    if (rc == STELE_OK && !fits(op)) {
        rc = sti_fail(
                err, STELE_ETOOBIG, "an operation of more than %zu bytes", STELE_JOURNAL_OP_MAX);
    }
    return rc;
}

/* ---- Encoding. ---- */

static size_t length_size(size_t len)
{
    uint8_t ignored[STI_VARINT_MAX];

    return sti_varint_put(ignored, (int64_t)len);
}

static size_t sized(stele_bytes b)
{
    return length_size(b.len) + b.len;
}

size_t sti_journal_op_size(const stele_journal_op *op)
{
    size_t size = HEAD_SIZE;

    size += stele_is_nil(op->key) ? 0 : sized(op->key);
    size += stele_is_nil(op->subkey) ? 0 : sized(op->subkey);
    if (op->kind != STELE_JOURNAL_CONFIG) {
        return size + op->value.len;
    }
    size += length_size(op->setting_count);
    for (size_t i = 0; i < op->setting_count; i++) {
        size += sized(op->settings[i].name) + sized(op->settings[i].value);
    }
    return size;
}

static uint8_t *put_raw(uint8_t *out, stele_bytes b)
{
    if (b.len > 0) {
        memcpy(out, b.data, b.len);
    }
    return out + b.len;
}

static uint8_t *put_sized(uint8_t *out, stele_bytes b)
{
    return put_raw(out + sti_varint_put(out, (int64_t)b.len), b);
}

static uint8_t *put_settings(
        uint8_t *out, const stele_journal_op *op, stele_journal_setting *scratch)
{
    const stele_journal_setting *settings = op->settings;

    out += sti_varint_put(out, (int64_t)op->setting_count);
    if (!is_ascending(settings, op->setting_count)) {
        memcpy(scratch, settings, op->setting_count * sizeof *scratch);
        qsort(scratch, op->setting_count, sizeof *scratch, compare_names);
        settings = scratch;
    }
    for (size_t i = 0; i < op->setting_count; i++) {
        out = put_sized(out, settings[i].name);
        out = put_sized(out, settings[i].value);
    }
    return out;
}

static void put_head(uint8_t *out, unsigned kind, unsigned parts, int64_t timestamp)
{
    out[0] = (uint8_t)(STI_JOURNAL_VERSION << VERSION_SHIFT | kind);
    out[1] = (uint8_t)parts;
    sti_put_le64(out + 2, (uint64_t)timestamp);
}

size_t sti_journal_op_encode(
        uint8_t *out, const stele_journal_op *op, stele_journal_setting *settings)
{
    uint8_t *end = out + HEAD_SIZE;

    put_head(out, (unsigned)op->kind, parts_in(op), op->timestamp);
    end = stele_is_nil(op->key) ? end : put_sized(end, op->key);
    end = stele_is_nil(op->subkey) ? end : put_sized(end, op->subkey);
    end = op->kind == STELE_JOURNAL_CONFIG ? put_settings(end, op, settings)
                                           : put_raw(end, op->value);
    return (size_t)(end - out);
}

/* ---- Decoding. ---- */

static int64_t signed_of(uint64_t v)
{
    int64_t s;

    memcpy(&s, &v, sizeof s);
    return s;
}

/* The version and the kind. */
static stele_code check_head(stele_bytes in, stele_error *err)
{
    unsigned kind;

    if (in.len == 0) {
        return sti_fail(err, STELE_ECORRUPT, "an operation without a byte");
    }
    kind = in.data[0] & KIND_MASK;
    if (in.data[0] >> VERSION_SHIFT != STI_JOURNAL_VERSION ||
            (parts_of(kind) == 0 && kind != STI_JOURNAL_END)) {
        return sti_fail(err, STELE_EVERSION, "kind %u of an operation, version %u, is not known",
                kind, (unsigned)in.data[0] >> VERSION_SHIFT);
    }
    if (in.len < HEAD_SIZE) {
        return sti_fail(err, STELE_ECORRUPT, "an operation of %zu bytes", in.len);
    }
    return STELE_OK;
}

struct number {
    size_t value;
    size_t taken; /* bytes; 0: it is none, or larger than all that follows */
};

static struct number get_long_number(const uint8_t *in, size_t len)
{
    const struct number none = {0, 0};
    int64_t v = 0;
    int taken = sti_varint_get(in, len, &v);

    if (taken <= 0 || v < 0 || (uint64_t)v > len || (size_t)taken != length_size((size_t)v)) {
        return none;
    }
    return (struct number){(size_t)v, (size_t)taken};
}

/* A length, or a number of settings. Most have one byte. */
static inline struct number get_number(const uint8_t *in, size_t len)
{
    if (len > 0 && (in[0] & 0x81) == 0 && in[0] / 2U <= len) {
        return (struct number){in[0] / 2U, 1};
    }
    return get_long_number(in, len);
}

/* What is left of an operation, from its front. Values stay in registers, which is why these are
 * not stele_bytes. */
struct rest {
    const uint8_t *at;
    size_t len;
};

/* Length and bytes. */
static inline bool get_sized(struct rest *in, stele_bytes *out)
{
    struct number n = get_number(in->at, in->len);

    if (n.taken == 0 || n.value > in->len - n.taken) {
        return false;
    }
    out->data = in->at + n.taken;
    out->len = n.value;
    in->at += n.taken + n.value;
    in->len -= n.taken + n.value;
    return true;
}

static stele_code make_room(struct sti_journal_settings *s, size_t count, stele_error *err)
{
    stele_journal_setting *grown;

    if (count <= s->capacity) {
        return STELE_OK;
    }
    grown = sti_realloc(s->items, count, sizeof *grown);
    if (grown == NULL) {
        return sti_fail_memory(err, count * sizeof *grown);
    }
    s->items = grown;
    s->capacity = count;
    return STELE_OK;
}

static stele_code get_settings(stele_journal_op *out, struct rest in,
        struct sti_journal_settings *settings, stele_error *err)
{
    struct number count = get_number(in.at, in.len);
    stele_code rc;

    in.at += count.taken;
    in.len -= count.taken;
    if (count.taken == 0 || count.value > in.len / SETTING_SIZE_MIN) {
        return sti_fail(err, STELE_ECORRUPT, "a configuration without a number of settings");
    }
    rc = make_room(settings, count.value, err);
    if (rc != STELE_OK) {
        return rc;
    }
    for (size_t i = 0; i < count.value; i++) {
        stele_journal_setting *s = &settings->items[i];

        if (!get_sized(&in, &s->name) || !get_sized(&in, &s->value) ||
                (i > 0 && compare_names(s - 1, s) >= 0)) {
            return sti_fail(err, STELE_ECORRUPT, "setting %zu of %zu is none", i, count.value);
        }
    }
    if (in.len > 0) {
        return sti_fail(
                err, STELE_ECORRUPT, "a configuration with %zu bytes behind its end", in.len);
    }
    out->settings = count.value > 0 ? settings->items : NULL;
    out->setting_count = count.value;
    return STELE_OK;
}

void sti_journal_settings_free(struct sti_journal_settings *s)
{
    sti_free(s->items);
    memset(s, 0, sizeof *s);
}

stele_code sti_journal_op_decode(stele_journal_op *out, stele_bytes in,
        struct sti_journal_settings *settings, stele_error *err)
{
    stele_bytes key = {NULL, 0};
    stele_bytes subkey = {NULL, 0};
    struct rest rest;
    unsigned kind;
    unsigned parts;
    stele_code rc = check_head(in, err);

    if (rc != STELE_OK) {
        return rc;
    }
    kind = in.data[0] & KIND_MASK;
    parts = in.data[1];
    rest = (struct rest){in.data + HEAD_SIZE, in.len - HEAD_SIZE};
    if (kind == STI_JOURNAL_END) {
        return sti_fail(err, STELE_ECORRUPT, "the end of a snapshot where an operation belongs");
    }
    if ((parts & ~parts_of(kind)) != 0) {
        return sti_fail(err, STELE_ECORRUPT, "kind %u of an operation has parts %u", kind, parts);
    }
    if (((parts & HAS_KEY) != 0 && !get_sized(&rest, &key)) ||
            ((parts & HAS_SUBKEY) != 0 && !get_sized(&rest, &subkey))) {
        return sti_fail(err, STELE_ECORRUPT, "a key of an operation is longer than all of it");
    }
    out->settings = NULL;
    out->setting_count = 0;
    if (kind == STELE_JOURNAL_CONFIG) {
        rc = get_settings(out, rest, settings, err);
    } else if ((parts & HAS_VALUE) == 0 && rest.len > 0) {
        rc = sti_fail(err, STELE_ECORRUPT, "an operation with %zu bytes behind its end", rest.len);
    }
    if (rc == STELE_OK) {
        out->kind = (stele_journal_kind)kind;
        out->timestamp = signed_of(sti_get_le64(in.data + 2));
        out->key = key;
        out->subkey = subkey;
        out->value.data = (parts & HAS_VALUE) != 0 ? rest.at : NULL;
        out->value.len = (parts & HAS_VALUE) != 0 ? rest.len : 0;
    }
    return rc;
}

/* ---- The end of a snapshot. ---- */

bool sti_journal_is_end(stele_bytes in)
{
    return in.len > 0 && (in.data[0] & KIND_MASK) == STI_JOURNAL_END;
}

void sti_journal_end_encode(uint8_t out[STI_JOURNAL_END_SIZE], const struct sti_journal_end *end)
{
    put_head(out, STI_JOURNAL_END, 0, end->latest);
    sti_put_le64(out + HEAD_SIZE, end->ops);
    sti_put_le64(out + HEAD_SIZE + 8, end->count);
}

stele_code sti_journal_end_decode(struct sti_journal_end *out, stele_bytes in, stele_error *err)
{
    stele_code rc = check_head(in, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (!sti_journal_is_end(in) || in.len != STI_JOURNAL_END_SIZE || in.data[1] != 0) {
        return sti_fail(err, STELE_ECORRUPT, "is not the end of a snapshot");
    }
    out->latest = signed_of(sti_get_le64(in.data + 2));
    out->ops = sti_get_le64(in.data + HEAD_SIZE);
    out->count = sti_get_le64(in.data + HEAD_SIZE + 8);
    return STELE_OK;
}
