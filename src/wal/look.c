/* SPDX-License-Identifier: MIT
 *
 * look.c: reading a log without its lock, beside a writer or behind one.
 *
 * What is read may change under the reader's hands: a segment is sealed, the next one begun, others
 * are removed or used again. Each such change is told by the manifest's generation or by a seal, so
 * a look that fails is taken again; damage is believed when looks agree. What cannot be read is in
 * the list, too, as a damaged segment: reads up to it work.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "wal/open.h"

enum {
    LOOKS = 8
};

/* The list that is being made. */
struct look {
    struct sti_log *log;
    struct sti_wal_manifest manifest;
    struct sti_segment **segments; /* owned, and held each */
    size_t count;
    size_t capacity;
    struct sti_segment *head; /* of them, or NULL */
    uint64_t next_id;
    bool any;
    bool bad; /* the end is damaged, if that was no race */
};

static void look_free(struct look *l)
{
    for (size_t i = 0; i < l->count; i++) {
        sti_segment_drop(l->segments[i]);
    }
    sti_free(l->segments);
    sti_wal_manifest_free(&l->manifest);
    memset(l, 0, sizeof *l);
}

/* Takes the hold over in any case. */
static stele_code add(struct look *l, struct sti_segment *seg, stele_error *err)
{
    if (l->count == l->capacity) {
        size_t more = l->capacity == 0 ? 16 : 2 * l->capacity;
        struct sti_segment **grown = sti_realloc(l->segments, more, sizeof(struct sti_segment *));

        if (grown == NULL) {
            sti_segment_drop(seg);
            return sti_fail_memory(err, more * sizeof(struct sti_segment *));
        }
        l->segments = grown;
        l->capacity = more;
    }
    l->segments[l->count++] = seg;
    l->next_id = atomic_load(&seg->next_id);
    l->any = false;
    return STELE_OK;
}

/* The handle's own list changes here alone, under `load`. */
static struct sti_segment *known(const struct sti_log *log, uint64_t number)
{
    for (size_t i = log->segment_count; i > 0; i--) {
        if (log->segments[i - 1]->number == number) {
            return log->segments[i - 1];
        }
    }
    return NULL;
}

/* ---- Format stele. ---- */

static stele_code add_sealed(struct look *l, const struct sti_wal_entry *entry, stele_error *err)
{
    struct sti_segment *seg = known(l->log, entry->number);
    stele_code rc;

    if (seg != NULL && atomic_load(&seg->sealed) && !seg->damaged &&
            seg->first_id == entry->first_id && atomic_load(&seg->end) == entry->end &&
            atomic_load(&seg->next_id) == entry->last_id + 1) {
        sti_segment_hold(seg);
        return add(l, seg, err);
    }
    rc = sti_wal_segment_new(&seg, STELE_WAL_STELE, entry->number, err);
    if (rc != STELE_OK) {
        return rc;
    }
    seg->first_id = entry->first_id;
    atomic_store(&seg->next_id, entry->last_id + 1);
    atomic_store(&seg->end, entry->end);
    atomic_store(&seg->sealed, true);
    return add(l, seg, err);
}

/* One that was open, as far as it can be read. */
static stele_code add_open(
        struct look *l, struct sti_wal_examined *x, bool sealed, stele_error *err)
{
    struct sti_segment *seg = x->seg;
    stele_code rc;

    x->seg = NULL;
    seg->indexed = true;
    atomic_store(&seg->loaded, true);
    atomic_store(&seg->sealed, sealed);
    rc = add(l, seg, err);
    if (rc == STELE_OK && !sealed) {
        l->head = seg;
    }
    return rc;
}

/* What is not there is told by a segment that cannot be read. */
static stele_code add_bad(struct look *l, struct sti_wal_examined *x,
        const struct sti_wal_judgement *j, stele_error *err)
{
    struct sti_segment *seg = x->seg;
    bool usable = x->scan.header && j->first_lost == x->scan.next_id;
    uint64_t from = usable ? x->scan.end : 0;
    uint64_t next = j->last_lost >= j->first_lost && j->last_lost < UINT64_MAX ? j->last_lost + 1
                    : j->first_lost < UINT64_MAX                               ? j->first_lost + 1
                                                                               : UINT64_MAX;

    if (!usable) {
        seg->first_id = j->first_lost;
        atomic_store(&seg->end, 0);
    }
    sti_segment_set_damaged(seg, from, j->first_lost, j->text);
    atomic_store(&seg->next_id, next);
    l->bad = true;
    return add_open(l, x, false, err);
}

static stele_code add_examined(
        struct look *l, struct sti_wal_examined x[2], size_t count, stele_error *err)
{
    struct sti_wal_examined *first = &x[0];
    struct sti_wal_examined *second = count > 1 ? &x[1] : NULL;
    struct sti_wal_judgement j;
    bool followed = second != NULL && !second->missing && second->scan.header;
    stele_code rc = STELE_OK;

