/* SPDX-License-Identifier: MIT */
#include "crash/wal_probe.h"

#include "crash/wal_run.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    FILE_MAX = 2 << 20
};

/* What reading a damaged log came to. */
struct seen {
    bool wrong;
    bool missing;
    bool reported;
    uint64_t id; /* of what is wrong or missing */
};

static int fill(void *arg, struct sim_world *w)
{
    const struct wal_probe *probe = arg;
    struct wal_run r;

    wrun_begin(&r, w, &probe->config);
    wrun_open(&r);
    wrun_append(&r, 5);
    wrun_append(&r, 5);
    wrun_append(&r, 3);
    wrun_append(&r, 1);
    if (probe->crashed && r.wal != NULL) {
        wrun_abandon(&r);
    }
    return wrun_end(&r);
}

/* The loops need a check of the undamaged files: the model's own is in wal_explore. */
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

static bool is_right(const struct wal_probe *probe, uint64_t id, stele_bytes data)
{
    struct wmodel_record made;

    if (id == 0 || id > WAL_PROBE_RECORDS) {
        return false;
    }
    wmodel_make(&probe->config, &made, wmodel_value(id, 0));
    return made.record.data.len == data.len &&
           (data.len == 0 || stele_bytes_equal(made.record.data, data));
}

static void set_wrong(struct seen *seen, uint64_t id)
{
    seen->wrong = true;
    seen->id = id;
}

static void set_missing(struct seen *seen, uint64_t id)
{
    seen->id = seen->missing || seen->wrong ? seen->id : id;
    seen->missing = true;
}

static void iterate(const struct wal_probe *probe, stele_wal *wal, struct seen *seen)
{
    stele_wal_iter *it;
    stele_wal_record record;
    uint64_t next = 1;
    stele_code rc = stele_wal_iter_open(&it, wal, 0, NULL);

    if (rc != STELE_OK) {
        seen->reported = true;
        return;
    }
    while ((rc = stele_wal_iter_next(it, &record, NULL)) == STELE_OK) {
        if (record.id != next || !is_right(probe, record.id, record.data)) {
            set_wrong(seen, record.id);
        }
        next = record.id + 1;
    }
    if (rc != STELE_END) {
        seen->reported = true;
    } else if (next <= WAL_PROBE_RECORDS) {
        set_missing(seen, next);
    }
    (void)stele_wal_iter_close(it, NULL);
}

static void read_ids(const struct wal_probe *probe, stele_wal *wal, struct seen *seen)
{
    stele_buf buf;

    stele_buf_init(&buf, WMODEL_DATA_MAX);
    for (uint64_t id = 1; id <= WAL_PROBE_RECORDS; id++) {
        stele_code rc;

        stele_buf_clear(&buf);
        rc = stele_wal_read(wal, id, &buf, NULL);
        if (rc == STELE_OK && !is_right(probe, id, stele_buf_view(&buf))) {
            set_wrong(seen, id);
        } else if (rc == STELE_ENOTFOUND) {
            set_missing(seen, id);
        } else if (rc != STELE_OK) {
            seen->reported = true;
        }
    }
    stele_buf_free(&buf);
}

static struct seen read_all(const struct wal_probe *probe, struct sim_world *w, bool writer)
{
    struct seen seen = {.wrong = false};
    stele_wal_options options;
    stele_wal *wal;

    wmodel_options(&probe->config, &w->env, &options);
    options.read_only = !writer;
    if (stele_wal_open(&wal, WMODEL_DIR, &options, NULL) != STELE_OK) {
        seen.reported = true;
        return seen;
    }
    iterate(probe, wal, &seen);
    read_ids(probe, wal, &seen);
    seen.reported |= sim_world_log(w)[0] != '\0';
    (void)stele_wal_close(wal, NULL);
    return seen;
}

static bool check_finds(const struct wal_probe *probe, struct sim_world *w)
{
    stele_wal_options options;

    wmodel_options(&probe->config, &w->env, &options);
    return stele_wal_check_dir(WMODEL_DIR, &options, NULL, NULL, NULL, NULL) != STELE_OK;
}

static enum sim_probe probe_all(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    const struct wal_probe *probe = arg;
    bool found = check_finds(probe, w);
    bool reported = found;

    (void)notes;
    for (int writer = 0; writer < 2; writer++) {
        struct seen seen = read_all(probe, w, writer != 0);
        const char *who = writer != 0 ? "writer" : "reader";

        if (seen.wrong) {
            (void)snprintf(why, why_len, "a %s gives record %" PRIu64 " as it was not appended",
                    who, seen.id);
            return SIM_PROBE_SILENT;
        }
        if (seen.missing && !seen.reported && !found) {
            (void)snprintf(why, why_len, "a %s misses record %" PRIu64 ", and nothing says so", who,
                    seen.id);
            return SIM_PROBE_SILENT;
        }
        reported |= seen.reported;
    }
    return reported ? SIM_PROBE_REPORTED : SIM_PROBE_RIGHT;
}

struct sim_workload wal_probe_workload(const char *name, struct wal_probe *probe)
{
    return (struct sim_workload){.name = name,
            .arg = probe,
            .disk = {.file_max = FILE_MAX},
            .run = fill,
            .check = check,
            .probe = probe_all};
}

const struct sim_workload *wal_probe_workloads(size_t *count)
{
    static struct wal_probe probes[] = {
            {.config = {.format = STELE_WAL_STELE, .segment_size = 4096, .large = true}},
            {.config = {.format = STELE_WAL_BLB, .segment_size = 1500, .large = true}},
    };
    static struct sim_workload list[2];

    list[0] = wal_probe_workload("wal-damage-stele-closed", &probes[0]);
    list[1] = wal_probe_workload("wal-damage-blb-closed", &probes[1]);
    *count = 2;
    return list;
}
