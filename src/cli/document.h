/* SPDX-License-Identifier: MIT
 *
 * document.h: JSON as it is: in a line, and out of one.
 *
 * A document that is a field of a JSON line is there as a value, with its white space removed and
 * nothing else changed: numbers keep their spelling, and members their order. So it is never
 * printed from what a parser made of it.
 */
#ifndef STI_CLI_DOCUMENT_H
#define STI_CLI_DOCUMENT_H

#include "cli/json_in.h"
#include "cli/output.h"

/* Whether bytes are a JSON object as the command reads it: no name twice in an object, numbers of
 * 64 bits. A document of a peer need not be one. */
bool sti_is_document(stele_bytes json);

/* A field with a document; one that is none is base64, and the name gets "_b64" at its end; nil is
 * null. */
void sti_json_document(struct sti_json *j, const char *name, stele_bytes json);

/* The same on a line of text; what is no document comes as b64:... */
void sti_print_document(stele_bytes json);

/* The field of a line that was parsed, as it stands there; a field NAME_b64 is decoded, both are an
 * error. Not given if it is missing or null. out->owned is to be freed, also after a failure. */
stele_code sti_object_document(const struct sti_object *o, stele_bytes line, const char *name,
        struct sti_data *out, stele_error *err);

#endif /* STI_CLI_DOCUMENT_H */
