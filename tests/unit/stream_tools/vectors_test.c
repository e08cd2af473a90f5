/* SPDX-License-Identifier: MIT
 *
 * vectors_test.c: every damaged directory of the vectors, checked and recovered.
 *
 * The table says what must be kept. The reference keeps less, or does worse,
 * where a line has a comment.
 */
#include "unit/stream_tools/kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

enum {
    TEXT_SIZE = 512
};

struct expected {
    const char *variant;
    bool fault[2];       /* whether check finds damage: version 1, version 2 */
    const char *kept[2]; /* what recover keeps */
    int64_t next[2];     /* the next offset after it */
    const char *lost[2]; /* the ranges that it reports */
};

static const struct expected table[] = {
        /* The offset in the torn header is not given again: the reference gives 59 again. */
        {"trunc_in_body_no_index", {true, true}, {"0-58", "0-58"}, {60, 60}, {"59-59", "59-59"}},
        {"trunc_both", {true, true}, {"0-58", "0-58"}, {60, 60}, {"59-59", "59-59"}},
        /* Ten bytes hold the whole offset in version 1, a part of it in version 2. The reference's
         * check finds nothing. */
        {"trunc_in_header_no_index", {true, true}, {"0-58", "0-58"}, {60, 59}, {"59-59", ""}},
        /* The reference loses all behind the damaged message, and gives 51 to 59 again. */
        {"bitflip_time_mid", {true, true}, {"0-59", "0-50,52-59"}, {60, 60}, {"", "51-51"}},
        /* The reference reads a wrong offset (262147 for 3) in version 1, and nothing at all in
         * version 2; its check calls both healthy. */
        {"bitflip_nonhead", {true, true}, {"0-59", "0-1,3-59"}, {60, 60}, {"", "2-2"}},
        {"garbage_tail_100", {true, true}, {"0-59", "0-59"}, {60, 60}, {"", ""}},
        {"zero_tail_20", {false, false}, {"0-59", "0-59"}, {60, 60}, {"", ""}},
        {"index_missing", {false, false}, {"0-59", "0-59"}, {60, 60}, {"", ""}},
        {"index_trunc_2items", {true, true}, {"0-59", "0-59"}, {60, 60}, {"", ""}},
        {"index_empty", {true, true}, {"0-59", "0-59"}, {60, 60}, {"", ""}},
        /* Eight bytes are a bare header in version 2, which is no fault. */
        {"index_8bytes", {true, false}, {"0-59", "0-59"}, {60, 60}, {"", ""}},
        /* The index shows what was there: the reference gives 45 to 59 (42 to 59) again. */
        {"head_log_empty", {true, true}, {"0-44", "0-41"}, {60, 60}, {"45-59", "42-59"}},
        /* The reference cannot recover these at all. */
        {"head_log_4bytes", {true, true}, {"0-44", "0-41"}, {60, 60}, {"45-59", "42-59"}},
        /* The reference appends to the stale file: duplicates, then an unreadable log. */
        {"stale_recover_file", {true, true}, {"0-58", "0-58"}, {60, 60}, {"59-59", "59-59"}},
        {"stale_rewrite_files", {false, false}, {"0-59", "0-59"}, {60, 60}, {"", ""}},
        {"missing_middle_segment", {false, false}, {"0-22,45-59", "0-20,42-59"}, {60, 60},
                {"", ""}},
        /* A deletion of 0 and 1 died before its last step, which is made good. The reference
         * keeps both logs. */
        {"overlap_segment_after_rename_crash", {true, true}, {"2-59", "2-59"}, {60, 60}, {"", ""}},
        /* The reference refuses the directory. */
        {"bad_name", {false, false}, {"0-59", "0-59"}, {60, 60}, {"", ""}},
};

struct story {
    char lost[TEXT_SIZE];
    char quarantined[TEXT_SIZE];
    int64_t faults;
    size_t notes; /* of foreign names */
};

static void on_lost(void *arg, int64_t first, int64_t last)
{
    struct story *s = arg;
    size_t used = strlen(s->lost);

    (void)snprintf(s->lost + used, sizeof s->lost - used, "%s%" PRId64 "-%" PRId64,
            used == 0 ? "" : ",", first, last);
}

