#include <stele/stele.h>

#include <stdio.h>

int main(void)
{
    stele_bytes data[] = {stele_str("x = 1"), stele_str("y = 2")};
    stele_wal *w = NULL;
    stele_error err;
    uint64_t first;

    if (stele_wal_open(&w, "hello.wal", NULL, &err) != STELE_OK ||
            stele_wal_append_next(w, data, 2, &first, &err) != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("records %d and %d survive a power cut\n", (int)first, (int)first + 1);
    return stele_wal_close(w, NULL) != STELE_OK;
}
