/* SPDX-License-Identifier: MIT
 *
 * wal_run_dir.c: what a log refuses, and what is done to a directory.
 */
#include "crash/wal_files.h"
#include "crash/wal_run.h"

/* ---- What is refused. ---- */

static void expect_refusal(struct wal_run *r, uint64_t id, size_t len, stele_code expected)
{
    static const uint8_t zeros[WMODEL_DATA_MAX + 1];
    stele_wal_record record = {.id = id, .data = stele_bytes_of(zeros, len)};
    stele_code rc = stele_wal_append(r->wal, &record, 1, &r->err);

    if (rc == STELE_OK) {
        wrun_wrong(r, "an append is not refused");
    } else if (rc != expected) {
        wrun_failed(r, rc);
    }
}

void wrun_refused(struct wal_run *r)
{
    stele_wal_options options;
    stele_wal *second;

    if (r->over) {
        return;
    }
    wmodel_options(r->config, &r->env, &options);
    if (stele_wal_open(&second, WMODEL_DIR, &options, NULL) == STELE_OK) {
        (void)stele_wal_close(second, NULL);
        wrun_wrong(r, "there are two writers");
    }
    if (wrun_last(r) != 0) {
        expect_refusal(r, r->next - 1, 1, STELE_ECONFLICT);
        expect_refusal(r, r->next + 1, 1, STELE_ECONFLICT);
    }
    expect_refusal(r, r->next, WMODEL_DATA_MAX + 1, STELE_ETOOBIG);
    wrun_expect_last(r, r->next - 1);
}

/* ---- Directories. ---- */

void wrun_expect_damage(struct wal_run *r)
{
    stele_wal_options options;
    stele_wal *wal = NULL;
    stele_code rc;

    wmodel_options(r->config, &r->env, &options);
    rc = stele_wal_open(&wal, WMODEL_DIR, &options, &r->err);
    if (rc == STELE_OK) {
        struct wmodel_scan scan;
        char text[WMODEL_WHY];
        struct crash_why why = {text, sizeof text};

        if (wmodel_read(wal, &r->model, &scan, &why) == 0) {
            wrun_wrong(r, "damage is not found by reading");
        }
        (void)stele_wal_close(wal, NULL);
    } else if (rc != STELE_ECORRUPT) {
        wrun_failed(r, rc);
    }
    rc = stele_wal_check_dir(WMODEL_DIR, &options, NULL, NULL, NULL, &r->err);
    if (rc == STELE_OK) {
        wrun_wrong(r, "damage is not found by a check");
    } else if (rc != STELE_ECORRUPT) {
        wrun_failed(r, rc);
    }
}

struct lost {
    uint64_t id;
    bool told;
    bool quarantined;
};

static void each_lost(void *arg, uint64_t first, uint64_t last)
{
    struct lost *lost = arg;

    lost->told = lost->told || (first <= lost->id && lost->id <= last);
}

static void each_quarantine(void *arg, const char *file)
{
    struct lost *lost = arg;

    lost->quarantined = lost->quarantined || file[0] != '\0';
}

/* A dry run tells the same, and changes nothing. */
static void recover_dry(struct wal_run *r, const stele_wal_options *options)
{
    stele_wal_options dry = *options;
    struct sim_image *before = sim_disk_image(r->w->disk);
    char text[WMODEL_WHY];
    struct crash_why why = {text, sizeof text};
    stele_code rc;

    dry.dry_run = true;
    rc = stele_wal_recover_dir(WMODEL_DIR, &dry, NULL, NULL, &r->err);
    if (rc != STELE_OK) {
        wrun_failed(r, rc);
    }
    if (wfiles_check_same(before, r->w, "a dry run", &why) != 0) {
        wrun_wrong(r, text);
    }
}

void wrun_recover(struct wal_run *r, uint64_t lost)
{
    struct lost told = {.id = lost};
    const stele_wal_recover_events events = {
            .arg = &told, .lost = each_lost, .quarantine = each_quarantine};
    stele_wal_options options;

    wmodel_options(r->config, &r->env, &options);
    recover_dry(r, &options);
    for (int i = 0; !r->over; i++) {
        stele_code rc = stele_wal_recover_dir(WMODEL_DIR, &options, &events, NULL, &r->err);

        if (rc == STELE_OK) {
            if (lost != 0 && !(told.told && told.quarantined) && r->first == STELE_OK) {
                wrun_wrong(r, "recovery does not tell what it cuts");
            }
            return;
        }
        if (!wrun_again(r, rc, i)) {
            return;
        }
    }
}

void wrun_migrate(struct wal_run *r, stele_wal_format format)
{
    stele_wal_options options;

    wmodel_options(r->config, &r->env, &options);
    for (int i = 0; !r->over; i++) {
        stele_code rc;

        wrun_note(r, SIM_INTENT, WMODEL_MIGRATE, (uint64_t)format);
        rc = stele_wal_migrate_dir(WMODEL_DIR, &options, format, NULL, NULL, &r->err);
        if (rc == STELE_OK) {
            wrun_note(r, SIM_ACK, WMODEL_MIGRATE, (uint64_t)format);
            return;
        }
        if (!wrun_again(r, rc, i)) {
            return;
        }
    }
}
