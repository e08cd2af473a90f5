/* Counters by name, in memory: each change goes to a journal, which is played at the next start. */
#include <stele/stele.h>

#include <stdio.h>
#include <stdlib.h>

static struct {
    char name[16];
    uint64_t value;
} counters[100];

static size_t count;
static stele_journal *journal;
static stele_error err;

static void must(stele_code code)
{
    if (code != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
}

static uint64_t *counter(stele_bytes name)
{
    for (size_t i = 0; i < count; i++) {
        if (stele_bytes_equal(stele_str(counters[i].name), name)) {
            return &counters[i].value;
        }
    }
    if (count == sizeof counters / sizeof counters[0] || name.len >= sizeof counters[0].name) {
        fprintf(stderr, "no room for this counter\n");
        abort();
    }
    snprintf(counters[count].name, sizeof counters[0].name, "%.*s", (int)name.len,
            (const char *)name.data);
    return &counters[count++].value;
}

static stele_code operate(void *arg, const stele_journal_op *op, stele_error *unused)
{
    (void)arg;
    (void)unused;
    /* There are no other operations. */
    if (op->kind == STELE_JOURNAL_PUT && op->value.len == sizeof(uint64_t)) {
        memcpy(counter(op->key), op->value.data, sizeof(uint64_t));
    }
    return STELE_OK;
}

static void start(void)
{
    stele_journal_options opts;

    stele_journal_options_init(&opts);
    opts.create_dirs = true;
    opts.limit = 4096; /* bytes of logs; then they are merged, and hold each name once */
    must(stele_journal_open(&journal, "counters", &opts, &err));
    must(stele_journal_play(journal, operate, NULL, NULL, &err));
    must(stele_journal_record(journal, &err));
}

static void add_one(const char *name)
{
    uint64_t *value = counter(stele_str(name));
    uint64_t next = *value + 1;
    stele_journal_op put = {.kind = STELE_JOURNAL_PUT,
            .timestamp = STELE_JOURNAL_NOW,
            .key = stele_str(name),
            .value = stele_bytes_of(&next, sizeof next)};

    must(stele_journal_dump(journal, &put, &err)); /* durable: only then anybody sees it */
    *value = next;
}

int main(void)
{
    start();
    for (int i = 0; i < 1000; i++) {
        add_one("pages");
        if (i % 10 == 0) {
            add_one("visitors");
        }
    }
    must(stele_journal_close(journal, &err));
    memset(counters, 0, sizeof counters); /* the program ends, and is started again */
    count = 0;
    start();
    add_one("pages");
    for (size_t i = 0; i < count; i++) {
        printf("%s: %d\n", counters[i].name, (int)counters[i].value);
    }
    must(stele_journal_close(journal, &err));
    return 0;
}
