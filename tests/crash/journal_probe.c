/* SPDX-License-Identifier: MIT */
#include "crash/journal_probe.h"

#include "crash/journal_files.h"
#include "crash/journal_run.h"
#include "journal/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MAX = 2 << 20,
    NOTE_MERGED = 100 /* acknowledged: a merge of so many operations */
};

/* ---- The run. ---- */

static void look_at_files(struct journal_probe *probe, struct sim_world *w)
{
    struct sim_image *image = sim_disk_image(w->disk);

    probe->file_count = 0;
    probe->newest_log = 0;
    probe->newest_snap = 0;
    for (uint32_t i = 0; i < image->entry_count; i++) {
        const struct sim_entry *e = &image->entries[i];
        struct journal_probe_file *f = &probe->files[probe->file_count];
        uint64_t number = 0;
        enum sti_journal_name_kind kind = sti_journal_name_parse(e->name, &number);
        uint64_t *newest = kind == STI_JOURNAL_NAME_LOG ? &probe->newest_log : &probe->newest_snap;

        if ((kind == STI_JOURNAL_NAME_LOG || kind == STI_JOURNAL_NAME_SNAP) &&
                probe->file_count < JOURNAL_PROBE_FILES) {
            *newest = number > *newest ? number : *newest;
            sti_journal_name(f->name, kind, number);
            f->size = e->content->size;
            f->hash = e->content->hash;
            probe->file_count++;
        }
    }
    sim_image_unref(image);
}

/* A merge; with `old`, of which the files stay that it replaced. */
static void merge(struct journal_probe *probe, struct journal_run *r)
{
    struct sim_fault stay = {.calls = SIM_CALL_UNLINK, .error = EIO, .persistent = true};

    if (!probe->old) {
        jrun_snapshot(r);
        return;
    }
    sim_disk_set_fault(r->w->disk, &stay);
    if (!r->over && stele_journal_snapshot(r->journal, &r->err) != STELE_OK) {
        r->over = true;
    }
    sim_disk_set_fault(r->w->disk, NULL);
}

static int run(void *arg, struct sim_world *w)
{
    struct journal_probe *probe = arg;
    struct journal_run *r = sim_alloc(sizeof *r);
    int result;

    jrun_begin(r, w, &probe->config);
    jrun_record(r);
    jrun_dump(r, 6);
    jrun_snapshot(r);
    jrun_dump(r, 3);
    if (!probe->old) {
        jrun_stop(r);
        jrun_record(r);
    }
    jrun_dump(r, 3);
    if (probe->old) {
        merge(probe, r);
        jrun_dump(r, 3);
    }
    probe->count = r->next - 1;
    if (probe->crashed && !r->over) {
        jrun_abandon(r);
    }
    result = jrun_end(r);
    look_at_files(probe, w);
    free(r);
    return result;
}

/* Whatever is written while it merges: all that was dumped before can be played, from the new
 * snapshot or from the old files. */
static void merge_lied_to(struct journal_run *r)
{
    uint64_t before = sim_disk_fault_hits(r->w->disk);
    stele_code rc = stele_journal_snapshot(r->journal, &r->err);

    if (rc == STELE_OK || (before == 0 && sim_disk_fault_hits(r->w->disk) > 0)) {
        sim_note_ack(r->w, NOTE_MERGED, r->next - 1);
    }
    r->first = r->first == STELE_OK ? rc : r->first;
}

/* A program that merges, and gives up at the first error. */
static int run_to_lie(void *arg, struct sim_world *w)
{
    struct journal_probe *probe = arg;
    struct journal_run *r = sim_alloc(sizeof *r);
    int result;

    jrun_begin(r, w, &probe->config);
    jrun_record(r);
    for (int i = 0; i < 2 && r->first == STELE_OK && !r->over; i++) {
        jrun_dump(r, 4);
        merge_lied_to(r);
    }
    jrun_dump(r, 1);
    probe->count = r->next - 1;
    result = jrun_end(r);
    look_at_files(probe, w);
    free(r);
    return result;
}

/* The loops need a check of the undamaged files: the model's own is in journal_explore. */
static int check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    (void)arg;
    (void)w;
    (void)at_op;
    (void)notes;
    (void)why;
    (void)why_len;
    return 0;
}

/* ---- What a play gave. ---- */

/* Whether it is the beginning of what a play of undamaged files would give, from whatever
 * snapshot. */
