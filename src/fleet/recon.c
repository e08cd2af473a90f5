/* SPDX-License-Identifier: MIT
 *
 * recon.c: range reconciliation: what was said against what is here.
 */
#include "fleet/recon.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "fleet/recon_say.h"

/* ---- Lists against what is here. ---- */

struct ids {
    uint64_t *list;
    size_t count;
    size_t max;
    const struct sti_fleet_recon_head *head;
};

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static stele_code note_id(
        void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    struct ids *ids = arg;

    (void)key;
    (void)err;
    if (ids->count == ids->max) {
        return STELE_END;
    }
    ids->list[ids->count++] = sti_fleet_short_id(ids->head, hash);
    return STELE_OK;
}

/* Both lists ascend: what is in the first alone, as bytes. */
static stele_code minus(const struct ids *a, const struct ids *b, stele_buf *out, stele_error *err)
{
    stele_code rc = STELE_OK;
    size_t j = 0;

    for (size_t i = 0; rc == STELE_OK && i < a->count; i++) {
        uint8_t bytes[STI_FLEET_SHORT_SIZE];

        while (j < b->count && b->list[j] < a->list[i]) {
            j++;
        }
        if (j == b->count || b->list[j] != a->list[i]) {
            sti_put_be64(bytes, a->list[i]);
            rc = stele_buf_append(out, stele_bytes_of(bytes, sizeof bytes), err);
        }
    }
    return rc;
}

static void say_ids(struct sti_fleet_speech *s, stele_bytes ids)
{
    sti_fleet_write_varint(&s->w, ids.len / STI_FLEET_SHORT_SIZE);
    sti_fleet_write_bytes(&s->w, ids);
}

static stele_code hand_over(struct sti_fleet_speech *s, const struct sti_fleet_range *range,
        enum sti_fleet_side lacks, stele_bytes ids, bool whole)
{
    struct sti_fleet_fetch_item item = {.low = range->low, .high = range->high, .ids = ids};

    return ids.len > 0 || whole ? s->found(s->arg, lacks, &item, s->w.err) : STELE_OK;
}

static void tell(struct sti_fleet_speech *s, const struct sti_fleet_range *range,
        stele_bytes lacks_here, stele_bytes lacks_there)
{
    if (lacks_here.len == 0 && lacks_there.len == 0) {
        return;
    }
    if (s->found != NULL) {
        s->w.rc = hand_over(s, range, STI_FLEET_HERE, lacks_here, false);
        if (s->w.rc == STELE_OK) {
            s->w.rc = hand_over(s, range, STI_FLEET_THERE, lacks_there, false);
        }
    } else if (sti_fleet_say_range(s, &range->low, &range->high, STI_FLEET_MODE_DIFFERENT)) {
        say_ids(s, lacks_here);
        say_ids(s, lacks_there);
    }
}

static stele_code collect(struct sti_fleet_speech *s, const struct sti_fleet_range *range,
        struct ids *theirs, struct ids *ours)
{
    stele_code rc = s->set->ops->keys(s->set->arg, sti_fleet_bound_view(&range->low),
            sti_fleet_bound_view(&range->high), note_id, ours, s->w.err);

    for (size_t i = 0; i < theirs->max; i++) {
        theirs->list[i] = sti_get_be64(range->ids.data + i * STI_FLEET_SHORT_SIZE);
    }
    theirs->count = theirs->max;
    qsort(theirs->list, theirs->count, sizeof theirs->list[0], compare_ids);
    qsort(ours->list, ours->count, sizeof ours->list[0], compare_ids);
    return rc;
}

static void against_list(
        struct sti_fleet_speech *s, const struct sti_fleet_range *range, uint64_t own_count)
{
    size_t count = range->ids.len / STI_FLEET_SHORT_SIZE;
    struct ids theirs = {.max = count, .head = &s->head};
    struct ids ours = {.max = (size_t)own_count, .head = &s->head};
    stele_buf here;
    stele_buf there;

    stele_buf_init(&here, SIZE_MAX);
    stele_buf_init(&there, SIZE_MAX);
    theirs.list = sti_calloc(count, sizeof theirs.list[0]);
    ours.list = sti_calloc(ours.max, sizeof ours.list[0]);
    if (theirs.list == NULL || ours.list == NULL) {
        s->w.rc = sti_fail_memory(s->w.err, count * sizeof theirs.list[0]);
    } else {
        s->w.rc = collect(s, range, &theirs, &ours);
    }
    s->w.rc = s->w.rc == STELE_OK ? minus(&theirs, &ours, &here, s->w.err) : s->w.rc;
    s->w.rc = s->w.rc == STELE_OK ? minus(&ours, &theirs, &there, s->w.err) : s->w.rc;
    if (s->w.rc == STELE_OK) {
        tell(s, range, stele_buf_view(&here), stele_buf_view(&there));
    }
    stele_buf_free(&here);
    stele_buf_free(&there);
    sti_free(theirs.list);
    sti_free(ours.list);
}

