/* SPDX-License-Identifier: MIT
 *
 * check.c: verify all of a log, and tell every fault.
 *
 * Beside a writer a fault may be a change that is under way: it is told only if it is still there
 * when the place is looked at again.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "wal/open.h"

#include <inttypes.h>

enum {
    LOOKS = 4
};

struct checking {
    struct sti_wal_found found;
    void (*each)(void *arg, const stele_wal_fault *fault);
    void *arg;
    stele_wal_checked sum;
    stele_error first; /* fault, as an error */
};

static void tell(struct checking *c, const stele_wal_fault *fault)
{
    if (c->sum.faults++ == 0) {
        if (fault->ids_known) {
            (void)sti_fail_at(&c->first, fault->code, fault->file, fault->position,
                    "%s: records %" PRIu64 " to %" PRIu64, fault->text, fault->first_id,
                    fault->last_id);
        } else {
            (void)sti_fail_at(
                    &c->first, fault->code, fault->file, fault->position, "%s", fault->text);
        }
    }
    if (c->each != NULL) {
        c->each(c->arg, fault);
    }
}

static void tell_text(struct checking *c, const char *file, uint64_t position, const char *text)
{
    const stele_wal_fault fault = {
            .file = file, .position = (int64_t)position, .code = STELE_ECORRUPT, .text = text};

    tell(c, &fault);
}

/* ids: last below first says that they are not known. */
static void tell_lost(struct checking *c, const struct sti_segment *seg, int64_t position,
        uint64_t first, uint64_t last, const char *text)
{
    const stele_wal_fault fault = {.file = seg->name,
            .position = position,
            .ids_known = last >= first && last != UINT64_MAX,
            .first_id = first,
            .last_id = last,
            .code = STELE_ECORRUPT,
            .text = text};

    tell(c, &fault);
}

/* An error about a whole segment, of which ids are known. */
static void tell_error(
        struct checking *c, const struct sti_segment *seg, stele_code code, const stele_error *why)
{
    const stele_wal_fault fault = {.file = seg->name,
            .position = why->position,
            .ids_known = true,
            .first_id = seg->first_id,
            .last_id = atomic_load(&seg->next_id) - 1,
            .code = code,
            .text = why->message};

    tell(c, &fault);
}

/* ---- Format stele. ---- */

/* Whether the manifest lists it still, as it did. */
static bool still_listed(struct checking *c, const struct sti_wal_entry *entry)
{
    struct sti_wal_manifest m;
    bool listed = false;

    if (sti_wal_manifest_read(&c->found.dir, &m, NULL, NULL, NULL) != STELE_OK) {
        return true;
    }
    for (size_t i = 0; i < m.count; i++) {
        listed = listed ||
                 (m.entries[i].number == entry->number && m.entries[i].last_id == entry->last_id);
    }
    sti_wal_manifest_free(&m);
    return listed;
}

static stele_code check_sealed(
        struct checking *c, const struct sti_wal_entry *entry, stele_error *err)
{
    struct sti_segment *seg = NULL;
    stele_error why;
    stele_code rc = sti_wal_segment_new(&seg, STELE_WAL_STELE, entry->number, err);

    if (rc != STELE_OK) {
        return rc;
    }
    seg->first_id = entry->first_id;
    atomic_store(&seg->next_id, entry->last_id + 1);
    atomic_store(&seg->end, entry->end);
    rc = sti_segment_verify(seg, &c->found.dir, &why);
    c->sum.segments++;
    if ((rc == STELE_ECORRUPT || rc == STELE_EVERSION) && still_listed(c, entry)) {
        tell_error(c, seg, rc, &why);
    } else if (rc == STELE_OK && !seg->damaged) {
        c->sum.records += entry->last_id - entry->first_id + 1;
    } else if (rc == STELE_OK && still_listed(c, entry)) {
        c->sum.records += seg->damage_id - entry->first_id;
        tell_lost(
                c, seg, (int64_t)seg->damage_at, seg->damage_id, entry->last_id, seg->damage_text);
    }
    sti_segment_drop(seg);
    if (rc != STELE_OK && rc != STELE_ECORRUPT && rc != STELE_EVERSION && err != NULL) {
        *err = why;
    }
    return rc == STELE_ECORRUPT || rc == STELE_EVERSION ? STELE_OK : rc;
}

