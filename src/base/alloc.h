/* SPDX-License-Identifier: MIT
 *
 * alloc.h: memory whose every failure can be provoked.
 *
 * All memory of the library comes from here. In a build for tests
 * (STI_TESTING) a hook decides of each allocation whether it fails, so that a
 * test can fail the n-th for every n.
 */
#ifndef STI_BASE_ALLOC_H
#define STI_BASE_ALLOC_H

#include <stele/error.h>

#include <stdlib.h>

/* NULL when there is no memory, or the product overflows. Sizes of 0 give a
 * valid pointer. Free with sti_free(). */
void *sti_malloc(size_t size);
void *sti_calloc(size_t count, size_t size);
void *sti_realloc(void *p, size_t count, size_t size); /* p is intact on failure */
void sti_free(void *p);                                /* accepts NULL */

/* A copy of a C string; NULL when there is no memory. */
char *sti_strdup(const char *s);

/* The error to return when one of the above gave NULL. */
#if defined(__clang_analyzer__) && !defined(STI_ALLOC_IMPLEMENTATION)
/* What the static analyser has to know: the result is the code. */
static inline stele_code sti_fail_memory(stele_error *err, size_t size)
{
    (void)err;
    (void)size;
    return STELE_ENOMEM;
}
#else
stele_code sti_fail_memory(stele_error *err, size_t size);
#endif

#ifdef STI_TESTING
/* Called before each allocation, from any thread; true makes it fail. NULL
 * switches it off. For tests alone, set while no other thread runs. */
void sti_alloc_set_hook(bool (*fails)(void *arg), void *arg);
#endif

#endif /* STI_BASE_ALLOC_H */
