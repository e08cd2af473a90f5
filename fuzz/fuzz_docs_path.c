/* SPDX-License-Identifier: MIT
 *
 * fuzz_docs_path.c: places in documents, patches, and their text.
 *
 * The input is a document, a path, a JSON pointer and a patch, each up to a zero byte. A path and
 * the pointer of the same names lead to the same value. A patch applied twice is as applied once,
 * and what is printed reads as the same value.
 */
#include "docs/patch.h"
#include "docs/path.h"
#include "docs/value.h"
#include "fuzz.h"

#include <string.h>

/* The next part of the input, in memory of its own with a zero byte behind it. */
static char *next_part(struct fuzz_input *in, size_t *len)
{
    const uint8_t *end = in->size == 0 ? NULL : memchr(in->data, 0, in->size);
    char *part;

    *len = end == NULL ? in->size : (size_t)(end - in->data);
    part = calloc(*len + 1, 1);
    fuzz_require(part != NULL);
    if (*len > 0) {
        memcpy(part, in->data, *len);
    }
    in->data += *len;
    in->size -= *len;
    (void)fuzz_byte(in);
    return part;
}

/* The pointer with the names of a path, to be freed. */
static char *pointer_of(const char *path)
{
    char *pointer = calloc(strlen(path) * 2 + 2, 1);
    size_t len = 0;

    fuzz_require(pointer != NULL);
    pointer[len++] = '/';
    for (const char *c = path; *c != '\0'; c++) {
        pointer[len++] = *c;
        if (*c == '~') {
            pointer[len++] = '0';
        }
    }
    return pointer;
}

static void check_path(const json_t *document, const char *text)
{
    char *pointer = pointer_of(text);
    const json_t *by_pointer = NULL;
    const json_t *by_path;
    struct sti_docs_path path;
    stele_code rc;

    fuzz_require(sti_docs_path_compile(&path, text, NULL) == STELE_OK);
    by_path = sti_docs_path_find(&path, document);
    rc = sti_docs_pointer_find(document, stele_str(pointer), &by_pointer, NULL);
    fuzz_require(rc == (by_path == NULL ? STELE_ENOTFOUND : STELE_OK));
    fuzz_require(by_pointer == by_path);
    sti_docs_path_free(&path);
    free(pointer);
}

static void check_text(const json_t *value)
{
    const struct sti_json_rules rules = {.size_max = SIZE_MAX, .depth_max = 2048};
    json_t *again = NULL;
    stele_code rc;
    stele_buf text;

    stele_buf_init(&text, SIZE_MAX);
    fuzz_require(sti_docs_value_print(value, &text, NULL) == STELE_OK);
    rc = sti_docs_value_parse(stele_buf_view(&text), &rules, &again, NULL);
    if (rc == STELE_ETOOBIG) { /* a patch that added depth */
        stele_buf_free(&text);
        return;
    }
    fuzz_require(rc == STELE_OK);
    fuzz_require(json_equal(again, value));
    json_decref(again);
    stele_buf_free(&text);
}

static void check_patch(const json_t *document, const json_t *patch)
{
    json_t *once = NULL;
    json_t *twice = NULL;

    fuzz_require(sti_docs_patch(document, patch, &once, NULL) == STELE_OK);
    fuzz_require(sti_docs_patch(once, patch, &twice, NULL) == STELE_OK);
    fuzz_require(json_equal(once, twice));
    check_text(once);
    json_decref(once);
    json_decref(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t lens[4];
    char *parts[4];
    json_t *document = NULL;
    json_t *patch = NULL;
    const json_t *found = NULL;

    for (size_t i = 0; i < 4; i++) {
        parts[i] = next_part(&in, &lens[i]);
    }
    fuzz_require(
            sti_docs_value_of_peer(stele_bytes_of(parts[0], lens[0]), &document, NULL) == STELE_OK);
    fuzz_require(
            sti_docs_value_of_peer(stele_bytes_of(parts[3], lens[3]), &patch, NULL) == STELE_OK);
    (void)sti_docs_value_type(document);
    check_path(document, parts[1]);
    (void)sti_docs_pointer_find(document, stele_bytes_of(parts[2], lens[2]), &found, NULL);
    if (document != NULL) {
        check_text(document);
    }
    if (patch != NULL) {
        check_patch(document, patch);
    }
    json_decref(document);
    json_decref(patch);
    for (size_t i = 0; i < 4; i++) {
        free(parts[i]);
    }
    return 0;
}
