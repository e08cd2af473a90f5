/* SPDX-License-Identifier: MIT
 *
 * quick.h: a reader of plain JSON texts, several times as fast as jansson's.
 *
 * It takes a part of what the strict reader takes, and makes the very same values of it: no
 * escapes, numbers whose double comes out exact without more than one rounding, no more than
 * STI_JSON_QUICK_DEPTH levels. Of all else it says that it is not for it, be that right or wrong:
 * the strict reader decides, and tells what is wrong.
 */
#ifndef STI_JSON_QUICK_H
#define STI_JSON_QUICK_H

#include <stele/bytes.h>

#include <jansson.h>

enum {
    STI_JSON_QUICK_DEPTH = 32
};

/* A value of any kind, to be let go with json_decref(); NULL: the text is not plain, or nested
 * deeper than that, or there is no memory. */
json_t *sti_json_quick(stele_bytes text, size_t depth_max);

#endif /* STI_JSON_QUICK_H */
