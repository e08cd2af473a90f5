/* SPDX-License-Identifier: MIT
 *
 * listing.c: the files of a log's directory, read and sorted.
 */
#include "wal/listing.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdio.h>

struct reading {
    struct sti_wal_listing *list;
    stele_error *err;
};

static stele_code add(void *arg, const char *name)
{
    struct reading *r = arg;
    struct sti_wal_listing *list = r->list;
    struct sti_wal_listed item = {.number = 0};

    item.kind = sti_wal_name_parse(name, &item.number);
    if (item.kind == STI_WAL_NAME_OTHER) {
        return STELE_OK;
    }
    (void)snprintf(item.name, sizeof item.name, "%s", name);
    if (list->count == list->capacity) {
        size_t more = list->capacity == 0 ? 64 : 2 * list->capacity;
        struct sti_wal_listed *grown = sti_realloc(list->items, more, sizeof *grown);

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
    const struct sti_wal_listed *x = a;
    const struct sti_wal_listed *y = b;

    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    if (x->number != y->number) {
        return x->number < y->number ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

stele_code sti_wal_listing_read(struct sti_wal_listing *list, struct sti_dir *dir, stele_error *err)
{
    struct reading r = {list, err};
    stele_code rc;

    list->count = 0;
    rc = sti_dir_list(dir, add, &r, err);
    if (rc == STELE_OK && list->count > 0) {
        qsort(list->items, list->count, sizeof list->items[0], compare);
    }
    return rc;
}

void sti_wal_listing_free(struct sti_wal_listing *list)
{
    sti_free(list->items);
    memset(list, 0, sizeof *list);
}

const struct sti_wal_listed *sti_wal_listing_of(
        const struct sti_wal_listing *list, enum sti_wal_name_kind kind, size_t *count)
{
    size_t from = 0;
    size_t to;

    while (from < list->count && list->items[from].kind != kind) {
        from++;
    }
    to = from;
    while (to < list->count && list->items[to].kind == kind) {
        to++;
    }
    *count = to - from;
    return *count == 0 ? NULL : &list->items[from];
}
