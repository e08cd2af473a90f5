/* SPDX-License-Identifier: MIT
 *
 * sha256_test.c: hashes are those of the standard, whichever way they are made, and whatever was
 * hashed before with the same context.
 */
#include "base/sha256.h"

#include "lib/check.h"

#include <stdio.h>

enum {
    MILLION = 1000000
};

/* The examples of FIPS 180-2. */
static const struct {
    const char *text; /* NULL: a million times "a" */
    const char *hash;
} examples[] = {
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {NULL, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
};

static uint8_t many[MILLION];

static stele_bytes text_of(size_t example)
{
    return examples[example].text == NULL ? stele_bytes_of(many, sizeof many)
                                          : stele_str(examples[example].text);
}

static void check(const uint8_t hash[STI_SHA256_SIZE], size_t example)
{
    char text[2 * STI_SHA256_SIZE + 1];

    for (size_t i = 0; i < STI_SHA256_SIZE; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal(text, examples[example].hash);
}

static void test_at_once(void **state)
{
    uint8_t hash[STI_SHA256_SIZE];
    stele_error err;

    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        stele_bytes text = text_of(i);

        CHECK_OK(sti_sha256(&text, 1, hash, &err), &err);
        check(hash, i);
    }
}

/* Each example behind each, in two pieces and one that is nil. */
static void test_again(void **state)
{
    const size_t count = sizeof examples / sizeof examples[0];
    struct sti_sha256 sha = {.context = NULL};
    uint8_t hash[STI_SHA256_SIZE];
    stele_error err;

    (void)state;
    for (size_t i = 0; i < count * count; i++) {
        const size_t order[] = {i / count, i % count};

        for (size_t j = 0; j < 2; j++) {
            stele_bytes text = text_of(order[j]);
            size_t half = text.len / 2;
            const stele_bytes pieces[] = {stele_bytes_of(text.data, half), stele_nil(),
                    stele_bytes_of(text.data + half, text.len - half)};

            CHECK_OK(sti_sha256_again(&sha, pieces, 3, hash, &err), &err);
            check(hash, order[j]);
        }
    }
    sti_sha256_free(&sha);
    sti_sha256_free(&sha);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_at_once),
            cmocka_unit_test(test_again),
    };

    memset(many, 'a', sizeof many);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
