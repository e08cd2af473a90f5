#include <stele/stele.h>

#include <stdio.h>

int main(void)
{
    const stele_bytes bucket = stele_str("greetings");
    stele_store_options opts;
    stele_store *s = NULL;
    stele_store_batch *batch = NULL;
    stele_store_read *read = NULL;
    stele_bytes value;
    stele_error err;

    stele_store_options_init(&opts);
    opts.create_dirs = true;
    if (stele_store_open(&s, "hello.store", &opts, &err) != STELE_OK ||
            stele_store_batch_begin(&batch, s, NULL, &err) != STELE_OK ||
            stele_store_batch_create_bucket(batch, bucket, &err) != STELE_OK ||
            stele_store_batch_put(batch, bucket, stele_str("en"), stele_str("hello"), &err) !=
                    STELE_OK ||
            stele_store_batch_end_durable(batch, &err) != STELE_OK || /* survives a power cut */
            stele_store_read_begin(&read, s, &err) != STELE_OK ||
            stele_store_read_get(read, bucket, stele_str("en"), &value, &err) != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%.*s\n", (int)value.len, (const char *)value.data);
    stele_store_read_end(read);
    return stele_store_close(s, NULL) != STELE_OK;
}
