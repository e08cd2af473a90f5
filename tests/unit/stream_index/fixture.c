/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "stream/format.h"
#include "stream/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Logs. ---- */

static const size_t key_lengths[] = {9, 0, 1, 10, 33, 8};
static const size_t value_lengths[] = {3, 40, 0, 120, 1, 17, 64};

void fx_log_make(struct fx_log *log, stele_stream_version version, int64_t base, int count)
{
    uint8_t bytes[256];
    uint64_t at = sti_log_start(version);

    memset(log, 0, sizeof *log);
    log->version = version;
    log->base = base;
    log->count = count;
    log->bytes = calloc(1, 8 + (size_t)count * (36 + 33 + 120) + FX_TAIL);
    log->at = calloc((size_t)count + 1, sizeof *log->at);
    log->offset = calloc((size_t)count + 1, sizeof *log->offset);
    assert_non_null(log->bytes);
    assert_non_null(log->at);
    assert_non_null(log->offset);
    if (version == STELE_STREAM_V2) {
        sti_log_header_put(log->bytes);
    }
    for (int i = 0; i < count; i++) {
        size_t key_len = key_lengths[i % 6];
        size_t value_len = value_lengths[i % 7];
        int64_t time = 1700000000000000 + 1000 * (int64_t)i - (i % 5 == 3 ? 4500 : 0);

        for (size_t j = 0; j < sizeof bytes; j++) {
            bytes[j] = (uint8_t)(j * 37 + (size_t)i * 11 + 1);
        }
        log->at[i] = at;
        log->offset[i] = base + i + (i + 1) / 3;
        sti_message_put(log->bytes + at, version, log->offset[i], time,
                key_len == 0 ? stele_nil() : stele_bytes_of(bytes, key_len),
                value_len == 0 ? stele_nil() : stele_bytes_of(bytes + 64, value_len));
        at += sti_message_size(version, key_len, value_len);
    }
    log->at[count] = at;
    log->len = (size_t)at;
}

void fx_log_free(struct fx_log *log)
{
    free(log->bytes);
    free(log->at);
    free(log->offset);
    memset(log, 0, sizeof *log);
}

static void read_path(const char *path, uint8_t **out, size_t *len)
{
    FILE *f = fopen(path, "rb");
    long size;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    *len = (size_t)size;
    *out = malloc(*len + 1);
    assert_non_null(*out);
    assert_int_equal(fread(*out, 1, *len, f), *len);
    assert_int_equal(fclose(f), 0);
}

static int each_segment(const char *set, struct fx_vector v, void (*each)(const struct fx_vector *))
{
    char path[1024];
    char name[512];
    int n = 0;
    struct dirent *entry;
    DIR *dir;

    assert_true(snprintf(path, sizeof path, "%s/vectors/klevdb/logs/%s/data", STELE_TESTS_DIR,
                        set) < (int)sizeof path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char file[1024 + 64];
        char index[STI_NAME_SIZE];

        if (sti_name_parse(entry->d_name, &v.base) != STI_NAME_LOG) {
            continue;
        }
        sti_name_index(index, v.base);
        (void)snprintf(file, sizeof file, "%s/%.32s", path, entry->d_name);
        read_path(file, &v.log, &v.log_len);
        (void)snprintf(file, sizeof file, "%s/%s", path, index);
        read_path(file, &v.index, &v.index_len);
        (void)snprintf(name, sizeof name, "%s %.32s", set, entry->d_name);
        v.name = name;
        each(&v);
        free(v.log);
        free(v.index);
        n++;
    }
    (void)closedir(dir);
    return n;
}

int fx_each_vector(void (*each)(const struct fx_vector *v))
{
    struct fx_vector v1 = {.version = STELE_STREAM_V1};
    struct fx_vector v2 = {.version = STELE_STREAM_V2};
    int n = each_segment("v1_none", v1, each) + each_segment("v2_none", v2, each);

    v1.params = (struct sti_index_params){true, true};
    v2.params = v1.params;
    return n + each_segment("v1_both", v1, each) + each_segment("v2_both", v2, each) +
           each_segment("v1_both_migrated_v2", v2, each);
}

/* ---- Failing allocations. ---- */

static struct {
    uint64_t count;
    uint64_t n;
    bool all;
} allocs;

static bool alloc_fails(void *arg)
{
    (void)arg;
    allocs.count++;
    return allocs.n != 0 && (allocs.count == allocs.n || (allocs.all && allocs.count > allocs.n));
}

void fx_alloc_fail(uint64_t n, bool all)
{
    allocs.count = 0;
    allocs.n = n;
    allocs.all = all;
    sti_alloc_set_hook(n == 0 ? NULL : alloc_fails, NULL);
}

uint64_t fx_alloc_count(void)
{
    return allocs.count;
}

/* ---- Files that are recorded and fail. ---- */

/* NULL: not written down, and never failing. */
static const char *const words[] = {
        [WRAP_OPEN] = "open",
        [WRAP_LOOK] = "look",
        [WRAP_RENAME] = "rename",
        [WRAP_UNLINK] = "unlink",
        [WRAP_SYNC_DIR] = "dirsync",
        [WRAP_READ] = "read",
        [WRAP_WRITE] = "write",
        [WRAP_STAT] = "stat",
        [WRAP_SYNC] = "sync",
        [WRAP_MAP] = "map",
        [WRAP_LOCK] = NULL,
};

static int note(struct wrap_vfs *w, const struct wrap_call *call)
{
    struct fx_vfs *v = (struct fx_vfs *)w;
    size_t used = strlen(v->trace);

    if (words[call->op] == NULL) {
        return 0;
    }
    (void)snprintf(v->trace + used, sizeof v->trace - used, "%s%s%s ", words[call->op],
            call->name == NULL ? "" : " ", call->name == NULL ? "" : call->name);
    v->calls++;
    return v->calls == v->fail_at ? v->fail_with : 0;
}

void fx_trace_clear(struct fx_vfs *v)
{
    v->trace[0] = '\0';
    v->calls = 0;
}

struct fx_files fx_files;

int fx_set_up(void **state)
{
    stele_env env = {.vfs = &fx_files.vfs.wrap.vfs};
    stele_error err;

    (void)state;
    memset(&fx_files, 0, sizeof fx_files);
    tmpdir_make(&fx_files.tmp);
    wrap_init(&fx_files.vfs.wrap, note);
    fx_files.vfs.fail_with = -EIO;
    env.struct_size = sizeof env;
    CHECK_OK(sti_dir_open(&fx_files.dir, &env, fx_files.tmp.path, 0, &err), &err);
    fx_trace_clear(&fx_files.vfs);
    return 0;
}

int fx_tear_down(void **state)
{
    (void)state;
    sti_dir_close(&fx_files.dir);
    tmpdir_remove(&fx_files.tmp);
    return 0;
}
