/* SPDX-License-Identifier: MIT
 *
 * env.c: the real clocks and random numbers; copying of option structs.
 */
#include "base/env.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/thread.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* No options struct comes near it: a larger size was never initialised. */
enum {
    OPTIONS_SIZE_MAX = 16384
};

static stele_time real_wall_clock(void *arg)
{
    struct timespec now;
    int rc = clock_gettime(CLOCK_REALTIME, &now);

    (void)arg;
    sti_assert(rc == 0);
    return (stele_time)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint64_t real_monotonic_ns(void *arg)
{
    (void)arg;
    return (uint64_t)sti_monotonic_now_ns();
}

static void real_random(void *arg, void *out, size_t len)
{
    uint8_t *next = out;

    (void)arg;
    while (len > 0) {
        ssize_t got = getrandom(next, len, 0);

        /* A signal can interrupt it; nothing else can go wrong on a kernel
         * that has the call, and without it there is no way to go on. */
        sti_assert(got > 0 || errno == EINTR);
        if (got > 0) {
            next += got;
            len -= (size_t)got;
        }
    }
}

static void fill_defaults(stele_env *env)
{
    if (env->wall_clock == NULL) {
        env->wall_clock = real_wall_clock;
    }
    if (env->monotonic_ns == NULL) {
        env->monotonic_ns = real_monotonic_ns;
    }
    if (env->random == NULL) {
        env->random = real_random;
    }
}

/* A vfs of NULL stands for the real files, here as in a NULL env. */
void stele_env_init_sized(stele_env *env, size_t struct_size)
{
    stele_env full;

    memset(&full, 0, sizeof full);
    fill_defaults(&full);
    full.struct_size = struct_size;
    if (struct_size > sizeof full) {
        memset((uint8_t *)env + sizeof full, 0, struct_size - sizeof full);
        struct_size = sizeof full;
    }
    memcpy(env, &full, struct_size);
}

void sti_env_copy(stele_env *out, const stele_env *env)
{
    stele_env copy;

    memset(&copy, 0, sizeof copy);
    if (env != NULL) {
        /* A program built against an older header has a shorter struct. One
         * that was filled by hand, without a size, has that of the first
         * version, which is the shortest of all. */
        size_t size = env->struct_size;

        memcpy(&copy, env, size == 0 || size > sizeof copy ? sizeof copy : size);
    }
    copy.struct_size = sizeof copy;
    fill_defaults(&copy);
    *out = copy;
}

stele_time sti_env_now(const stele_env *env)
{
    if (env == NULL || env->wall_clock == NULL) {
        return real_wall_clock(NULL);
    }
    return env->wall_clock(env->arg);
}

uint64_t sti_env_monotonic_ns(const stele_env *env)
{
    if (env == NULL || env->monotonic_ns == NULL) {
        return real_monotonic_ns(NULL);
    }
    return env->monotonic_ns(env->arg);
}

uint64_t sti_env_monotonic_tick_ns(const stele_env *env)
{
    if (env == NULL || env->monotonic_ns == NULL || env->monotonic_ns == real_monotonic_ns) {
        return (uint64_t)sti_monotonic_tick_ns();
    }
    return env->monotonic_ns(env->arg);
}

uint64_t sti_env_random64(const stele_env *env)
{
    uint64_t value = 0;

    if (env == NULL || env->random == NULL) {
        real_random(NULL, &value, sizeof value);
    } else {
        env->random(env->arg, &value, sizeof value);
    }
    return value;
}

void sti_env_log(const stele_env *env, stele_log_level level, const char *format, ...)
{
    char message[1024];
    va_list ap;

    if (env == NULL || env->log == NULL) {
        return;
    }
    va_start(ap, format);
    (void)vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    env->log(env->arg, level, message);
}

stele_code sti_options_copy(
        void *out, size_t out_size, const void *in, const char *what, stele_error *err)
{
    size_t in_size;
    size_t known;

    sti_assert(out_size >= sizeof in_size);
    if (in == NULL) {
        memset(out, 0, out_size);
        memcpy(out, &out_size, sizeof out_size);
        return STELE_OK;
    }
    memcpy(&in_size, in, sizeof in_size);
    if (in_size < sizeof in_size || in_size > OPTIONS_SIZE_MAX) {
        return sti_fail(err, STELE_EINVAL,
                "%s: struct_size is %zu: the options were not initialised", what, in_size);
    }
    known = in_size < out_size ? in_size : out_size;
    for (size_t i = known; i < in_size; i++) {
        if (((const uint8_t *)in)[i] != 0) {
            return sti_fail(err, STELE_EINVAL,
                    "%s: unknown option: this version of the library knows %zu bytes of %zu", what,
                    out_size, in_size);
        }
    }
    memset(out, 0, out_size);
    memcpy(out, in, known);
    memcpy(out, &out_size, sizeof out_size);
    return STELE_OK;
}
