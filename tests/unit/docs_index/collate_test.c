/* SPDX-License-Identifier: MIT
 *
 * collate_test.c: which strings are held equal, as the reference says for every pair of its list.
 */
#include "docs/collate.h"

#include "docs/order.h"
#include "kit.h"

#include <pthread.h>

enum {
    WORDS_MAX = 100
};

struct word {
    json_t *value; /* the string */
    char *theirs;  /* the reference's key */
    stele_buf ours;
};

static size_t read_words(struct word *words, const struct sti_docs_collator *collator)
{
    FILE *file = fopen(STELE_TESTS_DIR "/vectors/clouddb/collation_utf8.jsonl", "r");
    char line[8192];
    size_t count = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        const json_t *in = json_object_get(row, "in");
        struct word *word = &words[count];
        stele_error err;

        assert_non_null(row);
        if (json_is_string(in)) { /* the others say how numbers were written as strings */
            word->value = json_deep_copy(in);
            word->theirs = strdup(json_string_value(json_object_get(row, "utf8_key")));
            stele_buf_init(&word->ours, SIZE_MAX);
            CHECK_OK(sti_docs_order_encode(
                             collator, STI_DOCS_ORDER_UTF8, word->value, &word->ours, NULL, &err),
                    &err);
            count++;
            assert_true(count < WORDS_MAX);
        }
        json_decref(row);
    }
    assert_int_equal(fclose(file), 0);
    return count;
}

static void test_pairs(void **state)
{
    static struct word words[WORDS_MAX];
    struct sti_docs_collator *collator;
    size_t equal = 0;
    size_t count;
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_collator_open(&collator, &err), &err);
    count = read_words(words, collator);
    assert_int_equal(count, 46);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            bool theirs = strcmp(words[i].theirs, words[j].theirs) == 0;
            bool ours = stele_bytes_equal(
                    stele_buf_view(&words[i].ours), stele_buf_view(&words[j].ours));

            if (theirs != ours) {
                fail_msg("%s and %s: %s", json_string_value(words[i].value),
                        json_string_value(words[j].value), ours ? "equal" : "not equal");
            }
            equal += ours ? 1 : 0;
        }
    }
    print_message("%zu pairs, %zu equal\n", count * (count - 1) / 2, equal);
    assert_int_equal(equal, 7);
    for (size_t i = 0; i < count; i++) {
        json_decref(words[i].value);
        free(words[i].theirs);
        stele_buf_free(&words[i].ours);
    }
    sti_docs_collator_close(collator);
}

static void test_keys(void **state)
{
    struct sti_docs_collator *collator;
    stele_buf key;
    stele_buf first;
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_collator_open(&collator, &err), &err);
    stele_buf_init(&key, SIZE_MAX);
    stele_buf_init(&first, SIZE_MAX);
    /* Lengths around those of the buffers on the stack; keys grow with the string. */
    for (size_t len = 0; len < 700; len++) {
        char text[700];
        size_t before = key.len;

        memset(text, 'q', sizeof text);
        CHECK_OK(sti_docs_collator_key(collator, stele_bytes_of(text, len), &key, &err), &err);
        assert_true(len == 0 ? key.len == 0 : key.len > before);
        assert_true(key.len == 0 || memchr(key.data, 0, key.len) == NULL);
        memset(text, 'Q', sizeof text);
        CHECK_OK(sti_docs_collator_key(collator, stele_bytes_of(text, len), &first, &err), &err);
        assert_int_equal(first.len, key.len);
        assert_true(key.len == 0 || memcmp(first.data, key.data, key.len) == 0);
    }
    stele_buf_free(&key);
    stele_buf_free(&first);
    sti_docs_collator_close(collator);
}

/* The key of a text is the beginning of that of each text that goes on from it, so that strings can
 * be searched by prefix: also where the script changes, at which ICU writes shorter keys. */
