/* SPDX-License-Identifier: MIT */
#include "crash/journal_files.h"

#include "journal/names.h"
#include "wal/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool counts(const struct sim_image *image, uint32_t i)
{
    const struct sim_entry *e = &image->entries[i];

    return strcmp(image->dirs[e->dir].path, JMODEL_DIR) == 0 &&
           strcmp(e->name, STI_JOURNAL_LOCK_NAME) != 0;
}

/* The entry with this name, or entry_count. */
static uint32_t find(const struct sim_image *image, const char *name)
{
    uint32_t i = 0;

    while (i < image->entry_count &&
            !(counts(image, i) && strcmp(image->entries[i].name, name) == 0)) {
        i++;
    }
    return i;
}

uint64_t jfiles_fingerprint(const struct sim_image *image)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        const struct sim_entry *e = &image->entries[i];

        if (counts(image, i)) {
            sum += sim_mix(sim_hash_name(e->name) + sim_mix(e->content->hash));
        }
    }
    return sum;
}

/* A file of `a` that `b` has not, or not so; NULL for none. */
static const char *first_missing(const struct sim_image *a, const struct sim_image *b)
{
    for (uint32_t i = 0; i < a->entry_count; i++) {
        const struct sim_entry *e = &a->entries[i];
        uint32_t j = find(b, e->name);

        if (counts(a, i) &&
                (j == b->entry_count || b->entries[j].content->size != e->content->size ||
                        b->entries[j].content->hash != e->content->hash)) {
            return e->name;
        }
    }
    return NULL;
}

int jfiles_check_same(struct sim_image *before, struct sim_world *w, const char *who,
        const struct jmodel_why *why)
{
    struct sim_image *after = sim_disk_image(w->disk);
    const char *name = first_missing(before, after);
    int result;

    name = name != NULL ? name : first_missing(after, before);
    result = name == NULL ? 0 : jmodel_wrong(why, "%s changed %s", who, name);
    sim_image_unref(after);
    sim_image_unref(before);
    return result;
}

/* Whether there is anything in a log but its header. */
static bool has_frames(const struct sim_image *image, uint32_t entry)
{
    uint64_t size = 0;
    uint8_t *bytes = sim_image_read(image, entry, &size);
    uint64_t at = STI_WAL_HEADER_SIZE;

    while (at < size && bytes[at] == 0) {
        at++;
    }
    free(bytes);
    return at < size;
}

/* ---- Names. ---- */

static int judge_names(
        const struct sim_image *image, struct jfiles_counts *c, const struct jmodel_why *why)
{
    uint64_t snap = 0;
    uint64_t oldest_log = UINT64_MAX;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        const char *name = image->entries[i].name;
        uint64_t number = 0;
        enum sti_journal_name_kind kind = sti_journal_name_parse(name, &number);

        if (!counts(image, i)) {
            continue;
        }
        if (kind == STI_JOURNAL_NAME_UNFINISHED || kind == STI_JOURNAL_NAME_LEFTOVER ||
                kind == STI_JOURNAL_NAME_OTHER) {
            return jmodel_wrong(why, "a leftover: %s", name);
        }
        if (kind == STI_JOURNAL_NAME_SNAP) {
            c->snaps++;
            snap = number;
        } else if (kind == STI_JOURNAL_NAME_LOG) {
            c->logs++;
            oldest_log = number < oldest_log ? number : oldest_log;
            c->newest_log = number > c->newest_log ? number : c->newest_log;
        }
    }
    if (c->snaps > 1) {
        return jmodel_wrong(why, "there are %u snapshots", c->snaps);
    }
    if (oldest_log <= snap) {
        return jmodel_wrong(
                why, "log %" PRIu64 " is older than snapshot %" PRIu64, oldest_log, snap);
    }
    return 0;
}

int jfiles_check_names(
        struct sim_world *w, struct jfiles_counts *counted, const struct jmodel_why *why)
{
    struct sim_image *image = sim_disk_image(w->disk);
    struct jfiles_counts c = {0};
    int result = judge_names(image, &c, why);

    if (counted != NULL) {
        *counted = c;
    }
    sim_image_unref(image);
    return result;
}

void jfiles_newest_log(const struct sim_image *image, char name[STELE_JOURNAL_NAME_SIZE])
{
    uint64_t newest = 0;

    name[0] = '\0';
    for (uint32_t i = 0; i < image->entry_count; i++) {
        uint64_t number = 0;

        if (counts(image, i) &&
                sti_journal_name_parse(image->entries[i].name, &number) == STI_JOURNAL_NAME_LOG &&
                number >= newest && has_frames(image, i)) {
            newest = number;
            sti_journal_name(name, STI_JOURNAL_NAME_LOG, number);
        }
    }
}

bool jfiles_is_superseded(const char *log, const stele_journal_played *played)
{
    uint64_t number = 0;
    uint64_t snap = 0;

    return sti_journal_name_parse(log, &number) == STI_JOURNAL_NAME_LOG &&
           sti_journal_name_parse(played->snapshot, &snap) == STI_JOURNAL_NAME_SNAP &&
           number < snap;
}

/* ---- Quarantine. ---- */

