/* SPDX-License-Identifier: MIT
 *
 * env_test.c: the real world as default, and structs of other versions.
 */
#include "base/env.h"

#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct world {
    int64_t now;
    char log[2048];
    stele_log_level level;
};

static stele_time fake_now(void *arg)
{
    return ((struct world *)arg)->now;
}

static uint64_t fake_monotonic(void *arg)
{
    return (uint64_t)((struct world *)arg)->now * 2;
}

static void fake_random(void *arg, void *out, size_t len)
{
    (void)arg;
    memset(out, 0x11, len);
}

static void fake_log(void *arg, stele_log_level level, const char *message)
{
    struct world *w = arg;

    w->level = level;
    (void)snprintf(w->log, sizeof w->log, "%s", message);
}

static void check_real(const stele_env *env)
{
    stele_time before = (stele_time)time(NULL) * 1000000;
    stele_time now = sti_env_now(env);
    stele_time after = ((stele_time)time(NULL) + 1) * 1000000;
    uint64_t start = sti_env_monotonic_ns(env);

    assert_true(now >= before && now <= after);
    assert_true(sti_env_monotonic_ns(env) >= start && start > 0);
    start = sti_env_monotonic_tick_ns(env);
    assert_true(sti_env_monotonic_ns(env) >= start && start > 0);
    /* Equal once in 2^64 runs. */
    assert_true(sti_env_random64(env) != sti_env_random64(env));
    sti_env_log(env, STELE_LOG_ERROR, "goes %s", "nowhere");
}

static void test_real_world(void **state)
{
    stele_env env;
    stele_env zero;
    uint8_t big[1000] = {0};

    (void)state;
    check_real(NULL);
    stele_env_init(&env);
    assert_int_equal(env.struct_size, sizeof env);
    assert_null(env.log);
    check_real(&env);
    env.random(env.arg, big, sizeof big);
    assert_int_not_equal(sti_env_random64(&env), 0);
    memset(&zero, 0, sizeof zero);
    check_real(&zero);
    sti_env_copy(&env, NULL);
    assert_int_equal(env.struct_size, sizeof env);
    assert_non_null(env.wall_clock);
    assert_non_null(env.monotonic_ns);
    assert_non_null(env.random);
    assert_null(env.vfs);
    check_real(&env);
}

static void test_given_world(void **state)
{
    struct world w = {.now = 1234};
    stele_env env;
    stele_env copy;

    (void)state;
    stele_env_init(&env);
    env.arg = &w;
    env.wall_clock = fake_now;
    env.monotonic_ns = fake_monotonic;
    env.random = fake_random;
    env.log = fake_log;
    sti_env_copy(&copy, &env);
    assert_int_equal(sti_env_now(&copy), 1234);
    assert_int_equal(sti_env_monotonic_ns(&copy), 2468);
    assert_int_equal(sti_env_monotonic_tick_ns(&copy), 2468);
    assert_true(sti_env_random64(&copy) == 0x1111111111111111ULL);
    sti_env_log(&copy, STELE_LOG_WARN, "%d of %s", 3, "four");
    assert_string_equal(w.log, "3 of four");
    assert_int_equal(w.level, STELE_LOG_WARN);
    sti_env_log(&copy, STELE_LOG_INFO, "%1500d", 7);
    assert_true(strlen(w.log) > 500 && strlen(w.log) < 1500); /* cut, not overrun */
}

/* A program of an older version has a shorter struct, one of a newer version
 * a longer one. */
static void test_env_of_another_size(void **state)
{
    struct world w = {.now = 77};
    stele_env env;
    stele_env copy;

    union {
        stele_env env;
        uint8_t bytes[sizeof(stele_env) + 32];
    } longer;

    (void)state;
    memset(&env, 0xEE, sizeof env);
    stele_env_init_sized(&env, offsetof(stele_env, log));
    assert_int_equal(env.struct_size, offsetof(stele_env, log));
    assert_int_equal(((uint8_t *)&env)[offsetof(stele_env, log)], 0xEE);
    env.arg = &w;
    env.wall_clock = fake_now;
    sti_env_copy(&copy, &env);
    assert_int_equal(copy.struct_size, sizeof copy);
    assert_null(copy.log);
    assert_int_equal(sti_env_now(&copy), 77);

    memset(&longer, 0xEE, sizeof longer);
    stele_env_init_sized(&longer.env, sizeof longer);
    assert_int_equal(longer.env.struct_size, sizeof longer);
    assert_int_equal(longer.bytes[sizeof longer - 1], 0);
    sti_env_copy(&copy, &longer.env);
    assert_int_equal(copy.struct_size, sizeof copy);
    check_real(&copy);

    memset(&env, 0, sizeof env);
    env.arg = &w;
    env.wall_clock = fake_now;
    sti_env_copy(&copy, &env);
    assert_int_equal(sti_env_now(&copy), 77);
}

struct options {
    size_t struct_size;
    uint64_t first;
    uint64_t second;
};

struct longer_options {
    struct options known;
    uint64_t third;
};

static void test_options(void **state)
{
    struct options in = {.struct_size = sizeof in, .first = 1, .second = 2};
    struct options out;
    stele_error err;

    (void)state;
    CHECK_OK(sti_options_copy(&out, sizeof out, &in, "open", &err), &err);
    assert_memory_equal(&out, &in, sizeof in);

    memset(&out, 0xEE, sizeof out);
    CHECK_OK(sti_options_copy(&out, sizeof out, NULL, "open", &err), &err);
    assert_int_equal(out.struct_size, sizeof out);
    assert_int_equal(out.first, 0);
    assert_int_equal(out.second, 0);
}

static void test_options_of_another_size(void **state)
{
    struct longer_options in = {{sizeof in, 1, 2}, 0};
    struct longer_options kept;
    struct options out;
    stele_error err;

    (void)state;
    /* Newer than the library, and not using what is new. */
    CHECK_OK(sti_options_copy(&out, sizeof out, &in, "open", &err), &err);
    assert_int_equal(out.struct_size, sizeof out);
    assert_int_equal(out.second, 2);
    /* Using it; any byte of it counts. */
    for (size_t i = sizeof out; i < sizeof in; i++) {
        struct longer_options bad = in;

        ((uint8_t *)&bad)[i] = 1;
        memset(&out, 0x77, sizeof out);
        CHECK_CODE(sti_options_copy(&out, sizeof out, &bad, "open", &err), STELE_EINVAL);
        CHECK_MESSAGE_HAS(&err, "open: unknown option");
        assert_int_equal(out.second, 0x7777777777777777LL);
    }
    /* Older than the library. */
    memset(&kept, 0xEE, sizeof kept);
    in.known.struct_size = sizeof(struct options);
    CHECK_OK(sti_options_copy(&kept, sizeof kept, &in, "open", &err), &err);
    assert_int_equal(kept.known.struct_size, sizeof kept);
    assert_int_equal(kept.known.second, 2);
    assert_int_equal(kept.third, 0);
}

static void test_options_without_size(void **state)
{
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, 1000000, SIZE_MAX};
    struct options in = {0};
    struct options out;
    stele_error err;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        in.struct_size = sizes[i];
        CHECK_CODE(sti_options_copy(&out, sizeof out, &in, "publish", &err), STELE_EINVAL);
        CHECK_MESSAGE_HAS(&err, "publish: struct_size");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_real_world),
            cmocka_unit_test(test_given_world),
            cmocka_unit_test(test_env_of_another_size),
            cmocka_unit_test(test_options),
            cmocka_unit_test(test_options_of_another_size),
            cmocka_unit_test(test_options_without_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