static bool is_beginning(
        const struct journal_probe *probe, const struct jmodel_play *p, uint64_t extra)
{
    uint64_t behind = p->count - p->played.snapshot_ops;
    uint64_t snap_count = p->played.count - behind;
    uint64_t list[JOPS_SLOTS];
    struct jops_state state;
    size_t size;

    if (p->bad > 0 || p->played.ops != p->count || p->played.snapshot_ops > p->count ||
            p->played.count < behind || p->played.count > probe->count + extra) {
        return false;
    }
    jops_state_init(&state);
    for (uint64_t i = 1; i <= snap_count; i++) {
        jops_apply(&state, jops_value(0, i, 0), probe->config.large);
    }
    size = jops_list(&state, list);
    if (size != p->played.snapshot_ops || memcmp(list, p->values, size * sizeof *list) != 0) {
        return false;
    }
    for (size_t i = size; i < p->count; i++) {
        if (p->values[i] != jops_value(0, snap_count + (i - size) + 1, 0)) {
            return false;
        }
    }
    return true;
}

/* What reading damaged files came to. */
struct seen {
    struct jmodel_play play;
    stele_code rc; /* of the play */
    char text[STELE_ERROR_MESSAGE_SIZE];
};

/* What happened to the files. */
struct damage {
    enum sti_journal_name_kind kind; /* of the one that is damaged; STI_JOURNAL_NAME_OTHER: none */
    uint64_t number;
    bool shorter;
};

static void find_damage(
        const struct journal_probe *probe, struct sim_world *w, struct damage *damage)
{
    struct sim_image *image = sim_disk_image(w->disk);

    *damage = (struct damage){.kind = STI_JOURNAL_NAME_OTHER};
    for (size_t i = 0; i < probe->file_count; i++) {
        const struct journal_probe_file *f = &probe->files[i];

        for (uint32_t j = 0; j < image->entry_count; j++) {
            const struct sim_content *content = image->entries[j].content;

            if (strcmp(image->entries[j].name, f->name) == 0 && content->hash != f->hash) {
                damage->kind = sti_journal_name_parse(f->name, &damage->number);
                damage->shorter = content->size < f->size;
            }
        }
    }
    sim_image_unref(image);
}

/* Whether the newest log alone is damaged. */
static bool is_newest_log(const struct journal_probe *probe, const struct damage *damage)
{
    return damage->kind == STI_JOURNAL_NAME_LOG && damage->number == probe->newest_log;
}

/* A play that ended well has everything, or what is allowed. */
static bool is_complete(
        const struct journal_probe *probe, const struct damage *damage, const struct seen *seen)
{
    const stele_journal_played *p = &seen->play.played;

    if (p->count == probe->count) {
        return true;
    }
    return is_newest_log(probe, damage) &&
           (damage->shorter || (probe->crashed && p->torn && p->count + 1 == probe->count));
}

/* Whether the other files have all that the damaged one has. */
static bool is_harmless(const struct journal_probe *probe, const struct damage *damage)
{
    return probe->old && !is_newest_log(probe, damage);
}

static stele_journal *open_journal(const struct journal_probe *probe, struct sim_world *w)
{
    stele_journal_options options;
    stele_journal *journal = NULL;

    jmodel_options(&probe->config, &w->env, &options);
    options.limit = 0;
    options.no_background = true;
    if (stele_journal_open(&journal, JMODEL_DIR, &options, NULL) != STELE_OK) {
        abort(); /* It reads nothing. */
    }
    return journal;
}

static void play(const struct journal_probe *probe, stele_journal *journal, struct seen *seen)
{
    stele_error err;

    seen->rc = jmodel_play(journal, &probe->config, NULL, &seen->play, &err);
    seen->text[0] = '\0';
    if (seen->rc != STELE_OK) {
        (void)snprintf(seen->text, sizeof seen->text, "%s", err.message);
    }
}

/* To record, a snapshot is looked at only at its beginning and end, and a log that is not the
 * newest at its header: behind other damage it records; and it does not play, as before. */
static const char *judge_behind_damage(
        const struct journal_probe *probe, const struct seen *after, const struct damage *damage)
{
    return !is_newest_log(probe, damage) && after->rc == STELE_ECORRUPT &&
                           is_beginning(probe, &after->play, 0)
                   ? NULL
                   : "it records behind what cannot be played";
}

/* Recording is refused if playing was; or it goes on. NULL, or what is wrong. */
static const char *record(const struct journal_probe *probe, stele_journal *journal,
        const struct seen *before, const struct damage *damage, bool found)
{
    struct jops_made made;
    struct seen *after;
    const char *wrong = NULL;
    uint64_t count = before->play.played.count;

    if (stele_journal_record(journal, NULL) != STELE_OK) {
        return found || before->rc != STELE_OK ? NULL
                                               : "it refuses to record, and nothing is wrong";
    }
    after = sim_alloc(sizeof *after);
    jops_make(&made, jops_value(0, count + 1, 0), probe->config.large);
    if (stele_journal_dump_durable(journal, &made.op, NULL) != STELE_OK ||
            stele_journal_stop(journal, NULL) != STELE_OK) {
        wrong = "it records, and does not";
    } else {
        play(probe, journal, after);
        if (before->rc != STELE_OK) {
            wrong = judge_behind_damage(probe, after, damage);
        } else if (after->rc != STELE_OK || !is_beginning(probe, &after->play, 1) ||
                   after->play.played.count != count + 1) {
            wrong = "what is recorded behind it cannot be played";
        }
    }
    free(after);
    return wrong;
}

