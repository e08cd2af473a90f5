/* SPDX-License-Identifier: MIT
 *
 * store_disk.c: files as the simulated disk has them, and the other way round.
 */
#include "crash/store_disk.h"

#include "crash/record.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE = 64 << 10,
    HANDLES = 4096,
    TEXT_SIZE = 80
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
        abort();
    }
}

/* ---- Directories in memory. ---- */

void disk_scratch(char out[DISK_PATH_SIZE])
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    (void)snprintf(out, DISK_PATH_SIZE, "%s/stele-crash-XXXXXX", parent);
    must(mkdtemp(out) != NULL, "mkdtemp");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    must((type == FTW_DP ? rmdir(path) : unlink(path)) == 0, path);
    return 0;
}

void disk_remove(const char *path)
{
    must(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, path);
}

/* ---- From an image to files. ---- */

static struct disk_node *add_node(struct disk_base *base, bool is_dir)
{
    struct disk_node *n = &base->nodes[base->count];

    must(base->count < DISK_NODES, "too many files");
    memset(n, 0, sizeof *n);
    n->is_dir = is_dir;
    base->count++;
    return n;
}

void disk_base_init(struct disk_base *base, const char *root)
{
    memset(base, 0, sizeof *base);
    base->next_dir = 1;
    (void)snprintf(add_node(base, true)->path, DISK_PATH_SIZE, "%s", root);
}

static void write_content(const char *path, const struct sim_image *image,
        const struct sim_content *content, bool junk)
{
    static uint8_t piece[PIECE];
    uint32_t ss = image->sector_size;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

    must(fd >= 0 && ftruncate(fd, (off_t)content->size) == 0, path);
    for (uint32_t i = 0; i < content->count; i++) {
        uint64_t at = (uint64_t)i * ss;
        uint64_t len = content->size - at < ss ? content->size - at : ss;

        if (content->sectors[i] != NULL) {
            must(pwrite(fd, content->sectors[i]->bytes, len, (off_t)at) == (ssize_t)len, path);
        }
    }
    if (junk) {
        memset(piece, 0xA5, sizeof piece);
        for (uint64_t at = 0; at < content->size; at += sizeof piece) {
            uint64_t len = content->size - at < sizeof piece ? content->size - at : sizeof piece;

            must(pwrite(fd, piece, len, (off_t)at) == (ssize_t)len, path);
        }
    }
    must(close(fd) == 0, path);
}

/* The number of the directory that a name stands for; 0: the crash came before it had one. */
static unsigned number_of(const struct sim_content *content)
{
    char text[16] = "";

    if (content->size > 0 && content->size < sizeof text && content->sectors[0] != NULL) {
        memcpy(text, content->sectors[0]->bytes, content->size);
    }
    return (unsigned)strtoul(text, NULL, 10);
}

static void make_entry(struct disk_base *base, uint32_t parent, const struct sim_image *image,
        const struct sim_entry *e, bool junk)
{
    bool is_dir = e->name[0] == 'D';
    unsigned number = is_dir ? number_of(e->content) : 0;
    char path[DISK_PATH_SIZE];
    struct disk_node *n;

    if (is_dir && number == 0) {
        return;
    }
    n = add_node(base, is_dir);
    n->number = number;
    n->parent = parent;
    (void)snprintf(n->name, sizeof n->name, "%.60s", e->name + 2);
    must(snprintf(path, sizeof path, "%s/%s", base->nodes[parent].path, n->name) < DISK_PATH_SIZE,
            "path");
    memcpy(n->path, path, sizeof path);
    if (is_dir) {
        must(mkdir(n->path, 0700) == 0, n->path);
    } else {
        write_content(n->path, image, e->content, junk && strcmp(n->name, "lock.mdb") == 0);
    }
}