/* The open segments, as they were at one time. */
struct newest {
    struct sti_wal_manifest manifest;
    struct sti_wal_examined x[2];
    size_t count;
    uint64_t next_id;
    bool any;
    struct sti_wal_judgement judgement;
    const struct sti_wal_examined *torn; /* of them, or NULL */
};

static void newest_free(struct newest *n)
{
    sti_wal_examined_free(&n->x[0]);
    sti_wal_examined_free(&n->x[1]);
    sti_wal_manifest_free(&n->manifest);
    memset(n, 0, sizeof *n);
}

static stele_code look_at_newest(struct checking *c, struct newest *n, stele_error *err)
{
    const struct sti_wal_manifest *m = &n->manifest;
    stele_code rc = sti_wal_manifest_read(&c->found.dir, &n->manifest, NULL, NULL, err);

    n->next_id = 1;
    n->any = true;
    for (size_t i = 0; rc == STELE_OK && i < m->count; i++) {
        if (m->entries[i].state == STI_WAL_ENTRY_SEALED) {
            n->next_id = m->entries[i].last_id + 1;
            n->any = false;
        } else {
            rc = sti_wal_examine(&n->x[n->count++], &c->found.dir, &m->entries[i], false, err);
        }
    }
    if (rc != STELE_OK || n->count == 0) {
        return rc;
    }
    sti_wal_judge(&n->x[0], n->count > 1 ? &n->x[1] : NULL, n->next_id, n->any, &n->judgement);
    for (size_t i = 0; i < n->count; i++) {
        if (n->x[i].scan.torn && !(i == 0 && n->count > 1 && n->x[1].begun)) {
            n->torn = &n->x[i];
        }
    }
    return STELE_OK;
}

static bool is_sound(const struct newest *n)
{
    return n->judgement.verdict == STI_WAL_GOOD && n->torn == NULL;
}

static void tell_newest(struct checking *c, const struct newest *n)
{
    const struct sti_wal_judgement *j = &n->judgement;

    for (size_t i = 0; i < n->count; i++) {
        c->sum.segments += n->x[i].scan.records > 0 ? 1 : 0;
        c->sum.records += n->x[i].scan.records;
    }
    if (j->verdict != STI_WAL_GOOD) {
        tell_lost(c, n->x[j->verdict == STI_WAL_BAD_FIRST ? 0 : 1].seg, j->position, j->first_lost,
                j->last_lost, j->text);
    } else if (n->torn != NULL) {
        tell_text(c, n->torn->seg->name, n->torn->scan.torn_at,
                "an unfinished record, as a crash leaves it");
    }
}

static bool is_sealed_in(const struct sti_wal_manifest *m, uint64_t number)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->entries[i].number == number) {
            return m->entries[i].state == STI_WAL_ENTRY_SEALED;
        }
    }
    return false;
}

/* What a writer has sealed since the sealed ones were checked. */
static stele_code check_sealed_since(
        struct checking *c, const struct sti_wal_manifest *now, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < now->count && rc == STELE_OK; i++) {
        const struct sti_wal_entry *entry = &now->entries[i];

        if (entry->state == STI_WAL_ENTRY_SEALED &&
                !is_sealed_in(&c->found.manifest, entry->number)) {
            rc = check_sealed(c, entry, err);
        }
    }
    return rc;
}

static stele_code check_newest(struct checking *c, stele_error *err)
{
    struct newest n = {.count = 0};
    stele_code rc = STELE_ENOTFOUND;

    for (int i = 0; i < LOOKS; i++) {
        newest_free(&n);
        rc = look_at_newest(c, &n, err);
        if (rc == STELE_OK && is_sound(&n)) {
            break;
        }
    }
    if (rc == STELE_EVERSION) {
        const stele_wal_fault fault = {.file = n.x[n.count - 1].seg->name,
                .position = 4,
                .code = rc,
                .text = "the version of the segment is not known"};

        rc = STELE_OK;
        tell(c, &fault);
    } else if (rc == STELE_OK) {
        rc = check_sealed_since(c, &n.manifest, err);
        tell_newest(c, &n);
    }
    newest_free(&n);
    return rc;
}

