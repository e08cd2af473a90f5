/* SPDX-License-Identifier: MIT */
#include "journal/listing.h"

#include "base/alloc.h"
#include "base/error.h"

enum {
    FIRST_CAPACITY = 16
};

struct reading {
    struct sti_journal_listing *list;
    stele_error *err;
};

static stele_code add(void *arg, const char *name)
{
    struct reading *r = arg;
    struct sti_journal_listing *list = r->list;
    struct sti_journal_listed item = {.number = 0};

    item.kind = sti_journal_name_parse(name, &item.number);
    list->leftovers += item.kind == STI_JOURNAL_NAME_LEFTOVER ? 1 : 0;
    if (item.kind != STI_JOURNAL_NAME_LOG && item.kind != STI_JOURNAL_NAME_SNAP &&
            item.kind != STI_JOURNAL_NAME_UNFINISHED) {
        return STELE_OK;
    }
    if (list->count == list->capacity) {
        size_t more = list->capacity == 0 ? FIRST_CAPACITY : 2 * list->capacity;
        struct sti_journal_listed *grown = sti_realloc(list->items, more, sizeof *grown);

        if (grown == NULL) {
            return sti_fail_memory(r->err, more * sizeof *grown);
        }
        list->items = grown;
        list->capacity = more;
    }
    list->items[list->count++] = item;
    return STELE_OK;
}

static int compare(const void *a, const void *b)
{
    const struct sti_journal_listed *x = a;
    const struct sti_journal_listed *y = b;

    if (x->number != y->number) {
        return x->number < y->number ? -1 : 1;
    }
    return (int)x->kind - (int)y->kind;
}

stele_code sti_journal_listing_read(
        struct sti_journal_listing *list, struct sti_dir *dir, stele_error *err)
{
    struct reading r = {list, err};
    stele_code rc;

    list->count = 0;
    list->leftovers = 0;
    rc = sti_dir_list(dir, add, &r, err);
    if (rc == STELE_OK && list->count > 1) {
        qsort(list->items, list->count, sizeof list->items[0], compare);
    }
    return rc;
}

void sti_journal_listing_free(struct sti_journal_listing *list)
{
    sti_free(list->items);
    memset(list, 0, sizeof *list);
}

bool sti_journal_listing_equal(
        const struct sti_journal_listing *a, const struct sti_journal_listing *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i].kind != b->items[i].kind || a->items[i].number != b->items[i].number) {
            return false;
        }
    }
    return true;
}
