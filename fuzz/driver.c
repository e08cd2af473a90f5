/* SPDX-License-Identifier: MIT
 *
 * driver.c: run a fuzz target on files, without libFuzzer.
 *
 *     fuzz_NAME FILE|DIRECTORY...
 *
 * Each file, and each file in a directory, is one input. An input that fails
 * ends the program, as in libFuzzer; its name is the last one printed. No
 * input at all is a failure: a replay of nothing would prove nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static _Noreturn void die(const char *name, const char *what)
{
    (void)fprintf(stderr, "fuzz: %s: %s\n", name, what);
    exit(2);
}

static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    /* Exactly as large as the input, so that a sanitizer sees each byte read beyond it. */
    uint8_t *data = malloc(size != 0 ? size : 1);

    if (file == NULL) {
        die(path, strerror(errno));
    }
    if (data == NULL) {
        die(path, "out of memory");
    }
    if (fread(data, 1, size, file) != size || fclose(file) != 0) {
        die(path, "cannot be read");
    }
    (void)printf("%s\n", path);
    (void)fflush(stdout);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static size_t run_dir(const char *path)
{
    char name[PATH_MAX];
    struct dirent **entries = NULL;
    size_t count = 0;
    int found = scandir(path, &entries, NULL, alphasort);

    if (found < 0) {
        die(path, strerror(errno));
    }
    for (int i = 0; i < found; i++) {
        int len = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        struct stat st;

        if (len < 0 || (size_t)len >= sizeof name) {
            die(path, "name too long");
        }
        if (stat(name, &st) != 0) {
            die(name, strerror(errno));
        }
        if (S_ISREG(st.st_mode)) {
            run_file(name, (size_t)st.st_size);
            count++;
        }
        free(entries[i]);
    }
    free(entries);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;

    if (LLVMFuzzerInitialize != NULL) {
        (void)LLVMFuzzerInitialize(&argc, &argv);
    }
    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) != 0) {
            die(argv[i], strerror(errno));
        }
        if (S_ISDIR(st.st_mode)) {
            count += run_dir(argv[i]);
        } else {
            run_file(argv[i], (size_t)st.st_size);
            count++;
        }
    }
    (void)printf("%zu inputs\n", count);
    return count == 0 ? 1 : 0;
}
