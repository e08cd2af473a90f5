/* SPDX-License-Identifier: MIT
 *
 * docs_values.h: some JSON values, and by hand what each index has to hold of them.
 *
 * Nothing here knows how the library encodes a value: what is equal, and which of two is less, is
 * said for each of them by a rank, or follows from its text.
 */
#ifndef TESTS_MODEL_DOCS_VALUES_H
#define TESTS_MODEL_DOCS_VALUES_H

#include "docs/type.h"

/* Values are numbers: those below DOCS_VALUES_SPECIAL are of a table, the others integers. */
enum {
    DOCS_VALUE_NONE = -1,
    DOCS_VALUE_NULL = 0,
    DOCS_VALUES_SPECIAL = 40,
    DOCS_VALUES = DOCS_VALUES_SPECIAL + 60,
    DOCS_VALUE_TEXT_SIZE = 700, /* of its JSON */
    DOCS_ELEMENTS = 4
};

/* Whether the table has as many as it should; to be asked once. */
bool docs_values_are_whole(void);

/* Its JSON. */
const char *docs_value_json(int value, char out[DOCS_VALUE_TEXT_SIZE]);

/* Below 0, 0 or above 0, in an index of this order. */
int docs_value_compare(enum sti_docs_order order, int a, int b);

/* What a bound stays within; both values have the same. */
bool docs_value_same_kind(enum sti_docs_order order, int a, int b);

/* The text of a string, to look for as a prefix; NULL: it is none, or has a zero byte. */
const char *docs_value_text(int value);
bool docs_value_has_prefix(enum sti_docs_order order, int value, int prefix);

/* The elements of an array; -1: it is none. */
int docs_value_elements(int value, int out[DOCS_ELEMENTS]);

#endif /* TESTS_MODEL_DOCS_VALUES_H */
