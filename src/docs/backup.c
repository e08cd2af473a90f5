/* SPDX-License-Identifier: MIT
 *
 * backup.c: a database written as a stream, and a stream looked through.
 */
#include "docs/backup.h"

#include "base/coding.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/cdbk_check.h"
#include "docs/checkpoint.h"
#include "docs/trim.h"

void stele_docs_backup_options_init_sized(stele_docs_backup_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

/* Pairs of each section. */
struct counts {
    uint64_t of[STI_DOCS_CDBK_DATA + 1];
};

static stele_docs_backup_summary summary_of(
        struct sti_docs_cdbk_summary s, const struct counts *counts)
{
    return (stele_docs_backup_summary){
            .pairs = s.pairs,
            .documents = counts->of[STI_DOCS_CDBK_DATA],
            .entries = counts->of[STI_DOCS_CDBK_LOG],
            .size = s.size,
            .has_manifest = s.has_manifest,
            .is_compressed = s.is_compressed,
    };
}

/* ---- Writing. ---- */

struct writing {
    struct sti_docs_cdbk_writer *writer;
    enum sti_docs_cdbk_section section;
    struct counts counts;
    int64_t horizon; /* of checkpoints */
};

static stele_code add(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct writing *w = arg;
    struct sti_docs_cdbk_pair pair = {.section = w->section, .key = key, .value = value};

    w->counts.of[w->section]++;
    return sti_docs_cdbk_writer_add(w->writer, &pair, err);
}

/* Live documents alone, and of each its version: all else is ours, and is made again from the log.
 */
static stele_code add_info(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct sti_docs_info info = {.claims = NULL};
    uint8_t version[STI_DOCS_VERSION_SIZE];
    stele_code rc = sti_docs_info_decode(&info, value, err);

    if (rc == STELE_OK && (!info.deleted || STI_MUTANT(DOCS_BACKUP_TOMBSTONES))) {
        sti_docs_version_put(version, info.version);
        rc = add(arg, key, stele_bytes_of(version, sizeof version), err);
    }
    sti_docs_info_free(&info);
    return rc;
}

/* ---- Checkpoints of what is left below the horizon. ---- */

struct summing {
    struct writing *w;
    struct sti_docs_checkpoint day;
    int64_t horizon;
};

static stele_code add_day(struct summing *s, stele_error *err)
{
    uint8_t key[sizeof(int64_t)];
    uint8_t value[STI_DOCS_CHECKPOINT_SIZE];

    if (sti_docs_checkpoint_is_empty(&s->day)) {
        return STELE_OK;
    }
    sti_put_be64(key, (uint64_t)s->day.epoch);
    sti_docs_checkpoint_put(value, &s->day);
    return add(s->w, stele_bytes_of(key, sizeof key), stele_bytes_of(value, sizeof value), err);
}

static stele_code sum_entry(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct summing *s = arg;
    struct sti_docs_entry entry = {.is_delete = false};
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_code rc = sti_docs_entry_decode(&entry, value, err);

    (void)key;
    if (rc == STELE_OK && entry.version.seconds >= s->horizon) {
        return STELE_END;
    }
    if (rc == STELE_OK && !sti_docs_checkpoint_covers(&s->day, entry.version)) {
        rc = add_day(s, err);
        sti_docs_checkpoint_init(&s->day, entry.version);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_entry_hash(&entry, hash, err);
    }
    return rc == STELE_OK ? sti_docs_checkpoint_add(&s->day, hash, err) : rc;
}

static stele_code add_checkpoint(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    const struct writing *w = arg;

    return (int64_t)sti_get_be64(key.data) > sti_docs_horizon_epoch(w->horizon)
                   ? add(arg, key, value, err)
                   : STELE_OK;
}

static stele_code add_checkpoints(stele_store_read *read, struct writing *w, stele_error *err)
{
    struct summing s = {.w = w};
    stele_code rc = sti_docs_horizon(read, &w->horizon, err);

    s.horizon = w->horizon;
    if (rc == STELE_OK && s.horizon > 0) {
        rc = stele_store_read_for_each(
                read, sti_docs_bucket_name(STI_DOCS_LOG), sum_entry, &s, err);
    }
    if (rc == STELE_OK) {
        rc = add_day(&s, err);
    }
    return rc == STELE_OK ? stele_store_read_for_each(read, sti_docs_bucket_name(STI_DOCS_CHK),
                                    add_checkpoint, w, err)
                          : rc;
}

static stele_code write_sections(stele_store_read *read, struct writing *w, stele_error *err)
{
    static const struct {
        enum sti_docs_cdbk_section section;
        enum sti_docs_bucket bucket;
        stele_store_pair_fn each;
    } sections[] = {
            {STI_DOCS_CDBK_TYPE, STI_DOCS_TYP, add},
            {STI_DOCS_CDBK_CHECKPOINT, STI_DOCS_CHK, NULL},
            {STI_DOCS_CDBK_LOG, STI_DOCS_LOG, add},
            {STI_DOCS_CDBK_INFO, STI_DOCS_NFO, add_info},
            {STI_DOCS_CDBK_DATA, STI_DOCS_DAT, add},
    };

    stele_code rc = STELE_OK;

    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && rc == STELE_OK; i++) {
        w->section = sections[i].section;
        rc = sections[i].each == NULL
                     ? add_checkpoints(read, w, err)
                     : stele_store_read_for_each(read, sti_docs_bucket_name(sections[i].bucket),
                               sections[i].each, w, err);
    }
    return rc;
}