static void test_beginnings(void **state)
{
    static const char *const words[] = {"a", "Z", "strasse", "\u00f8", "\ufb01", "42", "\uff19",
            "\u00bd", " ", "_", "@", "\u30c6\u30b9\u30c8", "\u6f22\u5b57", "\ud55c\uad6d\uc5b4",
            "\u043f\u0440\u0438\u0432\u0435\u0442", "\u03c9", "\u0645\u0631", "\U0001f44d", ""};
    struct sti_docs_collator *collator;
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_collator_open(&collator, &err), &err);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (size_t j = 0; j < sizeof words / sizeof words[0]; j++) {
            char text[64];
            stele_buf first;
            stele_buf both;

            (void)snprintf(text, sizeof text, "%s%s", words[i], words[j]);
            stele_buf_init(&first, SIZE_MAX);
            stele_buf_init(&both, SIZE_MAX);
            CHECK_OK(sti_docs_collator_key(collator, stele_str(words[i]), &first, &err), &err);
            CHECK_OK(sti_docs_collator_key(collator, stele_str(text), &both, &err), &err);
            if (first.len > both.len ||
                    (first.len > 0 && memcmp(first.data, both.data, first.len) != 0)) {
                fail_msg("%s does not begin %s", words[i], text);
            }
            stele_buf_free(&first);
            stele_buf_free(&both);
        }
    }
    sti_docs_collator_close(collator);
}

/* One collator, and a thread that makes keys with it. */
struct worker {
    pthread_t thread;
    const struct sti_docs_collator *collator;
    uint64_t seed;
    size_t wrong;
};

/* Keys of random strings, twice each: with the collator that all threads share, and one's own. */
static void *make_keys(void *arg)
{
    struct worker *worker = arg;
    struct random r = random_of(worker->seed);
    struct sti_docs_collator *own = NULL;
    stele_buf keys[2];

    stele_buf_init(&keys[0], SIZE_MAX);
    stele_buf_init(&keys[1], SIZE_MAX);
    worker->wrong += sti_docs_collator_open(&own, NULL) == STELE_OK ? 0 : 1;
    for (size_t i = 0; i < 3000 && worker->wrong == 0; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "%c\u00e9%llx\u304b\u3099",
                'a' + (int)random_below(&r, 26), (unsigned long long)random_bits(&r));
        stele_bytes bytes = stele_bytes_of(text, (size_t)len);

        if (sti_docs_collator_key(worker->collator, bytes, &keys[0], NULL) != STELE_OK ||
                sti_docs_collator_key(own, bytes, &keys[1], NULL) != STELE_OK ||
                !stele_bytes_equal(stele_buf_view(&keys[0]), stele_buf_view(&keys[1]))) {
            worker->wrong++;
        }
    }
    sti_docs_collator_close(own);
    stele_buf_free(&keys[0]);
    stele_buf_free(&keys[1]);
    return NULL;
}

static void test_threads(void **state)
{
    struct sti_docs_collator *collator;
    struct worker workers[4];
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_collator_open(&collator, &err), &err);
    for (size_t i = 0; i < 4; i++) {
        workers[i] = (struct worker){.collator = collator, .seed = i + 1};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, make_keys, &workers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    sti_docs_collator_close(collator);
}

static void test_version(void **state)
{
    uint8_t version[2][STI_DOCS_COLLATOR_VERSION_SIZE];
    static const uint8_t none[4] = {0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sti_docs_collator *collator;
        stele_error err;

        CHECK_OK(sti_docs_collator_open(&collator, &err), &err);
        sti_docs_collator_version(collator, version[i]);
        sti_docs_collator_close(collator);
    }
    assert_memory_equal(version[0], version[1], sizeof version[0]);
    assert_memory_equal(version[0], "\0\0\0\1", 4);
    assert_memory_not_equal(version[0] + 4, none, 4);
    assert_memory_not_equal(version[0] + 8, none, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs), cmocka_unit_test(test_keys),
            cmocka_unit_test(test_beginnings), cmocka_unit_test(test_threads),
            cmocka_unit_test(test_version)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
