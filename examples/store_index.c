/* People with an index by town: both change in one batch, so no reader and no crash ever sees one
 * without the other. */
#include <stele/stele.h>

#include <stdio.h>
#include <stdlib.h>

static stele_store *store;
static stele_error err;

static void must(stele_code code)
{
    if (code != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
}

/* "town/name": the index is in the order of the towns. */
static stele_bytes index_key(char out[64], stele_bytes town, const char *name)
{
    int len = snprintf(out, 64, "%.*s/%s", (int)town.len, (const char *)town.data, name);

    return stele_bytes_of(out, len < 64 ? (size_t)len : 63);
}

/* Move there, from wherever that was. */
static void move_to(const char *name, const char *town)
{
    const stele_bytes people = stele_str("people");
    const stele_bytes towns = stele_str("towns");
    stele_store_batch *batch = NULL;
    char key[64];
    stele_bytes old;
    stele_code code;

    must(stele_store_batch_begin(&batch, store, NULL, &err));
    must(stele_store_batch_create_bucket(batch, people, &err));
    must(stele_store_batch_create_bucket(batch, towns, &err));
    /* The batch sees what it has written itself, too. */
    code = stele_store_read_get(stele_store_batch_view(batch), people, stele_str(name), &old, &err);
    if (code == STELE_OK) {
        must(stele_store_batch_delete(batch, towns, index_key(key, old, name), &err));
    } else if (code != STELE_ENOTFOUND) {
        must(code);
    }
    must(stele_store_batch_put(batch, people, stele_str(name), stele_str(town), &err));
    must(stele_store_batch_put(
            batch, towns, index_key(key, stele_str(town), name), stele_str(name), &err));
    must(stele_store_batch_end(batch, &err));
}

static stele_code show(void *arg, stele_bytes key, stele_bytes value, stele_error *unused)
{
    (void)key;
    (void)unused;
    printf("%s%.*s", *(int *)arg == 0 ? " " : ", ", (int)value.len, (const char *)value.data);
    *(int *)arg += 1;
    return STELE_OK;
}

/* A read sees the store as it was when it began. */
static void show_town(stele_store_read *read, const char *town)
{
    char from[64];
    char to[64];
    int count = 0;
    stele_store_range range = {.start = index_key(from, stele_str(town), "")};

    range.end = index_key(to, stele_str(town), "\xff");
    printf("%s:", town);
    must(stele_store_read_range(read, stele_str("towns"), &range, show, &count, NULL, &err));
    printf("%s\n", count == 0 ? " nobody" : "");
}

int main(void)
{
    stele_store_options opts;
    stele_store_read *before = NULL;
    stele_store_read *after = NULL;

    stele_store_options_init(&opts);
    opts.create_dirs = true;
    must(stele_store_open(&store, "people", &opts, &err));
    move_to("Ada", "London");
    move_to("Grace", "New York");
    move_to("Alan", "London");
    must(stele_store_read_begin(&before, store, &err));
    move_to("Alan", "Princeton");
    must(stele_store_commit(store, &err)); /* on disk from here on */
    must(stele_store_read_begin(&after, store, &err));
    show_town(before, "London");
    show_town(before, "Princeton");
    show_town(after, "London");
    show_town(after, "Princeton");
    stele_store_read_end(before);
    stele_store_read_end(after);
    must(stele_store_close(store, &err));
    return 0;
}