/* ---- The probe. ---- */

static bool check_finds(const struct journal_probe *probe, struct sim_world *w)
{
    stele_journal_options options;

    jmodel_options(&probe->config, &w->env, &options);
    return stele_journal_check_dir(JMODEL_DIR, &options, NULL, NULL, NULL, NULL, NULL) != STELE_OK;
}

/* A snapshot that was made gives its operations. */
static bool is_merge_lost(const struct journal_probe *probe, const struct sim_notes *notes,
        const struct jmodel_play *p)
{
    uint64_t merged = 0;

    return probe->lies && sim_notes_max(notes, SIM_ACK, NOTE_MERGED, &merged) &&
           p->played.count < merged;
}

static const char *judge(const struct journal_probe *probe, const struct damage *damage,
        const struct sim_notes *notes, const struct seen *seen, bool found)
{
    if (seen->rc != STELE_OK && seen->rc != STELE_ECORRUPT && seen->rc != STELE_EVERSION) {
        return "a play fails otherwise";
    }
    if (!is_beginning(probe, &seen->play, 0)) {
        return "a play gives what was never the state";
    }
    if (is_merge_lost(probe, notes, &seen->play)) {
        return "a merge reported success, and cannot be played";
    }
    if (seen->rc != STELE_OK && is_harmless(probe, damage)) {
        return "another snapshot and its logs are whole, and it does not play";
    }
    if (seen->rc != STELE_OK) {
        return found ? NULL : "a play finds damage, and a check does not";
    }
    return is_complete(probe, damage, seen) ? NULL : "a play ends too early, and says nothing";
}

static enum sim_probe probe_all(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    const struct journal_probe *probe = arg;
    struct seen *seen = sim_alloc(sizeof *seen);
    bool found = check_finds(probe, w);
    stele_journal *journal = open_journal(probe, w);
    struct damage damage;
    const char *wrong;
    enum sim_probe answer = SIM_PROBE_SILENT;

    play(probe, journal, seen);
    find_damage(probe, w, &damage);
    wrong = judge(probe, &damage, notes, seen, found);
    if (wrong == NULL && !probe->lies) {
        wrong = record(probe, journal, seen, &damage, found);
    }
    if (wrong != NULL) {
        (void)snprintf(why, why_len, "%s (count %" PRIu64 " of %" PRIu64 ") %s", wrong,
                seen->play.played.count, probe->count, seen->text);
    } else {
        answer = found || seen->rc != STELE_OK || seen->play.played.fell_back ||
                                 seen->play.played.torn
                         ? SIM_PROBE_REPORTED
                         : SIM_PROBE_RIGHT;
    }
    (void)stele_journal_close(journal, NULL);
    free(seen);
    return answer;
}

struct sim_workload journal_probe_workload(const char *name, struct journal_probe *probe)
{
    return (struct sim_workload){.name = name,
            .arg = probe,
            /* Blocks that are there ahead would be many bytes to be damaged. */
            .disk = {.file_max = FILE_MAX, .no_allocate = true},
            .run = probe->lies ? run_to_lie : run,
            .check = check,
            .probe = probe_all};
}

const struct sim_workload *journal_probe_workloads(size_t *count)
{
    static struct journal_probe probes[] = {
            {.config = {.no_map = false}},
            {.config = {.no_map = true}, .crashed = true},
            {.config = {.no_map = true}, .crashed = true, .old = true},
            {.config = {.large = true}, .old = true},
    };
    static struct sim_workload list[sizeof probes / sizeof probes[0]];

    list[0] = journal_probe_workload("journal-damage-stopped", &probes[0]);
    list[1] = journal_probe_workload("journal-damage-crashed", &probes[1]);
    list[2] = journal_probe_workload("journal-damage-old-crashed", &probes[2]);
    list[3] = journal_probe_workload("journal-damage-old-stopped", &probes[3]);
    *count = sizeof list / sizeof list[0];
    return list;
}

const struct sim_workload *journal_lie_workloads(size_t *count)
{
    static struct journal_probe probes[] = {
            {.config = {.no_map = false}, .lies = true},
            {.config = {.no_map = true}, .lies = true},
    };
    static struct sim_workload list[sizeof probes / sizeof probes[0]];

    list[0] = journal_probe_workload("journal-lies-map", &probes[0]);
    list[1] = journal_probe_workload("journal-lies-read", &probes[1]);
    *count = sizeof list / sizeof list[0];
    return list;
}
