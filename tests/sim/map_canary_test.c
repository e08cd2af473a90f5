/* SPDX-License-Identifier: MIT
 *
 * map_canary_test.c: the harness on a log that is written through a map.
 *
 * A file of reserved blocks, filled from the front by stores alone: checksum,
 * length, value, content. Appends are durable after the next sync. Recovery
 * keeps the longest whole beginning and clears what is behind it.
 */
#include "base/coding.h"
#include "base/crc32c.h"
#include "lib/check.h"
#include "sim/loops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum bug {
    CORRECT,
    ACK_EARLY,   /* acknowledged before the sync */
    NOT_CLEARED, /* recovery leaves old records behind its cut */
    NO_CHECKSUM, /* checksums are not looked at */
    NOT_DURABLE, /* the new file's name is not synced */
    BUG_COUNT
};

enum {
    FILE_SIZE = 4096,
    HEADER = 16,
    WHAT = 1
};

struct map_log {
    stele_dir *dir;
    stele_file *file;
    uint8_t *map;
    uint32_t end;
    uint64_t count;
    enum bug bug;
};

static uint32_t length_of(uint64_t value)
{
    return (uint32_t)(20 + value * 61 % 170);
}

static void encode(uint8_t *out, uint64_t value)
{
    uint32_t len = length_of(value);

    sti_put_le32(out + 4, len);
    sti_put_le64(out + 8, value + 1);
    for (uint32_t i = 0; i < len; i++) {
        out[HEADER + i] = (uint8_t)(1 + (value * 7 + i) % 250);
    }
    sti_put_le32(out, sti_crc32c(0, out + 4, HEADER - 4 + len));
}

static void scan(struct map_log *m)
{
    m->end = 0;
    m->count = 0;
    while (FILE_SIZE - m->end >= HEADER) {
        const uint8_t *in = m->map + m->end;
        uint32_t len = sti_get_le32(in + 4);

        if (sti_get_le64(in + 8) == 0 || len > FILE_SIZE - m->end - HEADER ||
                (m->bug != NO_CHECKSUM &&
                        sti_get_le32(in) != sti_crc32c(0, in + 4, HEADER - 4 + len))) {
            return;
        }
        m->end += HEADER + len;
        m->count++;
    }
}

static int bring_up(struct map_log *m, const struct sim_world *w)
{
    const stele_vfs *v = w->env.vfs;
    stele_file_stat st = {0, 0, false};
    void *map = NULL;
    int rc = v->ops->open_dir(v, "/m", STELE_OPEN_CREATE, &m->dir);

    rc = rc != 0 ? rc
                 : m->dir->ops->open(m->dir, "m", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &m->file);
    rc = rc != 0 ? rc : m->file->ops->stat(m->file, &st);
    if (rc == 0 && st.size < FILE_SIZE) {
        rc = m->file->ops->allocate(m->file, 0, FILE_SIZE);
    }
    rc = rc != 0 ? rc : m->file->ops->map(m->file, FILE_SIZE, true, &map);
    if (rc != 0) {
        return rc;
    }
    m->map = map;
    scan(m);
    if (m->bug != NOT_CLEARED) {
        memset(m->map + m->end, 0, FILE_SIZE - m->end);
    }
    rc = m->file->ops->sync(m->file, true);
    return rc != 0 || m->bug == NOT_DURABLE ? rc : m->dir->ops->sync(m->dir);
}

static void shut(struct map_log *m)
{
    if (m->map != NULL) {
        (void)m->file->ops->unmap(m->file, m->map, FILE_SIZE);
    }
    if (m->file != NULL) {
        (void)m->file->ops->close(m->file);
    }
    if (m->dir != NULL) {
        (void)m->dir->ops->close(m->dir);
    }
    memset(m, 0, sizeof *m);
}

static stele_code start(struct map_log *m, const struct sim_world *w, enum bug bug)
{
    memset(m, 0, sizeof *m);
    m->bug = bug;
    if (bring_up(m, w) != 0) {
        shut(m);
        return STELE_EIO;
    }
    return STELE_OK;
}

/* As much as fits. */
static bool append(struct map_log *m)
{
    uint32_t len = HEADER + length_of(m->count);

    if (len > FILE_SIZE - m->end) {
        return false;
    }
    encode(m->map + m->end, m->count++);
    m->end += len;
    return true;
}

