/* SPDX-License-Identifier: MIT
 *
 * scrub_bucket.c: the entries of one bucket.
 *
 * Behind a value that is damaged the walk goes on. Where the layers of a long key are, it ends, and
 * the rest of the bucket is not looked at.
 */
#include "base/error.h"
#include "store/scrub_state.h"
#include "store/tree.h"

#include <inttypes.h>
#include <stdio.h>

struct walk {
    struct sti_scrub *s;
    stele_bytes name;
    struct sti_tree_cursor c;
    struct sti_bucket found;
    bool damaged; /* a fault was told */
};

static stele_code take(
        struct walk *w, stele_bytes key, stele_code code, const stele_error *why, stele_error *err)
{
    w->damaged = true;
    return sti_scrub_take(w->s, w->name, key, code, why, err);
}

/* The entry that the cursor is at. */
static stele_code look_at(struct walk *w, stele_error *err)
{
    struct sti_value_mark mark;
    stele_bytes value = stele_nil();
    stele_error why;
    stele_code code = sti_tree_value(&w->c, &value, &why);

    code = code == STELE_OK ? sti_value_mark(&mark, w->c.stored, &why) : code;
    w->s->entries++;
    if (code != STELE_OK) {
        return take(w, w->c.key, code, &why, err);
    }
    w->found.keys++;
    w->found.bytes += w->c.key.len + value.len;
    w->found.hash += sti_value_hash(&mark);
    w->s->faults->sum.keys++;
    return STELE_OK;
}

static stele_code look_at_all(struct walk *w, stele_error *err)
{
    stele_error why;
    stele_code code = STELE_OK;
    stele_code step;

    while (code == STELE_OK && (step = sti_tree_next(&w->c, &why)) != STELE_END) {
        if (step != STELE_OK) {
            return take(w, stele_nil(), step, &why, err);
        }
        code = look_at(w, err);
        if (code == STELE_OK && w->s->entries % STI_DEADLINE_EVERY == 0) {
            code = sti_deadline_look(w->s->deadline, err);
        }
    }
    return code;
}

static void compare(struct walk *w, const struct sti_bucket *said)
{
    const struct sti_bucket *found = &w->found;
    char text[160];

    if (found->keys != said->keys || found->bytes != said->bytes) {
        (void)snprintf(text, sizeof text,
                "it has %" PRIu64 " keys and %" PRIu64 " bytes instead of %" PRIu64 " and %" PRIu64,
                found->keys, found->bytes, said->keys, said->bytes);
        sti_scrub_tell(w->s, w->name, stele_nil(), STELE_ECORRUPT, text);
    } else if (found->hash != said->hash) {
        sti_scrub_tell(w->s, w->name, stele_nil(), STELE_ECORRUPT, "the hash of its keys differs");
    }
}

stele_code sti_scrub_bucket(struct sti_scrub *s, struct sti_lmdb_cursor *raw, stele_bytes name,
        const struct sti_bucket *bucket, stele_error *err)
{
    struct walk w = {.s = s, .name = name};
    stele_code code;

    sti_tree_cursor_init(&w.c, raw, bucket->number);
    code = look_at_all(&w, err);
    s->entries += w.c.links;
    sti_tree_cursor_free(&w.c);
    if (code == STELE_OK && !w.damaged) {
        compare(&w, bucket);
    }
    return code;
}