/* Directories that no name leads to are not there, but their numbers are taken. */
static void take_numbers(struct disk_base *base, const struct sim_image *image)
{
    for (uint32_t i = 0; i < image->dir_count; i++) {
        unsigned number = (unsigned)strtoul(image->dirs[i].path + 2, NULL, 10);

        if (strncmp(image->dirs[i].path, "/d", 2) == 0 && number >= base->next_dir) {
            base->next_dir = number + 1;
        }
    }
}

void disk_make_files(
        struct disk_base *base, const struct sim_image *image, const char *root, bool junk)
{
    disk_base_init(base, root);
    take_numbers(base, image);
    for (uint32_t n = 0; n < base->count; n++) {
        char path[TEXT_SIZE];

        if (!base->nodes[n].is_dir) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/d%u", base->nodes[n].number);
        for (uint32_t i = 0; i < image->entry_count; i++) {
            const struct sim_entry *e = &image->entries[i];

            if (strcmp(image->dirs[e->dir].path, path) == 0) {
                make_entry(base, n, image, e, junk);
            }
        }
    }
}

void disk_record(const struct disk_base *base)
{
    record_start(base->nodes[0].path);
    for (uint32_t n = 1; n < base->count; n++) {
        must(record_know(base->nodes[n].path, base->nodes[n].is_dir) == n, base->nodes[n].path);
    }
}

/* ---- From a recording to the disk. ---- */

struct repeat {
    struct sim_world *w;
    unsigned next_dir;

    struct handle {
        stele_dir *dir;
        stele_file *file;
        bool dirty; /* written since the last sync */
        bool lock;  /* says who holds a lock: what is in it counts for nobody after a crash */
    } handles[HANDLES];
};

static const char *entry_name(char out[TEXT_SIZE], const char *name, bool is_dir)
{
    (void)snprintf(out, TEXT_SIZE, "%c:%s", is_dir ? 'D' : 'F', name);
    return out;
}

static int open_dir(struct repeat *r, uint32_t node, unsigned number)
{
    const stele_vfs *vfs = r->w->env.vfs;
    char path[TEXT_SIZE];

    (void)snprintf(path, sizeof path, "/d%u", number);
    return vfs->ops->open_dir(vfs, path, STELE_OPEN_CREATE, &r->handles[node].dir);
}

static int open_file(struct repeat *r, uint32_t node, uint32_t dir, const char *name)
{
    stele_dir *d = r->handles[dir].dir;

    r->handles[node].lock = name[2] == '.';
    return d->ops->open(d, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &r->handles[node].file);
}

static int open_base(struct repeat *r, const struct disk_base *base)
{
    int rc = 0;

    for (uint32_t n = 0; n < base->count && rc == 0; n++) {
        const struct disk_node *node = &base->nodes[n];
        char name[TEXT_SIZE];

        rc = node->is_dir ? open_dir(r, n, node->number)
                          : open_file(r, n, node->parent, entry_name(name, node->name, false));
    }
    return rc;
}

static int repeat_mkdir(struct repeat *r, const struct record_event *e)
{
    stele_dir *d = r->handles[e->dir].dir;
    unsigned number = r->next_dir++;
    stele_file *f = NULL;
    char name[TEXT_SIZE];
    char text[16];
    stele_slice slice = {text, (size_t)snprintf(text, sizeof text, "%u", number)};
    int rc = open_dir(r, e->node, number);

    /* One that a crash left without a number. */
    (void)d->ops->unlink(d, entry_name(name, e->name, true));
    if (rc == 0) {
        rc = d->ops->open(d, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, &f);
    }
    if (rc == 0) {
        rc = f->ops->pwritev(f, &slice, 1, 0) == (int64_t)slice.len ? 0 : -EIO;
        rc = rc == 0 ? f->ops->sync(f, false) : rc;
        (void)f->ops->close(f);
    }
    return rc;
}

/* A descriptor that syncs makes only its own write durable. The disk knows no such thing: where
 * something else is pending, nothing is taken for durable. */
