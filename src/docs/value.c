/* SPDX-License-Identifier: MIT
 *
 * value.c: texts to documents.
 */
#include "docs/value.h"

#include "base/error.h"

stele_code sti_docs_value_parse(
        stele_bytes text, const struct sti_json_rules *limits, json_t **out, stele_error *err)
{
    json_t *value = NULL;
    stele_code rc = sti_json_load(text, limits, &value, err);

    if (rc == STELE_ECORRUPT) {
        /* It is the caller's text that is bad, not what is stored. */
        if (err != NULL) {
            err->code = STELE_EINVAL;
        }
        return STELE_EINVAL;
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return sti_fail(err, STELE_EINVAL, "JSON: not an object");
    }
    *out = value;
    return STELE_OK;
}

stele_code sti_docs_value_of_peer(stele_bytes text, json_t **out, stele_error *err)
{
    const struct sti_json_rules limits = {
            .size_max = STI_DOCS_PEER_SIZE_MAX, .depth_max = STI_DOCS_PEER_DEPTH_MAX};
    json_t *value = NULL;
    stele_code rc = sti_docs_value_parse(text, &limits, &value, err);

    if (rc == STELE_OK || rc == STELE_EINVAL || rc == STELE_ETOOBIG) {
        *out = value;
        return STELE_OK;
    }
    return rc;
}

stele_bytes sti_docs_value_type(const json_t *document)
{
    const json_t *type = json_object_get(document, "@type");

    if (!json_is_string(type)) {
        return stele_str(STI_DOCS_TYPE_INVALID);
    }
    return stele_bytes_of(json_string_value(type), json_string_length(type));
}
