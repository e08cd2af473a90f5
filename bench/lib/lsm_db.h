/* SPDX-License-Identifier: MIT
 *
 * lsm_db.h: a database of LevelDB, or of RocksDB, which took over its C interface. Included once in
 * the source of a peer, which says before it:
 *
 *     LSM(x)    a name of the library, such as leveldb_##x
 *     LSM_NAME  for messages
 */
#ifndef BENCH_LSM_DB_H
#define BENCH_LSM_DB_H

#include "lib/bench.h"

struct lsm {
    LSM(t) * db;
    LSM(options_t) * options;
    LSM(writeoptions_t) * write;
    LSM(readoptions_t) * read;
};

static void check(char *error, const char *what)
{
    if (error != NULL) {
        bench_die(LSM_NAME ": %s: %s", what, error);
    }
}

/* What it reads is compared with its checksums, as ours is. */
static void lsm_open(struct lsm *d, const char *path, bool fresh, bool sync)
{
    char *error = NULL;

    if (fresh) {
        bench_fresh_dir(path);
    }
    d->options = LSM(options_create)();
    LSM(options_set_create_if_missing)(d->options, fresh);
    d->write = LSM(writeoptions_create)();
    LSM(writeoptions_set_sync)(d->write, sync);
    d->read = LSM(readoptions_create)();
    LSM(readoptions_set_verify_checksums)(d->read, 1);
    d->db = LSM(open)(d->options, path, &error);
    check(error, "open");
}

static void lsm_close(struct lsm *d)
{
    LSM(close)(d->db);
    LSM(readoptions_destroy)(d->read);
    LSM(writeoptions_destroy)(d->write);
    LSM(options_destroy)(d->options);
}

#endif /* BENCH_LSM_DB_H */