/* A segment that the manifest ought to list. */
static stele_code check_unlisted(
        struct checking *c, const struct sti_wal_listed *item, stele_error *err)
{
    const struct sti_wal_entry entry = {.number = item->number};
    bool begun = false;
    stele_code rc = sti_wal_is_unlisted(&c->found.dir, &c->found.manifest, item, &begun, err);

    if (rc == STELE_ENOTFOUND) {
        return STELE_OK; /* removed meanwhile */
    }
    if (rc == STELE_OK && begun && !still_listed(c, &entry)) {
        tell_text(c, item->name, 0, "the manifest does not list the segment: it is an old one");
    }
    return rc;
}

static stele_code check_stele(struct checking *c, stele_error *err)
{
    const struct sti_wal_manifest *m = &c->found.manifest;
    size_t count;
    const struct sti_wal_listed *items =
            sti_wal_listing_of(&c->found.listing, STI_WAL_NAME_STELE, &count);
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = check_unlisted(c, &items[i], err);
    }
    for (size_t i = 0; i < m->count && rc == STELE_OK; i++) {
        if (m->entries[i].state == STI_WAL_ENTRY_SEALED && !STI_MUTANT(WAL_CHECK_NEWEST_ONLY)) {
            rc = check_sealed(c, &m->entries[i], err);
        }
    }
    return rc != STELE_OK ? rc : check_newest(c, err);
}

/* Without a manifest each segment tells for itself. */
static stele_code check_alone(struct checking *c, stele_error *err)
{
    size_t count;
    const struct sti_wal_listed *items =
            sti_wal_listing_of(&c->found.listing, STI_WAL_NAME_STELE, &count);
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        const struct sti_wal_entry entry = {.number = items[i].number};
        struct sti_wal_examined x;

        rc = sti_wal_examine(&x, &c->found.dir, &entry, false, err);
        if (rc == STELE_OK && x.scan.damaged) {
            tell_lost(c, x.seg, (int64_t)x.scan.end, x.scan.next_id,
                    x.scan.resumes ? x.scan.resume_id - 1 : UINT64_MAX, "records are damaged");
        }
        c->sum.segments += x.begun ? 1 : 0;
        c->sum.records += x.scan.records;
        sti_wal_examined_free(&x);
    }
    return rc;
}

/* ---- Format blb. ---- */

static void tell_blb(struct checking *c, const struct sti_blb_files *all)
{
    struct sti_segment missing = {.number = 0};

    for (size_t i = 0; i < all->count; i++) {
        const struct sti_segment *seg = all->files[i].seg;

        c->sum.segments++;
        c->sum.records += all->files[i].scan.records;
        if (seg->damaged) {
            tell_lost(c, seg, (int64_t)seg->damage_at, seg->damage_id,
                    atomic_load(&seg->next_id) - 1, seg->damage_text);
        }
    }
    if (all->text != NULL && all->bad_at == all->count) {
        sti_wal_name_segment(missing.name, STELE_WAL_BLB, c->found.manifest.entries[0].number);
        tell_lost(c, &missing, -1, all->first_lost, all->last_lost, all->text);
    } else if (all->text != NULL) {
        tell_lost(c, all->files[all->bad_at].seg, all->position, all->first_lost, all->last_lost,
                all->text);
    } else if (all->count > 0 && all->files[all->count - 1].scan.torn) {
        tell_text(c, all->files[all->count - 1].seg->name, all->files[all->count - 1].scan.end,
                "an unfinished record, as a crash leaves it");
    }
}

