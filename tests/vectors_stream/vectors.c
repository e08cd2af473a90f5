/* SPDX-License-Identifier: MIT */
#include "vectors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

const struct vector_log vector_logs[] = {
        {"v1_none", STELE_STREAM_V1, false},
        {"v1_both", STELE_STREAM_V1, true},
        {"v2_none", STELE_STREAM_V2, false},
        {"v2_both", STELE_STREAM_V2, true},
};
const size_t vector_log_count = sizeof vector_logs / sizeof vector_logs[0];

static void path_of(char out[TMPDIR_PATH_SIZE], const char *file)
{
    int n = snprintf(out, TMPDIR_PATH_SIZE, "%s/vectors/klevdb/%s", STELE_TESTS_DIR, file);

    assert_in_range(n, 1, TMPDIR_PATH_SIZE - 1);
}

void vectors_each(const char *file, void (*each)(void *arg, json_t *line), void *arg)
{
    char path[TMPDIR_PATH_SIZE];
    char *line = NULL;
    size_t capacity = 0;
    size_t lines = 0;
    FILE *f;

    path_of(path, file);
    f = fopen(path, "r");
    assert_non_null(f);
    while (getline(&line, &capacity, f) > 0) {
        json_t *parsed = json_loads(line, 0, NULL);

        assert_non_null(parsed);
        each(arg, parsed);
        json_decref(parsed);
        lines++;
    }
    assert_true(lines > 0);
    free(line);
    assert_int_equal(fclose(f), 0);
}

static void copy_file(const char *folder, const char *name, const struct tmpdir *to)
{
    struct tmpdir from;
    uint8_t *data;
    size_t len;

    path_of(from.path, folder);
    data = tmpdir_read(&from, name, &len);
    tmpdir_write(to, name, data, len);
    free(data);
}

void vectors_copy(const char *folder, const struct tmpdir *to)
{
    char path[TMPDIR_PATH_SIZE];
    struct dirent *entry;
    DIR *dir;

    path_of(path, folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' && strstr(entry->d_name, ".json") == NULL) {
            copy_file(folder, entry->d_name, to);
        }
    }
    (void)closedir(dir);
}

int64_t vectors_int(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(line, key);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

const char *vectors_string(const json_t *line, const char *key)
{
    return json_string_value(json_object_get(line, key));
}

stele_bytes vectors_hex(const char *hex)
{
    size_t len;
    uint8_t *data;

    if (hex == NULL) {
        return stele_nil();
    }
    len = strlen(hex) / 2;
    data = malloc(len + 1);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        data[i] = (uint8_t)byte;
    }
    return stele_bytes_of(data, len);
}

bool vectors_in_runs(const json_t *runs, int64_t offset)
{
    size_t i;
    json_t *run;

    json_array_foreach(runs, i, run)
    {
        if (offset >= json_integer_value(json_array_get(run, 0)) &&
                offset <= json_integer_value(json_array_get(run, 1))) {
            return true;
        }
    }
    return false;
}

int64_t vectors_run_count(const json_t *runs)
{
    int64_t count = 0;
    size_t i;
    json_t *run;

    json_array_foreach(runs, i, run)
    {
        count += json_integer_value(json_array_get(run, 1)) -
                 json_integer_value(json_array_get(run, 0)) + 1;
    }
    return count;
}

void vectors_options(const struct vector_log *log, stele_stream_options *opts)
{
    stele_stream_options_init(opts);
    opts->new_segments = log->version;
    opts->key_index = log->indexes;
    opts->time_index = log->indexes;
    opts->rollover = 12288;
}
