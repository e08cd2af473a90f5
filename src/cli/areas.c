/* SPDX-License-Identifier: MIT
 *
 * areas.c: the one table of areas: a new one is declared in command.h and
 * entered here, bottom up as the modules stand.
 */
#include "cli/command.h"

#include <string.h>

static const struct sti_area *const all_areas[] = {
        &sti_area_wal,
        &sti_area_journal,
        &sti_area_stream,
        &sti_area_store,
        &sti_area_docs,
        &sti_area_fleet,
};

const struct sti_area *const *sti_areas(size_t *count)
{
    *count = sizeof all_areas / sizeof all_areas[0];
    return all_areas;
}

const struct sti_area *sti_area_find(const char *name)
{
    for (size_t i = 0; i < sizeof all_areas / sizeof all_areas[0]; i++) {
        if (strcmp(all_areas[i]->name, name) == 0) {
            return all_areas[i];
        }
    }
    return NULL;
}

const struct sti_verb *sti_verb_find(const struct sti_area *area, const char *name)
{
    for (size_t i = 0; i < area->verb_count; i++) {
        if (strcmp(area->verbs[i].name, name) == 0) {
            return &area->verbs[i];
        }
    }
    return NULL;
}