static int repeat_write(struct repeat *r, const struct record_event *e)
{
    struct handle *h = &r->handles[e->node];
    const stele_slice slice = {e->bytes, e->len};

    if (h->lock) {
        return 0;
    }
    if (h->file->ops->pwritev(h->file, &slice, 1, e->at) != (int64_t)e->len) {
        return -EIO;
    }
    if (e->synced && !h->dirty) {
        return h->file->ops->sync(h->file, false);
    }
    h->dirty = true;
    return 0;
}

static int repeat_sync(struct repeat *r, const struct record_event *e)
{
    static const struct sim_fault fault = {.calls = SIM_CALLS_SYNC, .error = EIO};
    struct handle *h = &r->handles[e->node];
    int rc;

    if (e->failed) {
        sim_disk_set_fault(r->w->disk, &fault);
    }
    rc = h->dir != NULL ? h->dir->ops->sync(h->dir) : h->file->ops->sync(h->file, false);
    if (e->failed) {
        sim_disk_set_fault(r->w->disk, NULL);
        rc = rc == -EIO ? 0 : -EINVAL;
    }
    h->dirty = false;
    return rc;
}

static int repeat_names(struct repeat *r, const struct record_event *e)
{
    stele_dir *d = r->handles[e->dir].dir;
    char name[TEXT_SIZE];
    char to[TEXT_SIZE];

    (void)entry_name(name, e->name, e->is_dir);
    if (e->kind == RECORD_UNLINK) {
        return d->ops->unlink(d, name);
    }
    must(e->dir == e->to_dir, "a name goes to another directory");
    return d->ops->rename(d, name, entry_name(to, e->to, e->is_dir));
}

static int repeat_note(struct repeat *r, const struct record_event *e)
{
    switch ((enum disk_note)e->note) {
    case DISK_INTENT:
        sim_note_intent(r->w, e->what, e->value);
        break;
    case DISK_ACK:
        sim_note_ack(r->w, e->what, e->value);
        break;
    case DISK_RECOVERED:
        sim_note_recovered(r->w);
        break;
    }
    return 0;
}

static int repeat_one(struct repeat *r, const struct record_event *e)
{
    stele_file *f = r->handles[e->node].file;
    char name[TEXT_SIZE];

    switch (e->kind) {
    case RECORD_CREATE:
        return open_file(r, e->node, e->dir, entry_name(name, e->name, false));
    case RECORD_MKDIR:
        return repeat_mkdir(r, e);
    case RECORD_WRITE:
        return repeat_write(r, e);
    case RECORD_TRUNCATE:
        r->handles[e->node].dirty = true;
        return r->handles[e->node].lock ? 0 : f->ops->truncate(f, e->at);
    case RECORD_ALLOCATE:
        r->handles[e->node].dirty = true;
        return f->ops->allocate(f, e->at, e->len);
    case RECORD_SYNC:
        return repeat_sync(r, e);
    case RECORD_RENAME:
    case RECORD_UNLINK:
        return repeat_names(r, e);
    case RECORD_NOTE:
        return repeat_note(r, e);
    }
    return -EINVAL;
}

static void close_all(struct repeat *r)
{
    for (size_t n = 0; n < HANDLES; n++) {
        if (r->handles[n].file != NULL) {
            (void)r->handles[n].file->ops->close(r->handles[n].file);
        }
        if (r->handles[n].dir != NULL) {
            (void)r->handles[n].dir->ops->close(r->handles[n].dir);
        }
    }
}

bool disk_repeat(struct sim_world *w, const struct disk_base *base)
{
    struct repeat *r = calloc(1, sizeof *r);
    size_t count = record_count();
    int rc;

    must(r != NULL, "no memory");
    r->w = w;
    r->next_dir = base->next_dir;
    rc = open_base(r, base);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct record_event e = record_at(i);

        rc = repeat_one(r, &e);
        if (rc != 0) {
            (void)sim_wrong(w, "the simulated disk gives %d for call %zu of %zu, kind %d", rc, i,
                    count, (int)e.kind);
        }
    }
    close_all(r);
    free(r);
    return rc == 0;
}
