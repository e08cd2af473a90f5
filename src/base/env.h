/* SPDX-License-Identifier: MIT
 *
 * env.h: asking the outside world.
 */
#ifndef STI_BASE_ENV_H
#define STI_BASE_ENV_H

#include <stele/env.h>

/* *out = what `env` says, with the real world where it is NULL or silent
 * (`vfs` excepted, which stays NULL then: base does not know files). */
void sti_env_copy(stele_env *out, const stele_env *env);

stele_time sti_env_now(const stele_env *env); /* wall clock, microseconds */
uint64_t sti_env_monotonic_ns(const stele_env *env);
uint64_t sti_env_monotonic_tick_ns(const stele_env *env); /* cheaper; see sti_monotonic_tick_ns() */
uint64_t sti_env_random64(const stele_env *env);

/* Nothing if the env has no log. Not under a lock. */
void sti_env_log(const stele_env *env, stele_log_level level, const char *format, ...)
        STELE_PRINTF(3, 4);

/* Copy an options struct of the caller's size over defaults of ours: fields
 * that the caller does not know yet stay zero. STELE_EINVAL if struct_size (the
 * first member) is 0 or no size at all, or if fields that we do not know yet
 * are not zero. `in` may be NULL: all zeros. The size in *out is ours. */
stele_code sti_options_copy(
        void *out, size_t out_size, const void *in, const char *what, stele_error *err);

#endif /* STI_BASE_ENV_H */