static void on_quarantine(void *arg, const char *file)
{
    struct story *s = arg;
    size_t used = strlen(s->quarantined);

    (void)snprintf(s->quarantined + used, sizeof s->quarantined - used, "%s ", file);
}

static void on_fault(void *arg, const stele_stream_fault *fault)
{
    struct story *s = arg;

    assert_non_null(fault->file);
    assert_true(strlen(fault->text) > 0);
    if (fault->code == STELE_OK) {
        s->notes++;
        return;
    }
    assert_true(fault->code < 0);
    s->faults++;
}

static stele_code recover(
        const struct tmpdir *t, bool dry_run, struct story *s, stele_stream_recovered *out)
{
    stele_stream_recover_events events = {.arg = s, .lost = on_lost, .quarantine = on_quarantine};
    stele_stream_options opts;
    stele_error err;
    stele_code rc;

    memset(s, 0, sizeof *s);
    stele_stream_options_init(&opts);
    opts.key_index = true;
    opts.time_index = true;
    opts.dry_run = dry_run;
    rc = stele_stream_recover_dir(t->path, &opts, &events, out, &err);
    if (rc != STELE_OK && rc != STELE_EVERSION) {
        CHECK_OK(rc, &err);
    }
    return rc;
}

static stele_code check(const struct tmpdir *t, struct story *s, stele_stream_checked *out)
{
    stele_stream_options opts;
    stele_error err;
    stele_code rc;

    memset(s, 0, sizeof *s);
    stele_stream_options_init(&opts);
    opts.key_index = true;
    opts.time_index = true;
    rc = stele_stream_check_dir(t->path, &opts, false, on_fault, s, out, &err);
    assert_true(rc == STELE_OK || rc == STELE_ECORRUPT);
    assert_int_equal(rc == STELE_ECORRUPT, s->faults > 0);
    assert_int_equal(out->faults, s->faults);
    return rc;
}

/* What is kept is what was published, byte for byte; of version 1, whose
 * checksum does not cover it, the time apart. */
static void check_content(const struct kept *k, const char *version)
{
    char path[TMPDIR_PATH_SIZE];
    struct kept *base = calloc(1, sizeof *base);

    assert_non_null(base);
    (void)snprintf(path, sizeof path, STELE_TESTS_DIR "/vectors/klevdb/corrupt/%s_base", version);
    kept_read(base, path);
    assert_int_equal(base->count, 60);
    for (size_t i = 0; i < k->count; i++) {
        int64_t offset = k->offsets[i];

        assert_in_range(offset, 0, 59);
        assert_int_equal(base->offsets[offset], offset);
        if (version[1] == '2') {
            assert_int_equal(k->sums[i], base->sums[offset]);
        } else {
            assert_int_equal(k->bodies[i], base->bodies[offset]);
        }
    }
    free(base);
}

static void check_kept(const struct tmpdir *t, const struct expected *e, int v)
{
    struct kept *k = calloc(1, sizeof *k);
    char text[TEXT_SIZE];

    assert_non_null(k);
    kept_read(k, t->path);
    kept_text(k, text, sizeof text);
    assert_string_equal(text, e->kept[v]);
    assert_int_equal(k->next, e->next[v]);
    assert_true(k->rising);
    assert_true(k->ends);
    check_content(k, v == 0 ? "v1" : "v2");
    free(k);
}

/* Nothing that was there is gone for good: what a log lost is in quarantine. */
static void check_quarantine(const struct files *before, const struct files *after,
        const struct story *s, const stele_stream_recovered *r)
{
    size_t bytes = 0;

    (void)before;
    for (size_t i = 0; i < after->count; i++) {
        if (strstr(after->list[i].name, ".quarantine.") != NULL) {
            assert_non_null(strstr(s->quarantined, after->list[i].name));
            bytes += after->list[i].len;
        }
    }
    assert_true(r->cut_bytes >= 0);
    if (s->quarantined[0] == '\0') {
        assert_int_equal(bytes, 0);
    }
}

