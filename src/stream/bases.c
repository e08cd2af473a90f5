/* SPDX-License-Identifier: MIT */
#include "stream/bases.h"

#include "base/alloc.h"
#include "base/error.h"

static stele_code read_stats(struct sti_bases *list, struct sti_dir *dir, stele_error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        char name[STI_NAME_SIZE];
        stele_file_stat st;
        stele_code rc;

        sti_name_log(name, list->bases[i]);
        rc = sti_dir_stat(dir, name, &st, err);
        if (rc == STELE_ENOTFOUND) {
            continue;
        }
        if (rc != STELE_OK) {
            return rc;
        }
        list->bases[kept] = list->bases[i];
        list->ids[kept] = st.id;
        list->sizes[kept] = st.size;
        kept++;
    }
    list->count = kept;
    return STELE_OK;
}

stele_code sti_bases_read(struct sti_bases *list, struct sti_dir *dir,
        const struct sti_listing *listing, const struct sti_leftovers *leftovers, bool stats,
        stele_error *err)
{
    size_t max = listing->count;

    sti_bases_free(list);
    list->bases = sti_calloc(max, sizeof *list->bases);
    list->ids = sti_calloc(max, sizeof *list->ids);
    list->sizes = sti_calloc(max, sizeof *list->sizes);
    if (list->bases == NULL || list->ids == NULL || list->sizes == NULL) {
        return sti_fail_memory(err, max * sizeof *list->bases);
    }
    for (size_t i = sti_listing_next_log(listing, 0); i < listing->count;
            i = sti_listing_next_log(listing, i + 1)) {
        int64_t base = listing->entries[i].base;

        if (!sti_leftovers_has_log(leftovers, base)) {
            list->bases[list->count++] = base;
        }
    }
    return stats ? read_stats(list, dir, err) : STELE_OK;
}

void sti_bases_free(struct sti_bases *list)
{
    sti_free(list->bases);
    sti_free(list->ids);
    sti_free(list->sizes);
    list->bases = NULL;
    list->ids = NULL;
    list->sizes = NULL;
    list->count = 0;
}
