/* SPDX-License-Identifier: MIT
 *
 * damage.c: damage to the files of a database.
 */
#include "fleet/damage.h"

#include <stele/store.h>

#include "lib/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA "gen-1/data.mdb"
#define LOOK "--look"

enum {
    EXIT_BASE = 40,
    NAMES_MAX = 64
};

const char *const damage_names[DAMAGE_COUNT] = {
        "bits flipped", "values damaged", "truncated", "log damaged", "an older state", "wiped"};

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 17;
}

void damage_clear(const struct tmpdir *t)
{
    char command[2 * TMPDIR_PATH_SIZE];

    (void)snprintf(command, sizeof command, "rm -rf '%s'/*", t->path);
    assert_int_equal(system(command), 0);
}

static void copy_all(const struct tmpdir *from, const struct tmpdir *to)
{
    char command[3 * TMPDIR_PATH_SIZE];

    damage_clear(to);
    (void)snprintf(command, sizeof command, "cp -a '%s'/. '%s'/", from->path, to->path);
    assert_int_equal(system(command), 0);
}

void damage_save(const struct tmpdir *t, const struct tmpdir *copy)
{
    copy_all(t, copy);
}

/* ---- The store's own log. ---- */

static int log_segment(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void damage_log(const struct tmpdir *t, uint64_t *seed)
{
    char path[TMPDIR_PATH_SIZE];
    struct dirent **names = NULL;
    int count;

    tmpdir_path(t, "wal", path);
    count = scandir(path, &names, log_segment, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        char name[512];
        uint64_t size;

        (void)snprintf(name, sizeof name, "wal/%s", names[i]->d_name);
        size = tmpdir_size(t, name);
        if (size > 0 && draw(seed) % 2 == 0) {
            tmpdir_cut(t, name, draw(seed) % size);
        } else if (size > 0) {
            tmpdir_flip(t, name, draw(seed) % (size < 4096 ? size * 8 : 32768));
        }
        free(names[i]);
    }
    free(names);
}

/* ---- Values. ---- */

unsigned damage_text(const struct tmpdir *t, const char *text)
{
    size_t text_len = strlen(text);
    size_t len = 0;
    uint8_t *bytes = tmpdir_read(t, DATA, &len);
    unsigned count = 0;

    for (size_t i = 0; i + text_len <= len; i++) {
        if (memcmp(bytes + i, text, text_len) == 0) {
            tmpdir_flip(t, DATA, i * 8 + 1);
            count++;
        }
    }
    free(bytes);
    return count;
}

static void damage_values(const struct tmpdir *t, uint64_t *seed)
{
    char text[32];

    for (int i = 0; i < 12; i++) {
        (void)snprintf(text, sizeof text, "text-%u-", (unsigned)(draw(seed) % 200));
        (void)damage_text(t, text);
    }
}

void damage_do(enum damage what, const struct tmpdir *t, const struct tmpdir *copy, uint64_t *seed)
{
    uint64_t size = tmpdir_size(t, DATA);

    switch (what) {
    case DAMAGE_BITS:
        for (uint64_t i = 1 + draw(seed) % 6; i > 0; i--) {
            tmpdir_flip(t, DATA, draw(seed) % (size * 8));
        }
        break;
    case DAMAGE_VALUES:
        damage_values(t, seed);
        break;
    case DAMAGE_TRUNCATED:
        tmpdir_cut(t, DATA, draw(seed) % size);
        break;
    case DAMAGE_LOG:
        damage_log(t, seed);
        break;
    case DAMAGE_OLDER:
        copy_all(copy, t);
        break;
    default:
        damage_clear(t);
        break;
    }
}

/* ---- Looking. ---- */

static void see(void *arg, const stele_store_fault *fault)
{
    enum damage_seen *seen = arg;
    enum damage_seen now = stele_is_nil(fault->key) ? DAMAGE_OF_PAGES : DAMAGE_OF_VALUES;

    if (fault->code != STELE_OK && now > *seen) {
        *seen = now;
    }
}

bool damage_main(int argc, char **argv, int *status)
{
    enum damage_seen seen = DAMAGE_NONE;
    stele_code rc;

    if (argc < 3 || strcmp(argv[1], LOOK) != 0) {
        return false;
    }
    rc = stele_store_check_dir(argv[2], NULL, see, &seen, NULL, NULL);
    if (rc != STELE_OK && seen == DAMAGE_NONE) {
        seen = DAMAGE_OF_PAGES; /* or there is nothing */
    }
    *status = EXIT_BASE + (int)seen;
    return true;
}

enum damage_seen damage_look(const struct tmpdir *t)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)execl("/proc/self/exe", "look", LOOK, t->path, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) >= EXIT_BASE);
    return (enum damage_seen)(WEXITSTATUS(status) - EXIT_BASE);
}