/* ---- Ranges that were said. ---- */

static void read_ids(struct sti_fleet_reader *r, stele_bytes *out)
{
    uint64_t count = sti_fleet_read_varint(r);

    r->bad = r->bad || count > r->rest.len / STI_FLEET_SHORT_SIZE;
    *out = sti_fleet_read_bytes(r, r->bad ? 0 : count * STI_FLEET_SHORT_SIZE);
}

/* range->high is where the one before ended. */
static void read_range(struct sti_fleet_reader *r, uint64_t *seconds, struct sti_fleet_range *range)
{
    range->low = range->high;
    r->bad = r->bad || range->low.len == 0;
    range->high = sti_fleet_read_bound(r, seconds);
    range->mode = sti_fleet_read_u8(r);
    range->ids = range->more = stele_empty();
    r->bad = r->bad || sti_fleet_bound_compare(&range->low, &range->high) >= 0;
    switch (range->mode) {
    case STI_FLEET_MODE_SAME:
        break;
    case STI_FLEET_MODE_SUM:
        range->count = sti_fleet_read_varint(r);
        range->fingerprint = sti_fleet_read_bytes(r, STI_DOCS_FINGERPRINT_SIZE);
        break;
    case STI_FLEET_MODE_LIST:
        read_ids(r, &range->ids);
        break;
    case STI_FLEET_MODE_DIFFERENT:
        read_ids(r, &range->ids);
        read_ids(r, &range->more);
        break;
    default:
        r->bad = true;
        break;
    }
}

static void against_sum(struct sti_fleet_speech *s, const struct sti_fleet_range *range,
        const struct sti_docs_aggregate *own)
{
    uint8_t fingerprint[STI_DOCS_FINGERPRINT_SIZE];

    s->w.rc = sti_docs_aggregate_fingerprint(own, fingerprint, s->w.err);
    if (s->w.rc != STELE_OK ||
            (own->count == range->count &&
                    memcmp(fingerprint, range->fingerprint.data, sizeof fingerprint) == 0)) {
        return;
    }
    if (own->count > 0 && range->count > 0) {
        sti_fleet_say_own(s, &range->low, &range->high, own);
    } else if (s->found == NULL) {
        sti_fleet_say_sum(s, &range->low, &range->high, own);
    } else {
        s->w.rc = hand_over(
                s, range, own->count == 0 ? STI_FLEET_HERE : STI_FLEET_THERE, stele_empty(), true);
    }
}

static void against(struct sti_fleet_speech *s, const struct sti_fleet_range *range)
{
    struct sti_docs_aggregate own;

    if (range->mode == STI_FLEET_MODE_SAME) {
        return;
    }
    if (range->mode == STI_FLEET_MODE_DIFFERENT) {
        tell(s, range, range->more, range->ids);
        return;
    }
    s->w.rc = sti_fleet_range_sum(s->set, &range->low, &range->high, &own, s->w.err);
    if (s->w.rc != STELE_OK) {
        return;
    }
    if (range->mode == STI_FLEET_MODE_SUM) {
        against_sum(s, range, &own);
    } else if (own.count > STI_FLEET_LIST_LONG) {
        sti_fleet_say_own(s, &range->low, &range->high, &own);
    } else {
        against_list(s, range, own.count);
    }
}

static stele_code fail_packet(stele_error *err)
{
    return sti_fail(err, STELE_ECORRUPT, "a packet of reconciliation that is none");
}

/* `r` is behind the head. Everything is looked at before anything is done. */
static stele_code check_ranges(struct sti_fleet_reader r, bool is_answer, stele_error *err)
{
    struct sti_fleet_range range = {.high = sti_fleet_bound_first()};
    uint64_t seconds = 0;

    while (!r.bad && r.rest.len > 0) {
        read_range(&r, &seconds, &range);
        r.bad = r.bad || (range.mode == STI_FLEET_MODE_DIFFERENT && !is_answer);
    }
    return r.bad ? fail_packet(err) : STELE_OK;
}