/* Appends with syncs and restarts in between, drawn from the seed. */
static int run(void *arg, struct sim_world *w)
{
    enum bug bug = *(const enum bug *)arg;
    uint64_t appends = 4 + sim_world_below(w, 8);
    struct map_log m;
    stele_code rc = start(&m, w, bug);

    for (uint64_t i = 0; i < appends && rc == STELE_OK; i++) {
        sim_note_intent(w, WHAT, m.count);
        if (append(&m) && bug == ACK_EARLY) {
            sim_note_ack(w, WHAT, m.count - 1);
        }
        if (sim_world_below(w, 3) == 0) {
            rc = m.file->ops->sync(m.file, true) == 0 ? STELE_OK : STELE_EIO;
            if (rc == STELE_OK) {
                sim_note_ack(w, WHAT, m.count - 1);
            }
        }
        if (rc == STELE_OK && sim_world_below(w, 5) == 0) {
            shut(&m);
            rc = start(&m, w, bug);
        }
    }
    shut(&m);
    return rc;
}

static bool right_content(const struct map_log *m)
{
    uint8_t expected[HEADER + 256];
    uint32_t at = 0;

    for (uint64_t i = 0; i < m->count; i++) {
        encode(expected, i);
        if (memcmp(m->map + at, expected, HEADER + length_of(i)) != 0) {
            return false;
        }
        at += HEADER + length_of(i);
    }
    return true;
}

static int compare(
        const struct map_log *m, const struct sim_notes *notes, char *why, size_t why_len)
{
    uint64_t acked = 0;

    if (!right_content(m)) {
        (void)snprintf(why, why_len, "wrong content");
        return 1;
    }
    if (sim_notes_max(notes, SIM_ACK, WHAT, &acked) && m->count <= acked) {
        (void)snprintf(why, why_len, "%u of %u records", (unsigned)m->count, (unsigned)acked + 1);
        return 1;
    }
    if (m->count > 0 && sim_notes_count(notes, SIM_INTENT, WHAT, m->count - 1) == 0) {
        (void)snprintf(why, why_len, "record %u was never written", (unsigned)m->count - 1);
        return 1;
    }
    return 0;
}

static int check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    enum bug bug = *(const enum bug *)arg;
    struct map_log m;
    stele_code rc = start(&m, w, bug);
    uint64_t count = m.count;
    int result;

    (void)at_op;
    if (rc != STELE_OK) {
        return rc;
    }
    result = compare(&m, notes, why, why_len);
    sim_note_recovered(w);
    sim_note_intent(w, WHAT, count);
    if (result == 0 && append(&m)) {
        count++;
        rc = m.file->ops->sync(m.file, true) == 0 ? STELE_OK : STELE_EIO;
    }
    shut(&m);
    if (result != 0 || rc != STELE_OK) {
        return result != 0 ? result : rc;
    }
    rc = start(&m, w, bug);
    if (rc != STELE_OK) {
        return rc;
    }
    if (m.count != count) {
        (void)snprintf(why, why_len, "%u records and one more became %u", (unsigned)count - 1,
                (unsigned)m.count);
        result = 1;
    }
    shut(&m);
    return result;
}

static struct sim_workload workload_of(enum bug *bug)
{
    struct sim_workload workload = {
            .name = "mapped",
            .disk = {.file_max = FILE_SIZE},
            .run = run,
            .check = check,
    };

    workload.arg = bug;
    return workload;
}

static void correct_survives(void **state)
{
    enum bug bug = CORRECT;
    struct sim_workload workload = workload_of(&bug);
    struct sim_explore_options options;
    struct sim_loop_options loop;
    struct sim_report report;
    bool replaying = getenv("STELE_SIM") != NULL;
    uint64_t seeds;

    (void)state;
    sim_explore_options_init(&options);
    sim_loop_options_init(&loop);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        options.seed = seed;
        options.sector_size = seed % 2 == 0 ? 4096 : 512;
        assert_true(sim_explore(&workload, &options, &report));
        assert_true(replaying || report.nested > 0);
    }
    options.seed = 1;
    options.sector_size = 512;
    seeds = options.seconds_max <= 0 ? 20000 : 300;
    assert_true(sim_explore_seeds(&workload, &options, seeds, 6, &report));
    assert_true(replaying || report.runs == seeds || report.capped);
    assert_true(sim_fault_loop(&workload, &loop, &report));
    assert_true(sim_recovery_fault_loop(&workload, &loop, &report));
}

/* These look for what a STELE_SIM line about something else would not find. */
static void skip_if_replaying(void)
{
    if (getenv("STELE_SIM") != NULL) {
        skip();
    }
}

static void every_bug_is_caught(void **state)
{
    (void)state;
    skip_if_replaying();
    for (int i = CORRECT + 1; i < BUG_COUNT; i++) {
        enum bug bug = (enum bug)i;
        struct sim_workload workload = workload_of(&bug);
        struct sim_explore_options options;
        struct sim_report report;
        bool clean;

        sim_explore_options_init(&options);
        options.quiet = true;
        clean = sim_explore_seeds(&workload, &options, 500, 6, &report);
        (void)printf("canary mapped %d: %s (%s)\n", i, clean ? "MISSED" : "caught", report.failure);
        assert_false(clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(correct_survives),
            cmocka_unit_test(every_bug_is_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
