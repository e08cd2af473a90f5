/* The log of a raft node: the id is the entry's index, the data its term and command. */
#include <stele/stele.h>

#include <stdio.h>
#include <stdlib.h>

static stele_error err;

static void must(stele_code code)
{
    if (code < STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort(); /* a node that cannot log must not go on */
    }
}

int main(void)
{
    const stele_bytes lost[] = {stele_str("term 1: x = 1"), stele_str("term 1: x = 3")};
    const stele_bytes kept[] = {stele_str("term 2: y = 4"), stele_str("term 2: x = 5")};
    stele_wal_options opts;
    stele_wal_record entry;
    stele_wal_iter *it;
    stele_wal *log;

    stele_wal_options_init(&opts);
    opts.create_dirs = true;
    must(stele_wal_open(&log, "node-1/raft.wal", &opts, &err));
    must(stele_wal_append_next(log, lost, 2, NULL, &err)); /* durable: this node counts */
    must(stele_wal_truncate(log, 1, &err)); /* another leader knows nothing of entry 2 */
    must(stele_wal_append_next(log, kept, 2, NULL, &err));
    must(stele_wal_trim(log, 1, &err)); /* a snapshot holds the state up to entry 1 */
    must(stele_wal_close(log, &err));

    must(stele_wal_open(&log, "node-1/raft.wal", &opts, &err)); /* after a restart */
    must(stele_wal_iter_open(&it, log, 2, &err));               /* behind the snapshot */
    while (stele_wal_iter_next(it, &entry, &err) == STELE_OK) {
        printf("%d  %.*s\n", (int)entry.id, (int)entry.data.len, (const char *)entry.data.data);
    }
    must(stele_wal_iter_close(it, &err)); /* what ended the iteration, if not the end */
    return stele_wal_close(log, &err) == STELE_OK ? 0 : 1;
}