static void run_variant(const struct expected *e, int v)
{
    struct tmpdir t;
    struct files before;
    struct files after;
    struct files again;
    struct story dry;
    struct story real;
    struct story second;
    stele_stream_recovered planned;
    stele_stream_recovered done;
    stele_stream_recovered nothing;
    stele_stream_checked checked;

    print_message("v%d %s\n", v + 1, e->variant);
    tmpdir_make(&t);
    files_make_variant(&t, v == 0 ? "v1" : "v2", e->variant);
    files_read(&before, t.path);

    assert_int_equal(check(&t, &real, &checked) == STELE_ECORRUPT, e->fault[v]);
    CHECK_CODE(recover(&t, true, &dry, &planned), STELE_OK);
    files_read(&after, t.path);
    assert_true(files_equal(&before, &after));
    files_free(&after);

    CHECK_CODE(recover(&t, false, &real, &done), STELE_OK);
    assert_string_equal(real.lost, e->lost[v]);
    check_kept(&t, e, v);
    files_read(&after, t.path);
    check_quarantine(&before, &after, &real, &done);
    assert_null(files_find(&after, ".recover"));
    assert_null(files_find(&after, ".rewrite"));
    assert_null(files_find(&after, ".tmp"));
    assert_string_equal(dry.lost, real.lost);
    assert_string_equal(dry.quarantined, real.quarantined);
    assert_memory_equal(&planned, &done, sizeof done);

    CHECK_CODE(check(&t, &second, &checked), STELE_OK);
    assert_int_equal(checked.messages, done.messages);
    assert_int_equal(checked.segments, done.segments);
    CHECK_CODE(recover(&t, false, &second, &nothing), STELE_OK);
    assert_int_equal(nothing.cut_bytes, 0);
    assert_int_equal(nothing.messages, done.messages);
    assert_string_equal(second.lost, "");
    assert_string_equal(second.quarantined, "");
    files_read(&again, t.path);
    assert_true(files_equal(&after, &again));
    files_free(&again);
    files_free(&after);
    files_free(&before);
    tmpdir_remove(&t);
}

static void every_variant_is_checked_and_recovered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        run_variant(&table[i], 0);
        run_variant(&table[i], 1);
    }
}

/* The reference's own figures, from its results: what Stele keeps is never less, the
 * overlap apart, whose two messages a deletion had taken. */
static void nothing_that_the_reference_keeps_is_lost(void **state)
{
    FILE *f = fopen(STELE_TESTS_DIR "/vectors/klevdb/corrupt/results.jsonl", "r");
    char *line = NULL;
    size_t size = 0;
    int seen = 0;

    (void)state;
    assert_non_null(f);
    while (getline(&line, &size, f) > 0) {
        json_t *r = json_loads(line, 0, NULL);
        const char *variant = json_string_value(json_object_get(r, "variant"));
        int v = strcmp(json_string_value(json_object_get(r, "ver")), "v2") == 0;
        json_t *ranges = json_object_get(json_object_get(r, "recover"), "consumed");
        size_t count = 0;

        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            if (strcmp(table[i].variant, variant) != 0 || strstr(variant, "overlap") != NULL) {
                continue;
            }
            for (size_t k = 0; k < json_array_size(ranges); k++) {
                json_t *range = json_array_get(ranges, k);

                count += (size_t)(json_integer_value(json_array_get(range, 1)) -
                                  json_integer_value(json_array_get(range, 0)) + 1);
            }
            if (json_is_array(ranges)) {
                const char *at = table[i].kept[v];
                size_t kept = 0;

                while (*at != '\0') {
                    char *end;
                    long first = strtol(at, &end, 10);
                    long last = strtol(end + 1, &end, 10);

                    kept += (size_t)(last - first + 1);
                    at = *end == ',' ? end + 1 : end;
                }
                assert_true(kept >= count);
            }
            seen++;
        }
        json_decref(r);
    }
    assert_int_equal(seen, 2 * (sizeof table / sizeof table[0] - 1));
    free(line);
    (void)fclose(f);
}