    sti_wal_judge(first, second, l->next_id, l->any, &j);
    if (j.verdict == STI_WAL_BAD_FIRST) {
        return add_bad(l, first, &j, err);
    }
    if (first->scan.header && first->scan.records > 0) {
        rc = add_open(l, first, first->scan.sealed || followed, err);
    }
    if (rc == STELE_OK && j.verdict == STI_WAL_BAD_SECOND) {
        sti_assert(second != NULL);
        return add_bad(l, second, &j, err);
    }
    if (rc == STELE_OK && followed && second->scan.records > 0) {
        rc = add_open(l, second, second->scan.sealed, err);
    }
    return rc;
}

static stele_code look_stele(struct look *l, stele_error *err)
{
    const struct sti_wal_manifest *m = &l->manifest;
    struct sti_wal_examined x[2] = {{.seg = NULL}};
    size_t count = 0;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < m->count && rc == STELE_OK; i++) {
        if (m->entries[i].state == STI_WAL_ENTRY_SEALED) {
            rc = add_sealed(l, &m->entries[i], err);
        } else {
            sti_assert(count < 2);
            rc = sti_wal_examine(&x[count++], &l->log->dir, &m->entries[i], false, err);
        }
    }
    if (rc == STELE_OK && count > 0) {
        rc = add_examined(l, x, count, err);
    }
    sti_wal_examined_free(&x[0]);
    sti_wal_examined_free(&x[1]);
    return rc;
}

/* ---- Format blb. ---- */

static stele_code add_blb(struct look *l, struct sti_blb_files *all, size_t i, stele_error *err)
{
    struct sti_segment *seg = all->files[i].seg;
    bool last = i + 1 == all->count;
    stele_code rc;

    all->files[i].seg = NULL;
    if (all->text != NULL && i == all->bad_at) {
        uint64_t next = all->last_lost >= all->first_lost && all->last_lost < UINT64_MAX
                                ? all->last_lost + 1
                                : all->first_lost + 1;
        bool usable = all->first_lost == atomic_load(&seg->next_id);

        if (!usable) {
            seg->first_id = all->first_lost;
        }
        sti_segment_set_damaged(
                seg, usable ? atomic_load(&seg->end) : 0, all->first_lost, all->text);
        atomic_store(&seg->next_id, next);
        last = true;
    }
    atomic_store(&seg->loaded, last && seg->file.raw != NULL);
    rc = add(l, seg, err);
    if (rc == STELE_OK && last) {
        l->head = seg;
    }
    return rc;
}

/* The last file is not there: as above, a segment that cannot be read tells. */
static stele_code add_missing_blb(struct look *l, const struct sti_blb_files *all, stele_error *err)
{
    struct sti_segment *seg = NULL;
    stele_code rc = sti_wal_segment_new(&seg, STELE_WAL_BLB, l->manifest.entries[0].number, err);

    if (rc != STELE_OK) {
        return rc;
    }
    seg->first_id = all->first_lost;
    seg->indexed = true;
    sti_segment_set_damaged(seg, 0, all->first_lost, all->text);
    atomic_store(&seg->next_id, all->first_lost + 1);
    atomic_store(&seg->loaded, true);
    rc = add(l, seg, err);
    if (rc == STELE_OK) {
        l->head = seg;
    }
    return rc;
}

static stele_code look_blb(struct look *l, bool has_manifest, stele_error *err)
{
    struct sti_wal_listing listing = {0};
    struct sti_blb_files all = {0};
    size_t upto;
    stele_code rc = sti_wal_listing_read(&listing, &l->log->dir, err);

    rc = rc != STELE_OK ? rc
                        : sti_blb_scan(&all, &l->log->dir, &listing,
                                  has_manifest ? &l->manifest : NULL, false, err);
    upto = all.text != NULL && all.bad_at < all.count ? all.bad_at + 1 : all.count;
    for (size_t i = 0; i < upto && rc == STELE_OK; i++) {
        if (all.files[i].scan.records > 0 || all.files[i].seg->damaged || i + 1 == upto) {
            rc = add_blb(l, &all, i, err);
        }
    }
    if (rc == STELE_OK && all.text != NULL && all.bad_at >= all.count) {
        rc = add_missing_blb(l, &all, err);
    }
    l->bad = all.text != NULL;
    sti_blb_files_free(&all);
    sti_wal_listing_free(&listing);
    return rc;
}

/* ---- Looking again. ---- */