stele_code stele_docs_backup(stele_docs *db, const stele_docs_backup_options *opts,
        stele_write_fn write, void *arg, stele_docs_backup_summary *out, stele_error *err)
{
    struct sti_docs_cdbk_write_options how;
    struct sti_docs_cdbk_summary summary = {.pairs = 0};
    struct writing w = {.writer = NULL};
    stele_docs_backup_options o;
    stele_store_read *read = NULL;
    stele_code rc;

    if (db == NULL || write == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nowhere to write to");
    }
    rc = sti_options_copy(&o, sizeof o, opts, "stele_docs_backup_options", err);
    if (rc != STELE_OK) {
        return rc;
    }
    how = (struct sti_docs_cdbk_write_options){
            .zstd_level = o.zstd_level, .manifest = !o.no_manifest};
    rc = sti_docs_cdbk_writer_new(&w.writer, write, arg, &how, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_read_begin(&read, db, err);
    if (rc == STELE_OK) {
        rc = write_sections(read, &w, err);
        stele_store_read_end(read);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_writer_end(w.writer, &summary, err);
    }
    if (rc == STELE_OK && out != NULL) {
        *out = summary_of(summary, &w.counts);
    }
    sti_docs_cdbk_writer_free(w.writer);
    return rc;
}

/* ---- Looking through. ---- */

/* What would be a wrong argument elsewhere came from the stream here. */
static stele_code as_damage(stele_code rc, stele_error *err)
{
    if (rc != STELE_EINVAL) {
        return rc;
    }
    if (err != NULL) {
        err->code = STELE_ECORRUPT;
    }
    return STELE_ECORRUPT;
}

stele_code sti_docs_backup_go(stele_read_fn read, void *arg, bool manifest_demanded,
        stele_code (*each)(void *each_arg, const struct sti_docs_cdbk_pair *pair, stele_error *err),
        void *each_arg, stele_docs_backup_summary *out, stele_error *err)
{
    struct sti_docs_cdbk_reader *reader = NULL;
    struct sti_docs_cdbk_check *check = NULL;
    struct sti_docs_cdbk_pair pair = {.position = 0};
    struct counts counts = {{0}};
    stele_code rc = sti_docs_cdbk_check_new(&check, err);

    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_reader_new(&reader, read, arg, manifest_demanded, err);
    }
    while (rc == STELE_OK) {
        rc = sti_docs_cdbk_reader_next(reader, &pair, err);
        if (rc == STELE_OK) {
            rc = as_damage(sti_docs_cdbk_check_add(check, &pair, err), err);
        }
        if (rc == STELE_OK) {
            counts.of[pair.section]++;
        }
        if (rc == STELE_OK && each != NULL) {
            pair.hash = sti_docs_cdbk_check_hash(check);
            rc = as_damage(each(each_arg, &pair, err), err);
        }
    }
    if (rc == STELE_END) {
        rc = sti_docs_cdbk_check_end(check, err);
        if (rc == STELE_OK && out != NULL) {
            *out = summary_of(sti_docs_cdbk_reader_summary(reader), &counts);
        }
    }
    sti_docs_cdbk_reader_free(reader);
    sti_docs_cdbk_check_free(check);
    return rc;
}

stele_code stele_docs_validate_backup(stele_read_fn read, void *arg, bool manifest_demanded,
        stele_docs_backup_summary *out, stele_error *err)
{
    if (read == NULL) {
        return sti_fail(err, STELE_EINVAL, "nowhere to read from");
    }
    return sti_docs_backup_go(read, arg, manifest_demanded, NULL, NULL, out, err);
}
