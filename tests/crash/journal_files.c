/* SPDX-License-Identifier: MIT */
#include "crash/journal_files.h"

#include "journal/names.h"
#include "wal/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct dir_files files = {JMODEL_DIR, STI_JOURNAL_LOCK_NAME};

uint64_t jfiles_fingerprint(const struct sim_image *image)
{
    return dir_files_fingerprint(&files, image);
}

int jfiles_check_same(
        struct sim_image *before, struct sim_world *w, const char *who, const struct crash_why *why)
{
    return dir_files_check_same(&files, before, w, who, why);
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
        const struct sim_image *image, struct jfiles_counts *c, const struct crash_why *why)
{
    uint64_t snap = 0;
    uint64_t oldest_log = UINT64_MAX;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        const char *name = image->entries[i].name;
        uint64_t number = 0;
        enum sti_journal_name_kind kind = sti_journal_name_parse(name, &number);

        if (!dir_files_has(&files, image, i)) {
            continue;
        }
        if (kind == STI_JOURNAL_NAME_UNFINISHED || kind == STI_JOURNAL_NAME_LEFTOVER ||
                kind == STI_JOURNAL_NAME_OTHER) {
            return crash_wrong(why, "a leftover: %s", name);
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
        return crash_wrong(why, "there are %u snapshots", c->snaps);
    }
    if (oldest_log <= snap) {
        return crash_wrong(
                why, "log %" PRIu64 " is older than snapshot %" PRIu64, oldest_log, snap);
    }
    return 0;
}

int jfiles_check_names(
        struct sim_world *w, struct jfiles_counts *counted, const struct crash_why *why)
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

        if (dir_files_has(&files, image, i) &&
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

int jfiles_check_quarantine(
        const struct sim_image *before, const struct sim_image *after, const struct crash_why *why)
{
    return dir_files_check_quarantine(&files, before, after, why);
}

/* In any quarantine file of the file. */
static bool is_in_quarantine(
        const struct sim_image *image, const char *of, const uint8_t *part, size_t len)
{
    char name[SIM_NAME_SIZE];

    for (uint32_t i = 0; i < image->entry_count; i++) {
        if (dir_files_has(&files, image, i) &&
                dir_files_quarantine_of(image->entries[i].name, name) && strcmp(name, of) == 0 &&
                dir_files_holds(image, i, part, len)) {
            return true;
        }
    }
    return false;
}

int jfiles_check_torn(const struct sim_image *before, const struct sim_image *after,
        const stele_journal_played *played, const struct crash_why *why)
{
    uint32_t entry = dir_files_find(&files, before, played->torn_file);
    uint64_t size = 0;
    uint64_t end = played->torn_position + played->torn_bytes;
    uint8_t *bytes;
    int result = 0;

    if (!played->torn) {
        return 0;
    }
    if (entry == before->entry_count) {
        return crash_wrong(why, "%s is torn, and not there", played->torn_file);
    }
    bytes = sim_image_read(before, entry, &size);
    if (end > size) {
        result = crash_wrong(why, "torn up to %" PRIu64 " of %" PRIu64 " bytes", end, size);
    }
    while (result == 0 && end > played->torn_position && bytes[end - 1] == 0) {
        end--;
    }
    if (result == 0 && !is_in_quarantine(after, played->torn_file, bytes + played->torn_position,
                               (size_t)(end - played->torn_position))) {
        result = crash_wrong(why, "what was cut of %s is not in quarantine", played->torn_file);
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
        if (dir_files_has(&files, image, i) &&
                (only == NULL || strcmp(image->entries[i].name, only) == 0) &&
                dir_files_holds(image, i, made->data, len)) {
            return true;
        }
    }
    return false;
}

int jfiles_check_kept(const struct sim_image *before, const struct sim_image *after,
        const struct jmodel *m, uint64_t count, const struct crash_why *why)
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
                return crash_wrong(why, "operation %" PRIu64 " was thrown away", i);
            }
        }
    }
    return 0;
}
