/* SPDX-License-Identifier: MIT
 *
 * memory.c: malloc(), and a hook that lets it fail.
 */
#include "nats/memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef STI_TESTING
#include <stdatomic.h>

/* Set while no other thread allocates. */
static bool (*_Atomic hook)(void *arg);
static void *hook_arg;

void sti_nats_alloc_set_hook(bool (*fails)(void *arg), void *arg)
{
    hook_arg = arg;
    atomic_store(&hook, fails);
}

static bool fails_now(void)
{
    bool (*fails)(void *arg) = atomic_load(&hook);

    return fails != NULL && fails(hook_arg);
}
#else
static bool fails_now(void)
{
    return false;
}
#endif

void *sti_nats_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : calloc(count, size);
}

void *sti_nats_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : realloc(p, size);
}

char *sti_nats_strdup(const char *s)
{
    size_t size = s == NULL ? 0 : strlen(s) + 1;
    char *copy = s == NULL ? NULL : sti_nats_calloc(1, size);

    if (copy != NULL) {
        memcpy(copy, s, size);
    }
    return copy;
}

void sti_nats_free(void *p)
{
    free(p);
}