static void an_unknown_version_is_left_alone(void **state)
{
    struct tmpdir t;
    struct files before;
    struct files after;
    struct story s;
    stele_stream_recovered r;
    stele_stream_checked c;

    (void)state;
    tmpdir_make(&t);
    files_make_variant(&t, "v2", "version_9");
    files_read(&before, t.path);
    CHECK_CODE(check(&t, &s, &c), STELE_ECORRUPT);
    CHECK_CODE(recover(&t, false, &s, &r), STELE_EVERSION);
    files_read(&after, t.path);
    assert_true(files_equal(&before, &after));
    files_free(&before);
    files_free(&after);
    tmpdir_remove(&t);

    /* The byte is no version in version 1, and the log is whole. */
    tmpdir_make(&t);
    files_make_variant(&t, "v1", "version_9");
    CHECK_CODE(check(&t, &s, &c), STELE_OK);
    CHECK_CODE(recover(&t, false, &s, &r), STELE_OK);
    assert_int_equal(r.messages, 60);
    assert_int_equal(r.cut_bytes, 0);
    tmpdir_remove(&t);
}

static void foreign_files_are_not_touched(void **state)
{
    static const char *const names[] = {"notanumber.log", "0000000000000000000.log",
            "000000000000000000000.log", "00000000000000000000.logs",
            "00000000000000000000.log.recover.bak", "00000000000000000000.log.rewrite.ABCDEFGH",
            "00000000000000000000.log.rewrite.abcdefghi", "README"};
    struct tmpdir t;
    struct story s;
    stele_stream_recovered r;
    stele_stream_checked c;

    (void)state;
    tmpdir_make(&t);
    files_make_variant(&t, "v2", "stale_recover_file");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tmpdir_write(&t, names[i], "mine", 4);
    }
    CHECK_CODE(recover(&t, false, &s, &r), STELE_OK);
    CHECK_CODE(check(&t, &s, &c), STELE_OK);
    assert_int_equal(s.notes, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len;
        uint8_t *bytes = tmpdir_read(&t, names[i], &len);

        assert_int_equal(len, 4);
        assert_memory_equal(bytes, "mine", 4);
        free(bytes);
    }
    tmpdir_remove(&t);
}

static void other_index_options_are_refused(void **state)
{
    struct tmpdir t;
    struct files before;
    struct files after;
    stele_stream_options opts;
    stele_error err;
    struct story s = {0};

    (void)state;
    for (int v = 0; v < 2; v++) {
        tmpdir_make(&t);
        files_make_variant(&t, v == 0 ? "v1" : "v2", "garbage_tail_100");
        files_read(&before, t.path);
        stele_stream_options_init(&opts);
        CHECK_CODE(stele_stream_recover_dir(t.path, &opts, NULL, NULL, &err), STELE_EMISMATCH);
        CHECK_CODE(stele_stream_check_dir(t.path, &opts, false, on_fault, &s, NULL, &err),
                STELE_ECORRUPT);
        assert_true(s.faults >= 3);
        opts.index_auto = true;
        files_read(&after, t.path);
        assert_true(files_equal(&before, &after));
        CHECK_OK(stele_stream_recover_dir(t.path, &opts, NULL, NULL, &err), &err);
        files_free(&before);
        files_free(&after);
        tmpdir_remove(&t);
    }
    CHECK_CODE(stele_stream_recover_dir("/nonexistent/stream", NULL, NULL, NULL, &err),
            STELE_ENOTFOUND);
    CHECK_CODE(stele_stream_check_dir("/nonexistent/stream", NULL, false, NULL, NULL, NULL, &err),
            STELE_ENOTFOUND);
    CHECK_CODE(stele_stream_recover_dir(NULL, NULL, NULL, NULL, &err), STELE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_variant_is_checked_and_recovered),
            cmocka_unit_test(nothing_that_the_reference_keeps_is_lost),
            cmocka_unit_test(an_unknown_version_is_left_alone),
            cmocka_unit_test(foreign_files_are_not_touched),
            cmocka_unit_test(other_index_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