/* The newest segment goes on. *more is false if it is not known that this is all there is. */
static stele_code look_at_head(struct sti_log *log, bool *moved, bool *all, stele_error *err)
{
    struct sti_segment *head = log->head;
    struct sti_wal_reader r = {0};
    uint64_t before = atomic_load(&head->next_id);
    bool sealed = false;
    stele_file_stat stat;
    stele_code rc = sti_file_stat(&head->file, &stat, err);

    if (rc == STELE_OK) {
        rc = sti_segment_advance(head, &r, stat.size, &log->view, &sealed, err);
    }
    sti_wal_reader_free(&r);
    *moved = atomic_load(&head->next_id) != before;
    *all = !sealed;
    return rc;
}

/* Whether the files of format blb are still those of the list. */
static bool blb_is_same(struct sti_log *log)
{
    struct sti_wal_listing listing = {0};
    struct sti_segment *head = log->head;
    stele_file_stat named;
    stele_file_stat opened;
    size_t count = 0;
    const struct sti_wal_listed *items = NULL;
    bool same = false;

    if (sti_wal_listing_read(&listing, &log->dir, NULL) == STELE_OK) {
        items = sti_wal_listing_of(&listing, STI_WAL_NAME_BLB, &count);
        same = count > 0 && items[count - 1].number == head->number &&
               items[0].number == log->segments[0]->number &&
               sti_dir_stat(&log->dir, head->name, &named, NULL) == STELE_OK &&
               sti_file_stat(&head->file, &opened, NULL) == STELE_OK && named.id == opened.id &&
               opened.size >= atomic_load(&head->end);
    }
    sti_wal_listing_free(&listing);
    return same;
}

/* What is known already, brought up to date. *all: that is all there is. */
static stele_code look_ahead(
        struct sti_log *log, const struct look *l, bool *moved, bool *all, stele_error *err)
{
    *moved = false;
    *all = false;
    if (log->head == NULL || l->manifest.generation != log->manifest.generation) {
        return STELE_OK;
    }
    if (log->head->damaged) {
        *all = true;
        return STELE_OK;
    }
    if (log->format == STELE_WAL_BLB && !blb_is_same(log)) {
        return STELE_OK;
    }
    return look_at_head(log, moved, all, err);
}

/* The new list in place of the old one. */
static void swap(struct sti_log *log, struct look *l, bool *changed)
{
    struct look old = {.segments = log->segments, .count = log->segment_count};

    *changed = l->count != log->segment_count;
    for (size_t i = 0; i < l->count && !*changed; i++) {
        *changed = l->segments[i] != log->segments[i];
    }
    sti_mutex_lock(&log->view);
    log->segments = l->segments;
    log->segment_count = l->count;
    log->segment_capacity = l->capacity;
    log->head = l->head;
    log->view_generation += *changed ? 1 : 0;
    sti_mutex_unlock(&log->view);
    old.manifest = log->manifest;
    log->manifest = l->manifest;
    memset(l, 0, sizeof *l);
    look_free(&old);
}

static stele_code look_once(
        struct sti_log *log, struct look *l, bool *moved, bool *all, stele_error *err)
{
    bool has_manifest;
    stele_code rc;

    memset(l, 0, sizeof *l);
    l->log = log;
    l->next_id = 1;
    l->any = true;
    rc = sti_wal_manifest_read(&log->dir, &l->manifest, NULL, NULL, err);
    has_manifest = rc == STELE_OK;
    if (rc == STELE_ENOTFOUND && log->format == STELE_WAL_BLB) {
        rc = STELE_OK;
    }
    if (rc == STELE_OK && has_manifest && l->manifest.format != log->format) {
        rc = sti_fail(err, STELE_EMISMATCH, "the log has been brought into another format");
    }
    rc = rc != STELE_OK ? rc : look_ahead(log, l, moved, all, err);
    if (rc != STELE_OK || *all) {
        return rc;
    }
    return log->format == STELE_WAL_BLB ? look_blb(l, has_manifest, err) : look_stele(l, err);
}

stele_code sti_log_refresh(struct sti_log *log, bool *changed, stele_error *err)
{
    struct look l = {.log = NULL};
    bool moved = false;
    bool all = false;
    bool replaced = false;
    stele_code rc = STELE_OK;

    sti_assert(log->base.read_only);
    sti_mutex_lock(&log->load);
    for (int i = 0; i < LOOKS; i++) {
        bool more = false;

        look_free(&l);
        rc = look_once(log, &l, &more, &all, err);
        moved = moved || more;
        if (rc == STELE_OK ? all || !l.bad : rc != STELE_ECORRUPT && rc != STELE_ENOTFOUND) {
            break;
        }
    }
    if (rc == STELE_OK && !all) {
        swap(log, &l, &replaced);
    }
    look_free(&l);
    sti_mutex_unlock(&log->load);
    if (rc == STELE_OK && changed != NULL) {
        *changed = moved || replaced;
    }
    return rc;
}
