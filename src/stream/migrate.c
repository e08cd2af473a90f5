/* SPDX-License-Identifier: MIT
 *
 * migrate.c: rewrite segments in another version of the format.
 */
#include "stream/migrate.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/dir_tool.h"
#include "stream/index_file.h"
#include "stream/salvage.h"

#include <inttypes.h>
#include <string.h>

struct migration {
    struct sti_dir *dir;
    stele_stream_version version; /* to go to */
    struct sti_loaded files;
    struct sti_salvage salvage;
    uint8_t *log; /* the new one */
    size_t log_len;
    stele_error *err;
};

/* Whether the segment is in the version already, or says nothing. */
static bool is_there(const struct migration *m)
{
    if (m->salvage.messages > 0 || m->salvage.has_header) {
        return m->salvage.version == m->version;
    }
    /* An empty file is version 1, and a writer gives it any version. */
    return true;
}

static stele_code refuse_damage(const struct migration *m)
{
    char name[STI_NAME_SIZE];

    sti_name_log(name, m->files.base);
    if (m->salvage.kind == STI_LOG_VERSION) {
        return sti_fail_at(m->err, STELE_EVERSION, name, 6, "a log of a version that is not known");
    }
    for (size_t i = 0; i < m->salvage.count; i++) {
        if (m->salvage.pieces[i].kind != STI_PIECE_KEPT) {
            return sti_fail_at(m->err, STELE_ECORRUPT, name, (int64_t)m->salvage.pieces[i].at,
                    "damaged, recover the stream before it is migrated");
        }
    }
    return STELE_OK;
}

/* The size of the log in the new version. */
static stele_code plan_size(struct migration *m)
{
    uint64_t old_overhead =
            m->salvage.version == STELE_STREAM_V1 ? STI_V1_OVERHEAD : STI_V2_OVERHEAD;
    uint64_t new_overhead = m->version == STELE_STREAM_V1 ? STI_V1_OVERHEAD : STI_V2_OVERHEAD;
    uint64_t bodies = m->salvage.end - sti_log_start(m->salvage.version);
    uint64_t size;

    sti_assert(bodies / old_overhead >= m->salvage.messages);
    bodies -= m->salvage.messages * old_overhead;
    if (__builtin_mul_overflow(m->salvage.messages, new_overhead, &size) ||
            __builtin_add_overflow(size, bodies + sti_log_start(m->version), &size) ||
            size > SIZE_MAX) {
        return sti_fail_memory(m->err, SIZE_MAX);
    }
    m->log_len = (size_t)size;
    m->log = sti_malloc(m->log_len);
    return m->log == NULL ? sti_fail_memory(m->err, m->log_len) : STELE_OK;
}

static void convert(struct migration *m)
{
    struct sti_scan scan;
    stele_message message;
    size_t at = (size_t)sti_log_start(m->version);
    size_t size;

    if (m->version != STELE_STREAM_V1) {
        sti_log_header_put(m->log);
    }
    sti_scan_begin(&scan, m->files.log, m->salvage.end, m->salvage.kind, m->files.base, INT64_MAX);
    while (sti_scan_next(&scan, &message, &size) == STI_MESSAGE_WHOLE) {
        size = sti_message_size(m->version, message.key.len, message.value.len);
        sti_assert(size <= m->log_len - at);
        sti_message_put(
                m->log + at, m->version, message.offset, message.time, message.key, message.value);
        at += size;
    }
    sti_assert(at == m->log_len);
}

/* A version 1 file is known by its first message: it must be called by it. */
static int64_t name_in(const struct migration *m)
{
    return m->version == STELE_STREAM_V1 && m->salvage.messages > 0 ? m->salvage.first
                                                                    : m->files.base;
}

static stele_code drop(struct migration *m, void (*name_of)(char *out, int64_t base))
{
    char name[STI_NAME_SIZE];

    name_of(name, m->files.base);
    return sti_dir_unlink(m->dir, name, NULL, m->err);
}

