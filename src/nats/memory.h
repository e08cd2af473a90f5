/* SPDX-License-Identifier: MIT
 *
 * memory.h: all memory of this library comes from here.
 *
 * This library uses libstele's public headers alone, so it has its own door to malloc(). In a build
 * for tests a hook decides of each allocation whether it fails, as in base.
 */
#ifndef STI_NATS_MEMORY_H
#define STI_NATS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* NULL: no memory, or more than there are bytes. Zero-filled. */
void *sti_nats_calloc(size_t count, size_t size);
/* As realloc(): what was there stays if it fails. */
void *sti_nats_realloc(void *p, size_t size);
/* A copy of a string; NULL for NULL, too. */
char *sti_nats_strdup(const char *s);
void sti_nats_free(void *p); /* accepts NULL */

#ifdef STI_TESTING
/* `fails` is asked before each allocation, by whatever thread; NULL: none fails. */
void sti_nats_alloc_set_hook(bool (*fails)(void *arg), void *arg);
#endif

#endif /* STI_NATS_MEMORY_H */