/* The file that a quarantine file is of; false if the name is not such a one. */
static bool parse_quarantine(const char *file, char name[SIM_NAME_SIZE])
{
    static const char prefix[] = "quarantine-";
    const char *dash = strrchr(file, '-');
    uint64_t ignored;
    size_t len;

    if (sti_journal_name_parse(file, &ignored) != STI_JOURNAL_NAME_QUARANTINE) {
        return false;
    }
    len = (size_t)(dash - (file + sizeof prefix - 1));
    memcpy(name, file + sizeof prefix - 1, len);
    name[len] = '\0';
    return true;
}

static bool holds(const struct sim_image *image, uint32_t entry, const uint8_t *part, size_t len)
{
    uint64_t size = 0;
    uint8_t *bytes = sim_image_read(image, entry, &size);
    bool found = len == 0 || memmem(bytes, (size_t)size, part, len) != NULL;

    free(bytes);
    return found;
}

static int check_new(const struct sim_image *before, const struct sim_image *after, uint32_t entry,
        const struct jmodel_why *why)
{
    const char *file = after->entries[entry].name;
    char name[SIM_NAME_SIZE];
    uint64_t len = 0;
    uint8_t *part;
    uint32_t from;
    int result = 0;

    if (!parse_quarantine(file, name)) {
        return 0;
    }
    from = find(before, name);
    if (from == before->entry_count) {
        return jmodel_wrong(why, "%s is of a file that was not there", file);
    }
    part = sim_image_read(after, entry, &len);
    if (!holds(before, from, part, (size_t)len)) {
        result = jmodel_wrong(why, "%s does not hold what was there", file);
    }
    free(part);
    return result;
}

int jfiles_check_quarantine(
        const struct sim_image *before, const struct sim_image *after, const struct jmodel_why *why)
{
    char name[SIM_NAME_SIZE];
    int result = 0;

    for (uint32_t i = 0; i < after->entry_count && result == 0; i++) {
        if (counts(after, i) && find(before, after->entries[i].name) == before->entry_count) {
            result = check_new(before, after, i, why);
        }
    }
    for (uint32_t i = 0; i < before->entry_count && result == 0; i++) {
        const struct sim_entry *e = &before->entries[i];
        uint32_t j = find(after, e->name);

        if (counts(before, i) && parse_quarantine(e->name, name) &&
                (j == after->entry_count || after->entries[j].content->hash != e->content->hash)) {
            result = jmodel_wrong(why, "%s is not as it was", e->name);
        }
    }
    return result;
}

/* In any quarantine file of the file. */
static bool is_in_quarantine(
        const struct sim_image *image, const char *of, const uint8_t *part, size_t len)
{
    char name[SIM_NAME_SIZE];

    for (uint32_t i = 0; i < image->entry_count; i++) {
        if (counts(image, i) && parse_quarantine(image->entries[i].name, name) &&
                strcmp(name, of) == 0 && holds(image, i, part, len)) {
            return true;
        }
    }
    return false;
}

int jfiles_check_torn(const struct sim_image *before, const struct sim_image *after,
        const stele_journal_played *played, const struct jmodel_why *why)
{
    uint32_t entry = find(before, played->torn_file);
    uint64_t size = 0;
    uint64_t end = played->torn_position + played->torn_bytes;
    uint8_t *bytes;
    int result = 0;

    if (!played->torn) {
        return 0;
    }
    if (entry == before->entry_count) {
        return jmodel_wrong(why, "%s is torn, and not there", played->torn_file);
    }
    bytes = sim_image_read(before, entry, &size);
    if (end > size) {
        result = jmodel_wrong(why, "torn up to %" PRIu64 " of %" PRIu64 " bytes", end, size);
    }
    while (result == 0 && end > played->torn_position && bytes[end - 1] == 0) {
        end--;
    }
    if (result == 0 && !is_in_quarantine(after, played->torn_file, bytes + played->torn_position,
                               (size_t)(end - played->torn_position))) {
        result = jmodel_wrong(why, "what was cut of %s is not in quarantine", played->torn_file);
    }
    free(bytes);
    return result;
}

/* ---- Operations in files. ---- */

/* In any file of the kinds; zeros at its end are not looked for: they need not be put aside. */
static bool holds_data(
        const struct sim_image *image, const char *only, const struct jops_made *made)
{
    size_t len = made->op.value.len;

    while (len > 0 && made->data[len - 1] == 0) {
        len--;
    }
    for (uint32_t i = 0; i < image->entry_count; i++) {
        if (counts(image, i) && (only == NULL || strcmp(image->entries[i].name, only) == 0) &&
                holds(image, i, made->data, len)) {
            return true;
        }
    }
    return false;
}

int jfiles_check_kept(const struct sim_image *before, const struct sim_image *after,
        const struct jmodel *m, uint64_t count, const struct jmodel_why *why)
{
    char newest[STELE_JOURNAL_NAME_SIZE];

    jfiles_newest_log(before, newest);
    for (uint64_t i = count + 1; i < m->limit; i++) {
        uint64_t there = m->at[i].tried & ~m->at[i].dead;

        for (unsigned attempt = 0; attempt < JOPS_ATTEMPTS; attempt++) {
            struct jops_made made;

            if ((there >> attempt & 1) == 0) {
                continue;
            }
            jops_make(&made, jops_value(m->epoch, i, attempt), m->config->large);
            if (made.op.value.len > 0 && holds_data(before, newest, &made) &&
                    !holds_data(after, NULL, &made)) {
                return jmodel_wrong(why, "operation %" PRIu64 " was thrown away", i);
            }
        }
    }
    return 0;
}
