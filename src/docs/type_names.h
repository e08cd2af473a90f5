/* SPDX-License-Identifier: MIT
 *
 * type_names.h: how orders and methods are written, and the memory of a type that was made here.
 */
#ifndef STI_DOCS_TYPE_NAMES_H
#define STI_DOCS_TYPE_NAMES_H

#include "base/arena.h"
#include "docs/type.h"

/* What sti_docs_type_free() frees: everything that the type points to is in the arena. */
struct sti_docs_type_owned {
    struct sti_docs_type type; /* first: what the caller has is its address */
    struct sti_arena arena;
};

/* NULL when there is no memory. */
struct sti_docs_type_owned *sti_docs_type_owned_new(void);

const char *sti_docs_order_name(enum sti_docs_order order);
const char *sti_docs_method_name(enum sti_docs_method method);

/* Whether there is one of that name. */
bool sti_docs_order_find(const char *name, enum sti_docs_order *out);
bool sti_docs_method_find(const char *name, enum sti_docs_method *out);

#endif /* STI_DOCS_TYPE_NAMES_H */