static stele_code replace_log(struct migration *m)
{
    char temporary[STI_NAME_SIZE];
    char name[STI_NAME_SIZE];
    stele_code rc = drop(m, sti_name_index);

    if (rc == STELE_OK) {
        rc = drop(m, sti_name_keys);
    }
    /* Else a crash could keep the old index beside the new log. */
    if (rc == STELE_OK) {
        rc = sti_dir_sync(m->dir, m->err);
    }
    if (rc == STELE_OK) {
        sti_name_migrate(temporary, m->files.base);
        sti_name_log(name, name_in(m));
        rc = sti_log_replace(m->dir, temporary, name, stele_bytes_of(m->log, m->log_len),
                !STI_MUTANT(MIGRATE_NOT_SYNCED), m->err);
    }
    if (rc == STELE_OK) {
        rc = sti_dir_sync(m->dir, m->err);
    }
    if (rc == STELE_OK && name_in(m) != m->files.base) {
        rc = drop(m, sti_name_log);
    }
    return rc;
}

static stele_code write_index(struct migration *m, const uint8_t *log, uint64_t len, int64_t base)
{
    struct sti_items built = {0};
    stele_code rc = STELE_OK;

    if (m->files.params_known) {
        rc = sti_items_build(&built, log, len, base, INT64_MAX, m->files.params, INT64_MIN, m->err);
    }
    if (rc == STELE_OK && m->files.params_known) {
        rc = sti_index_write(
                m->dir, name_in(m), m->version, m->files.params, built.data, built.count, m->err);
    }
    sti_items_free(&built);
    return rc == STELE_OK ? sti_dir_sync(m->dir, m->err) : rc;
}

/* A crash may have left a segment of the right version without its index. */
static stele_code mend_index(struct migration *m)
{
    const uint8_t *items;
    uint64_t count;
    enum sti_index_verdict verdict = sti_index_judge(m->files.index, m->files.index_len,
            m->files.log, m->salvage.end, m->files.base, m->files.params, &items, &count);

    if (m->salvage.messages == 0 || (verdict != STI_INDEX_MISSING && verdict != STI_INDEX_UNFIT)) {
        return STELE_OK;
    }
    return write_index(m, m->files.log, m->salvage.end, m->files.base);
}

static stele_code migrate(struct sti_dir *dir, int64_t base, stele_stream_version version,
        const struct sti_params_guess *guess, bool dry_run, bool *done, stele_error *err)
{
    static const struct sti_witness none = {0};
    struct migration m = {.dir = dir, .version = version, .err = err};
    bool needed = false;
    stele_code rc = sti_loaded_read(&m.files, dir, base, guess, err);

    if (rc == STELE_OK) {
        rc = sti_salvage_run(&m.salvage, m.files.log, m.files.log_len, base, INT64_MAX, &none, err);
    }
    if (rc == STELE_OK) {
        rc = refuse_damage(&m);
    }
    if (rc != STELE_OK) {
        goto out;
    }
    needed = !is_there(&m);
    if (needed && !dry_run) {
        rc = plan_size(&m);
        if (rc == STELE_OK) {
            convert(&m);
            rc = replace_log(&m);
        }
        rc = rc == STELE_OK ? write_index(&m, m.log, m.log_len, name_in(&m)) : rc;
    } else if (!dry_run) {
        rc = mend_index(&m);
    }
    if (rc == STELE_OK) {
        *done = needed;
    }
out:
    sti_free(m.log);
    sti_loaded_free(&m.files);
    sti_salvage_free(&m.salvage);
    return rc;
}

stele_code sti_migrate_segment(struct sti_dir *dir, int64_t base, stele_stream_version version,
        struct sti_index_params params, bool *done, stele_error *err)
{
    struct sti_params_guess guess = {.params = params, .known = true};
    stele_code rc = migrate(dir, base, version, &guess, false, done, err);

    return rc == STELE_OK ? rc : sti_wrap(err, rc, "migrate segment %" PRId64, base);
}

