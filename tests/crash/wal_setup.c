/* SPDX-License-Identifier: MIT */
#include "crash/wal_setup.h"

#include "base/coding.h"
#include "vfs/vfs.h"
#include "wal/format.h"

#include <stdlib.h>
#include <string.h>

/* Twelve large records in about three segments. */
void wsetup_fill(struct wal_run *r)
{
    wrun_open(r);
    wrun_append(r, 5);
    wrun_append(r, 4);
    wrun_append(r, 2);
    wrun_append(r, 1);
}

int wsetup_filled(const struct wmodel_config *config, struct sim_world *w)
{
    struct wmodel_config first = *config;
    struct wal_run r;

    first.migrates = false; /* the log is made in the format of the configuration */
    wrun_begin(&r, w, &first);
    wsetup_fill(&r);
    return wrun_end(&r);
}

/* The name of the file that holds a record, and where in it; false if there is none. */
static bool find_record(const struct wmodel_config *config, struct sim_world *w, uint64_t id,
        char name[SIM_NAME_SIZE], uint64_t *at)
{
    struct sim_image *image = sim_disk_image(w->disk);
    struct wmodel_record made;
    bool found = false;

    wmodel_make(config, &made, wmodel_value(id, 0));
    for (uint32_t i = 0; i < image->entry_count && !found; i++) {
        uint64_t size;
        uint8_t *bytes = sim_image_read(image, i, &size);
        const uint8_t *there = memmem(bytes, (size_t)size, made.data, made.record.data.len);

        if (there != NULL) {
            found = true;
            *at = (uint64_t)(there - bytes);
            memcpy(name, image->entries[i].name, SIM_NAME_SIZE);
        }
        free(bytes);
    }
    sim_image_unref(image);
    return found;
}

/* Change a byte in the data of a record. */
static int damage(const struct wmodel_config *config, struct sim_world *w, uint64_t id)
{
    char name[SIM_NAME_SIZE];
    uint64_t at = 0;
    struct sti_dir dir = {.raw = NULL};
    struct sti_file file = {.raw = NULL};
    stele_code rc = find_record(config, w, id, name, &at) ? STELE_OK : STELE_ENOTFOUND;

    rc = rc != STELE_OK ? rc : sti_dir_open(&dir, &w->env, WMODEL_DIR, 0, NULL);
    rc = rc != STELE_OK ? rc : sti_file_open(&file, &dir, name, STELE_OPEN_WRITE, NULL);
    rc = rc != STELE_OK ? rc : sti_file_write(&file, at + 4, "\xff", 1, NULL);
    rc = rc != STELE_OK ? rc : sti_file_sync(&file, false, NULL);
    sti_file_close(&file);
    sti_dir_close(&dir);
    sim_note_intent(w, WMODEL_TRUNCATE, id - 1);
    return rc;
}

/* A record of a sealed segment, and one of the newest. */
int wsetup_damaged(const struct wmodel_config *config, struct sim_world *w)
{
    int rc = wsetup_filled(config, w);

    rc = rc != 0 ? rc : damage(config, w, 11);
    return rc != 0 ? rc : damage(config, w, WSETUP_DAMAGED);
}

/* Remove the segment that holds a record. What is left may be anything: see the model. */
static int remove_segment(const struct wmodel_config *config, struct sim_world *w, uint64_t id)
{
    char name[SIM_NAME_SIZE];
    uint64_t at = 0;
    struct sti_dir dir = {.raw = NULL};
    stele_code rc = find_record(config, w, id, name, &at) ? STELE_OK : STELE_ENOTFOUND;

    rc = rc != STELE_OK ? rc : sti_dir_open(&dir, &w->env, WMODEL_DIR, 0, NULL);
    rc = rc != STELE_OK ? rc : sti_dir_unlink(&dir, name, NULL, NULL);
    rc = rc != STELE_OK ? rc : sti_dir_sync(&dir, NULL);
    sti_dir_close(&dir);
    sim_note_intent(w, WMODEL_TRUNCATE, 0);
    return rc;
}

int wsetup_missing_last(const struct wmodel_config *config, struct sim_world *w)
{
    int rc = wsetup_filled(config, w);

    return rc != 0 ? rc : remove_segment(config, w, 12);
}

int wsetup_gap(const struct wmodel_config *config, struct sim_world *w)
{
    int rc = wsetup_filled(config, w);

    return rc != 0 ? rc : remove_segment(config, w, WSETUP_DAMAGED);
}

/* The twelfth record begins a segment. */
int wsetup_damaged_head(const struct wmodel_config *config, struct sim_world *w)
{
    struct wal_run r;
    int rc;

    wrun_begin(&r, w, config);
    wsetup_fill(&r);
    wrun_append(&r, 1);
    rc = wrun_end(&r);
    return rc != 0 ? rc : damage(config, w, 12);
}

/* ---- What was not appended. ---- */

/* Write a frame behind that of the last record. */
static int put_frame(
        const struct wmodel_config *config, struct sim_world *w, uint64_t id, uint32_t salt_change)
{
    struct wmodel_record last;
    char name[SIM_NAME_SIZE];
    uint64_t at = 0;
    uint8_t head[STI_WAL_FRAME_SIZE] = {0};
    uint8_t frame[64];
    size_t size;
    struct sti_dir dir = {.raw = NULL};
    struct sti_file file = {.raw = NULL};
    stele_code rc = find_record(config, w, 12, name, &at) ? STELE_OK : STELE_ENOTFOUND;

    wmodel_make(config, &last, wmodel_value(12, 0));
    rc = rc != STELE_OK ? rc : sti_dir_open(&dir, &w->env, WMODEL_DIR, 0, NULL);
    rc = rc != STELE_OK ? rc : sti_file_open(&file, &dir, name, STELE_OPEN_WRITE, NULL);
    if (rc == STELE_OK && config->format == STELE_WAL_STELE) {
        rc = sti_file_read(&file, at - sizeof head, head, sizeof head, NULL);
    }
    at += last.record.data.len + (config->format == STELE_WAL_BLB ? 4U : 0U);
    size = sti_wal_frame_encode(frame, config->format, STI_WAL_RECORD, id,
            sti_get_le32(head + 16) ^ salt_change, (uint32_t)at, stele_str("foreign"));
    rc = rc != STELE_OK ? rc : sti_file_write(&file, at, frame, size, NULL);
    rc = rc != STELE_OK ? rc : sti_file_sync(&file, false, NULL);
    sti_file_close(&file);
    sti_dir_close(&dir);
    sim_note_intent(w, WMODEL_TRIM, 0); /* the log is not as it was closed */
    return rc;
}

int wsetup_wrong_id(const struct wmodel_config *config, struct sim_world *w)
{
    int rc = wsetup_filled(config, w);

    return rc != 0 ? rc : put_frame(config, w, 14, 0);
}

int wsetup_wrong_salt(const struct wmodel_config *config, struct sim_world *w)
{
    int rc = wsetup_filled(config, w);

    return rc != 0 ? rc
                   : put_frame(config, w, config->format == STELE_WAL_BLB ? 15 : 13, 0x02020202);
}
