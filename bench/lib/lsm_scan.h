/* SPDX-License-Identifier: MIT
 *
 * lsm_scan.h: going over all pairs of a database, behind lsm_db.h.
 */
#ifndef BENCH_LSM_SCAN_H
#define BENCH_LSM_SCAN_H

#include "lib/lsm_db.h"

/* How many there are; *seen adds up something of each, so that each is looked at. */
static size_t lsm_scan(const struct lsm *d, uint64_t *seen)
{
    LSM(iterator_t) *it = LSM(create_iterator)(d->db, d->read);
    size_t count = 0;

    for (LSM(iter_seek_to_first)(it); LSM(iter_valid)(it) != 0; LSM(iter_next)(it)) {
        size_t key_len = 0;
        size_t len = 0;
        const char *key = LSM(iter_key)(it, &key_len);
        const char *value = LSM(iter_value)(it, &len);

        *seen += (uint64_t)(uint8_t)key[0] + (uint8_t)value[0];
        count++;
    }
    LSM(iter_destroy)(it);
    return count;
}

#endif /* BENCH_LSM_SCAN_H */
