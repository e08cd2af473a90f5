/* SPDX-License-Identifier: MIT
 *
 * composite.c: the text of an array or object in an index.
 */
#include "docs/order.h"
#include "docs/walk.h"

static stele_code put_byte(uint8_t byte, stele_buf *out, stele_error *err)
{
    return stele_buf_append(out, stele_bytes_of(&byte, 1), err);
}

/* One value of the innermost level, or its end. */
static stele_code step(struct sti_docs_walk *walk, stele_buf *out, stele_error *err)
{
    const char *name;
    const json_t *value = sti_docs_walk_next(walk, &name);
    stele_code rc = STELE_OK;

    if (value == NULL) {
        return put_byte(STI_DOCS_TAG_END, out, err);
    }
    if (name != NULL) {
        rc = sti_docs_put_text(STI_DOCS_TAG_STRING, stele_str(name), out, err);
    }
    if (rc == STELE_OK && !json_is_array(value) && !json_is_object(value)) {
        return sti_docs_put_scalar(value, out, err);
    }
    if (rc == STELE_OK) {
        rc = put_byte(json_is_array(value) ? STI_DOCS_TAG_ARRAY : STI_DOCS_TAG_OBJECT, out, err);
    }
    return rc == STELE_OK ? sti_docs_walk_enter(walk, value, err) : rc;
}

stele_code sti_docs_put_composite(const json_t *value, stele_buf *out, stele_error *err)
{
    struct sti_docs_walk walk = {.sorted = true};
    stele_code rc = sti_docs_walk_enter(&walk, value, err);

    while (rc == STELE_OK && walk.count > 0) {
        rc = step(&walk, out, err);
    }
    sti_docs_walk_free(&walk);
    return rc;
}