static void go_over(struct sti_fleet_speech *s, struct sti_fleet_reader r)
{
    struct sti_fleet_range range = {.high = sti_fleet_bound_first()};
    uint64_t seconds = 0;

    while (s->w.rc == STELE_OK && r.rest.len > 0) {
        if (sti_fleet_speech_is_full(s)) {
            sti_fleet_speech_flag(s, STI_FLEET_RECON_CUT);
            break;
        }
        read_range(&r, &seconds, &range);
        against(s, &range);
    }
}

static stele_code read_head(struct sti_fleet_reader *r, uint8_t *kind,
        struct sti_fleet_recon_head *out, stele_error *err)
{
    uint8_t version;

    *kind = sti_fleet_read_u8(r);
    version = sti_fleet_read_u8(r);
    out->flags = sti_fleet_read_u8(r);
    out->session = sti_fleet_read_be64(r);
    out->salt = sti_fleet_read_be64(r);
    out->horizon = sti_fleet_read_version(r);
    if (r->bad || (*kind != STI_FLEET_PKT_RECON && *kind != STI_FLEET_PKT_RECON_REPLY)) {
        return fail_packet(err);
    }
    if (version != STI_FLEET_VERSION) {
        return sti_fail(err, STELE_EVERSION, "reconciliation of version %u", version);
    }
    return STELE_OK;
}

stele_code sti_fleet_recon_head_decode(
        struct sti_fleet_recon_head *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(bytes);
    struct sti_fleet_recon_head head;
    uint8_t kind;
    stele_code rc = read_head(&r, &kind, &head, err);

    if (rc == STELE_OK) {
        *out = head;
    }
    return rc;
}

/* ---- The three steps. ---- */

stele_code sti_fleet_recon_begin(const struct sti_fleet_set *set,
        const struct sti_fleet_recon_head *head, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, stele_buf *out, stele_error *err)
{
    struct sti_fleet_speech s = sti_fleet_speech_begin(set, STI_FLEET_PKT_RECON, head, out, err);
    struct sti_docs_aggregate own;

    if (s.w.rc == STELE_OK) {
        s.w.rc = sti_fleet_range_sum(set, low, high, &own, err);
    }
    if (s.w.rc == STELE_OK) {
        sti_fleet_say_own(&s, low, high, &own);
    }
    return s.w.rc;
}

stele_code sti_fleet_recon_answer(const struct sti_fleet_set *set, struct sti_docs_version horizon,
        stele_bytes packet, stele_buf *out, stele_error *err)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(packet);
    struct sti_fleet_recon_head head;
    struct sti_fleet_speech s;
    uint8_t kind;
    bool agree;
    stele_code rc = read_head(&r, &kind, &head, err);

    rc = rc == STELE_OK && kind != STI_FLEET_PKT_RECON ? fail_packet(err) : rc;
    rc = rc == STELE_OK ? check_ranges(r, false, err) : rc;
    if (rc != STELE_OK) {
        return rc;
    }
    agree = sti_docs_version_compare(head.horizon, horizon) >= 0;
    head.flags = agree ? 0 : STI_FLEET_RECON_HORIZON;
    head.horizon = horizon;
    s = sti_fleet_speech_begin(set, STI_FLEET_PKT_RECON_REPLY, &head, out, err);
    if (agree) {
        go_over(&s, r);
    }
    return s.w.rc;
}

stele_code sti_fleet_recon_go_on(const struct sti_fleet_set *set,
        const struct sti_fleet_recon_head *head, stele_bytes packet, sti_fleet_found_fn found,
        void *arg, stele_buf *out, stele_error *err)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(packet);
    struct sti_fleet_recon_head theirs;
    struct sti_fleet_speech s;
    size_t before = out->len;
    uint8_t kind;
    stele_code rc = read_head(&r, &kind, &theirs, err);

    if (rc == STELE_OK && (kind != STI_FLEET_PKT_RECON_REPLY || theirs.session != head->session ||
                                  theirs.salt != head->salt)) {
        rc = fail_packet(err);
    }
    rc = rc == STELE_OK ? check_ranges(r, true, err) : rc;
    if (rc != STELE_OK) {
        return rc;
    }
    s = sti_fleet_speech_begin(set, STI_FLEET_PKT_RECON, head, out, err);
    s.found = found;
    s.arg = arg;
    if (s.w.rc == STELE_OK) {
        go_over(&s, r);
    }
    if (!s.any) {
        out->len = before;
    }
    return s.w.rc;
}