static stele_code check_blb(struct checking *c, stele_error *err)
{
    struct sti_blb_files all = {.count = 0};
    stele_code rc = STELE_OK;

    for (int i = 0; i < LOOKS; i++) {
        sti_blb_files_free(&all);
        rc = i == 0 ? STELE_OK : sti_wal_find_again(&c->found, false, err);
        rc = rc != STELE_OK
                     ? rc
                     : sti_blb_scan(&all, &c->found.dir, &c->found.listing,
                               c->found.has_manifest ? &c->found.manifest : NULL, false, err);
        if (rc == STELE_OK ? all.text == NULL &&
                                     (all.count == 0 || !all.files[all.count - 1].scan.torn)
                           : rc != STELE_ENOTFOUND) {
            break;
        }
    }
    if (rc == STELE_OK) {
        tell_blb(c, &all);
    }
    sti_blb_files_free(&all);
    return rc;
}

/* ---- All of it. ---- */

static stele_code check_manifest(struct checking *c, stele_code found, const stele_error *why)
{
    stele_code rc = STELE_OK;

    for (int i = 0; i < LOOKS && rc == STELE_OK && c->found.slots == STI_WAL_SLOTS_DAMAGED; i++) {
        rc = sti_wal_find_again(&c->found, false, NULL);
    }
    if (found == STELE_ECORRUPT || found == STELE_EVERSION) {
        const stele_wal_fault fault = {
                .file = STI_WAL_MANIFEST_NAME, .position = -1, .code = found, .text = why->message};

        tell(c, &fault);
    } else if (c->found.slots == STI_WAL_SLOTS_DAMAGED && c->found.has_manifest) {
        tell_text(c, STI_WAL_MANIFEST_NAME, 0,
                "one of the two slots is damaged, or a crash interrupted its update");
    }
    /* Two valid slots that differ are no fault: the newer one says what counts, and a writer has
     * them so for as long as a sync takes. */
    return rc;
}

static stele_code check_found(struct checking *c, stele_code found, stele_error *err)
{
    stele_code rc = check_manifest(c, found, err);

    if (rc != STELE_OK || found == STELE_EVERSION) {
        return STELE_OK;
    }
    if (c->found.format == STELE_WAL_BLB) {
        return check_blb(c, err);
    }
    return c->found.has_manifest ? check_stele(c, err) : check_alone(c, err);
}

/* Whoever put it there may take it for a part of the log. */
static stele_code tell_foreign(void *arg, const char *name)
{
    const struct checking *c = arg;
    const stele_wal_fault note = {.file = name,
            .position = -1,
            .code = STELE_OK,
            .text = "not a file of a log, and ignored"};
    uint64_t number;

    if (sti_wal_name_parse(name, &number) == STI_WAL_NAME_OTHER &&
            strcmp(name, STI_WAL_LOCK_NAME) != 0) {
        c->each(c->arg, &note);
    }
    return STELE_OK;
}

stele_code stele_wal_check_dir(const char *dir, const stele_wal_options *opts,
        void (*each)(void *arg, const stele_wal_fault *fault), void *arg, stele_wal_checked *out,
        stele_error *err)
{
    struct checking c = {.each = each, .arg = arg};
    stele_wal_options options;
    stele_error why;
    stele_code rc;

    if (dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory");
    }
    rc = sti_wal_options_copy(&options, opts, err);
    if (rc != STELE_OK) {
        return rc;
    }
    options.read_only = true;
    rc = sti_wal_find(&c.found, dir, &options, &why);
    if (rc == STELE_OK ||
            ((rc == STELE_ECORRUPT || rc == STELE_EVERSION) && c.found.dir.raw != NULL)) {
        rc = check_found(&c, rc, &why);
        rc = rc != STELE_OK || each == NULL ? rc
                                            : sti_dir_list(&c.found.dir, tell_foreign, &c, &why);
    }
    sti_wal_found_free(&c.found);
    if (rc != STELE_OK) {
        return sti_fail_at(err, rc, why.file[0] == '\0' ? dir : why.file, why.position,
                "cannot check log %s: %s", dir, why.message);
    }
    if (out != NULL) {
        *out = c.sum;
    }
    if (c.sum.faults > 0) {
        if (err != NULL) {
            *err = c.first;
        }
        return c.first.code == STELE_EVERSION ? STELE_EVERSION : STELE_ECORRUPT;
    }
    return STELE_OK;
}
