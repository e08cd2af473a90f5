/* SPDX-License-Identifier: MIT
 *
 * alloc.c: malloc() with checked products and, in tests, planned failures.
 */
#ifdef __clang_analyzer__
#define STI_ALLOC_IMPLEMENTATION
#endif
#include "base/alloc.h"

#include "base/error.h"

#include <string.h>

#ifdef STI_TESTING
#include <stdatomic.h>

/* Two atomics, so that a thread which a test left behind is no data race; the
 * pair is consistent because it is set while no other thread runs. */
static bool (*_Atomic hook_fails)(void *arg);
static void *_Atomic hook_arg;

void sti_alloc_set_hook(bool (*fails)(void *arg), void *arg)
{
    atomic_store(&hook_fails, NULL);
    atomic_store(&hook_arg, arg);
    atomic_store(&hook_fails, fails);
}

static bool must_fail(void)
{
    bool (*fails)(void *arg) = atomic_load(&hook_fails);

    return fails != NULL && fails(atomic_load(&hook_arg));
}
#else

static inline bool must_fail(void)
{
    return false;
}
#endif

void *sti_malloc(size_t size)
{
    if (must_fail()) {
        return NULL;
    }
    return malloc(size == 0 ? 1 : size);
}

void *sti_calloc(size_t count, size_t size)
{
    size_t bytes;

    if (must_fail() || __builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return calloc(1, bytes == 0 ? 1 : bytes);
}

void *sti_realloc(void *p, size_t count, size_t size)
{
    size_t bytes;

    if (must_fail() || __builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return realloc(p, bytes == 0 ? 1 : bytes);
}

void sti_free(void *p)
{
    free(p);
}

char *sti_strdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = sti_malloc(size);

    if (copy != NULL) {
        memcpy(copy, s, size);
    }
    return copy;
}

stele_code sti_fail_memory(stele_error *err, size_t size)
{
    return sti_fail(err, STELE_ENOMEM, "out of memory, %zu bytes needed", size);
}
