/* The log of a raft node: the id is the entry's index, the data its term and command. */
#include <stele/stele.h>

#include <stdio.h>
#include <stdlib.h>

static stele_error err;

static void must(stele_code code)
{
    if (code != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort(); /* a node that cannot log must not go on */
    }
}

static void append(stele_wal *log, uint64_t index, const char *entry)
{
    const stele_wal_record record = {index, stele_str(entry)};

    must(stele_wal_append(log, &record, 1, &err)); /* durable: the leader may count this node */
}

int main(void)
{
    const uint64_t snapshot = 2; /* the index up to which a snapshot holds the state */
    stele_wal_options opts;
    stele_wal_record record;
    stele_wal_iter *it;
    stele_wal *log;
    stele_code code;

    stele_wal_options_init(&opts);
    opts.create_dirs = true;
    must(stele_wal_open(&log, "node-1/raft.wal", &opts, &err));
    append(log, 1, "term 1: x = 1");
    append(log, 2, "term 1: y = 2");
    append(log, 3, "term 1: x = 3"); /* not committed, and another leader knows nothing of it */
    must(stele_wal_truncate(log, 2, &err));
    append(log, 3, "term 2: y = 4");
    append(log, 4, "term 2: x = 5");
    must(stele_wal_trim(log, snapshot, &err)); /* what the snapshot holds may go */
    must(stele_wal_close(log, &err));

    must(stele_wal_open(&log, "node-1/raft.wal", &opts, &err)); /* after a restart */
    must(stele_wal_iter_open(&it, log, snapshot + 1, &err));
    while ((code = stele_wal_iter_next(it, &record, &err)) == STELE_OK) {
        printf("%d  %.*s\n", (int)record.id, (int)record.data.len, (const char *)record.data.data);
    }
    must(code == STELE_END ? STELE_OK : code);
    must(stele_wal_iter_close(it, &err));
    must(stele_wal_close(log, &err));
    return 0;
}