static stele_code migrate_all(struct sti_tool *tool, const struct sti_bases *bases,
        const struct sti_params_guess *guess, stele_stream_version version, int64_t *migrated,
        stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < bases->count; i++) {
        bool done = false;

        rc = migrate(&tool->dir, bases->bases[i], version, guess, tool->opts.dry_run, &done, err);
        *migrated += done ? 1 : 0;
    }
    return rc;
}

/* Remove leftovers, having made sure that no offset which they show is given again. */
static stele_code settle_leftovers(struct sti_tool *tool, const struct sti_leftovers *leftovers,
        const struct sti_bases *bases, const struct sti_params_guess *guess,
        stele_stream_version version, stele_error *err)
{
    static const struct sti_witness none = {0};
    struct migration m = {.dir = &tool->dir, .version = version, .err = err};
    int64_t next = 0;
    stele_code rc = STELE_OK;

    if (leftovers->files.count == 0 || tool->opts.dry_run) {
        return STELE_OK;
    }
    if (bases->count > 0) {
        int64_t base = bases->bases[bases->count - 1];

        rc = sti_loaded_read(&m.files, &tool->dir, base, guess, err);
        if (rc == STELE_OK) {
            rc = sti_salvage_run(
                    &m.salvage, m.files.log, m.files.log_len, base, INT64_MAX, &none, err);
        }
        if (rc == STELE_OK) {
            rc = refuse_damage(&m);
        }
        next = m.salvage.last + 1;
    }
    if (rc == STELE_OK && leftovers->highest >= next) {
        rc = sti_segment_make_empty(&tool->dir, leftovers->highest + 1, version, guess, err);
    }
    if (rc == STELE_OK) {
        rc = sti_leftovers_remove(leftovers, &tool->dir, err);
    }
    sti_loaded_free(&m.files);
    sti_salvage_free(&m.salvage);
    return rc;
}

static stele_code migrate_dir(struct sti_tool *tool, stele_stream_version version,
        int64_t *segments, int64_t *migrated, stele_error *err)
{
    struct sti_listing listing = {0};
    struct sti_leftovers leftovers = {.highest = -1};
    struct sti_bases bases = {0};
    struct sti_params_guess guess = {0};
    stele_code rc = sti_listing_read(&listing, &tool->dir, err);

    if (rc == STELE_OK) {
        rc = sti_leftovers_find(&leftovers, &tool->dir, &listing, err);
    }
    if (rc == STELE_OK) {
        rc = sti_bases_read(&bases, &tool->dir, &listing, &leftovers, false, err);
    }
    if (rc == STELE_OK) {
        rc = sti_params_guess_of(&guess, &tool->dir, &bases, &tool->opts, tool->strict, err);
    }
    if (rc == STELE_OK) {
        rc = settle_leftovers(tool, &leftovers, &bases, &guess, version, err);
    }
    if (rc == STELE_OK) {
        rc = migrate_all(tool, &bases, &guess, version, migrated, err);
    }
    if (rc == STELE_OK) {
        *segments = (int64_t)bases.count;
    }
    sti_bases_free(&bases);
    sti_leftovers_free(&leftovers);
    sti_listing_free(&listing);
    return rc;
}

stele_code stele_stream_migrate_dir(const char *dir, const stele_stream_options *opts,
        stele_stream_version version, int64_t *segments, int64_t *migrated, stele_error *err)
{
    int64_t all = 0;
    int64_t changed = 0;
    struct sti_tool tool;
    stele_code rc;

    if (version == STELE_STREAM_VERSION_DEFAULT) {
        version = STELE_STREAM_VLAST;
    }
    if (version != STELE_STREAM_V1 && version != STELE_STREAM_V2) {
        return sti_fail(err, STELE_EINVAL, "migrate stream: no format version %d", (int)version);
    }
    rc = sti_tool_open(&tool, dir, opts, true, err);
    if (rc == STELE_OK) {
        rc = migrate_dir(&tool, version, &all, &changed, err);
        sti_tool_close(&tool);
    }
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "migrate stream %s", dir == NULL ? "" : dir);
    }
    if (segments != NULL) {
        *segments = all;
    }
    if (migrated != NULL) {
        *migrated = changed;
    }
    return STELE_OK;
}
