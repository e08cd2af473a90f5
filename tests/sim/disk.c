/* SPDX-License-Identifier: MIT */
#include "sim/disk.h"

#include "sim/region.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_DEFAULT ((uint64_t)16 << 20)

struct map {
    struct handle *handle;
    size_t len;
    bool writable;
};

struct inode {
    uint32_t number;
    uint32_t handles;
    uint32_t links;
    uint32_t pending; /* newest pending effect plus 1 */
    uint64_t size;
    struct sim_content *base;  /* not loaded yet; else NULL */
    struct sim_content *known; /* what it was when it was loaded, or in the last image; or NULL */
    uint8_t *cache;            /* zero behind `size` */
    uint64_t room;             /* usable bytes of the cache */
    bool reserved;             /* the cache is an address range */
    uint8_t *shadow;           /* while mapped for writing: the known content */
    uint64_t shadow_room;
    struct sim_region region;
    struct map *maps; /* an array */
    uint32_t map_count;
    uint32_t writable_maps;
    uint8_t *owned; /* for each sector: takes up space */
    uint64_t owned_count;
    struct handle *holders; /* of a lock */
};

struct handle {
    stele_file file;
    struct sim_disk *disk;
    struct inode *inode;
    unsigned flags;
    uint32_t maps;
    bool closed;
    bool locked;
    bool exclusive;
    struct handle *next; /* holder */
};

struct dir_handle {
    stele_dir dir;
    struct sim_disk *disk;
    uint32_t index;
};

struct name {
    uint32_t dir;
    struct inode *inode;
    char text[SIM_NAME_SIZE];
};

struct sim_disk {
    stele_vfs vfs;
    struct sim_disk_options options;
    pthread_mutex_t lock;
    struct sim_image *base;
    struct sim_trace_dir *dirs;
    struct inode **inodes;
    struct name *names;
    struct sim_effect *effects;
    uint32_t dir_count;
    uint32_t inode_count;
    uint32_t name_count;
    uint32_t mapped; /* inodes with a shadow */
    size_t effect_count;
    size_t effect_room;
    uint64_t op;
    uint64_t used; /* sectors */
    uint64_t calls[16];
    uint64_t open_count;
    void **objects; /* handles, to be freed if the program forgot them */
    uint32_t object_count;
    struct sim_fault fault;
    uint64_t fault_seen;
    uint64_t fault_hits;
    int late_error; /* of a write that is done all the same */
    bool flips;     /* a write stores something else */
    bool off;
    uint8_t *padded; /* one sector */
};

static const stele_file_ops file_ops;
static const stele_dir_ops dir_ops;
static const stele_vfs_ops vfs_ops;

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "sim disk: %s\n", what);
    abort();
}

/* ---- Bytes that others may be storing to. ---- */

/* A thread may store through a map while another reads or writes the file: what
 * the kernel does then is not seen by the thread sanitizer, nor is this. */
#if defined(__SANITIZE_THREAD__)
#define SHARED_BYTES 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHARED_BYTES 1
#endif
#endif

#ifdef SHARED_BYTES
__attribute__((no_sanitize("thread"))) static void copy_shared(
        uint8_t *to, const uint8_t *from, size_t len)
{
    volatile uint8_t *out = to;
    const volatile uint8_t *in = from;

    for (size_t i = 0; i < len; i++) {
        out[i] = in[i];
    }
}

__attribute__((no_sanitize("thread"))) static bool equal_shared(
        const uint8_t *a, const uint8_t *b, size_t len)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    size_t i = 0;

    while (i < len && x[i] == y[i]) {
        i++;
    }
    return i == len;
}
#else
static void copy_shared(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len > 0) {
        memcpy(to, from, len);
    }
}

static bool equal_shared(const uint8_t *a, const uint8_t *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}
#endif

/* ---- Effects. ---- */

/* NULL when nothing is recorded. `pending` is the list that a sync goes through. */
static struct sim_effect *add_effect(
        struct sim_disk *d, enum sim_effect_type type, uint32_t file, uint32_t *pending)
{
    struct sim_effect *e;

    if (d->options.no_trace) {
        return NULL;
    }
    if (d->effect_count == d->effect_room) {
        d->effect_room = d->effect_room == 0 ? 64 : d->effect_room * 2;
        d->effects = sim_realloc(d->effects, d->effect_room * sizeof *d->effects);
    }
    e = &d->effects[d->effect_count++];
    memset(e, 0, sizeof *e);
    e->type = type;
    e->file = file;
    e->issued = d->op;
    e->durable = SIM_NEVER;
    e->dropped = SIM_NEVER;
    e->next = *pending;
    *pending = (uint32_t)d->effect_count;
    return e;
}

static void add_name_effect(struct sim_disk *d, enum sim_effect_type type, uint32_t dir,
        uint32_t file, const char *name, const char *from)
{
    struct sim_effect *e = add_effect(d, type, file, &d->dirs[dir].pending);

    if (e != NULL) {
        e->dir = dir;
        e->name = sim_alloc(strlen(name) + 1);
        memcpy(e->name, name, strlen(name) + 1);
        e->name_hash = sim_hash_name(name);
        if (from != NULL) {
            e->from = sim_alloc(strlen(from) + 1);
            memcpy(e->from, from, strlen(from) + 1);
        }
    }
}

static void resolve_pending(struct sim_disk *d, uint32_t *pending, bool durable)
{
    while (*pending != 0) {
        struct sim_effect *e = &d->effects[*pending - 1];

        if (e->durable == SIM_NEVER && durable) {
            e->durable = d->op;
        } else if (e->durable == SIM_NEVER) {
            e->dropped = d->op;
        }
        *pending = e->next;
        e->next = 0;
    }
}

/* Names and sizes that were issued before a successful sync are durable too. */
static void flush_journal(struct sim_disk *d)
{
    if (!d->options.ordered) {
        return;
    }
    for (size_t i = 0; i < d->effect_count; i++) {
        struct sim_effect *e = &d->effects[i];

        if (e->type != SIM_WRITE && e->durable == SIM_NEVER && e->dropped == SIM_NEVER) {
            e->durable = d->op;
        }
    }
}

/* ---- The cache of one file. ---- */

static uint64_t whole_pages(const struct inode *n, uint64_t size)
{
    uint64_t end = (size + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;

    return end < n->region.len ? end : n->region.len;
}

/* Only what is inside the file may be touched through a map. */
static void protect(struct inode *n)
{
    sim_region_set(&n->region, whole_pages(n, n->size), n->writable_maps > 0);
}

static void grow_room(struct inode *n, uint64_t size)
{
    uint64_t room = n->room < 4096 ? 4096 : n->room;

    if (n->reserved || size <= n->room) {
        return;
    }
    while (room < size) {
        room *= 2;
    }
    n->cache = sim_realloc(n->cache, (size_t)room);
    memset(n->cache + n->room, 0, (size_t)(room - n->room));
    n->room = room;
}

/* Bring the content of the image into the cache. */
static void load(struct sim_disk *d, struct inode *n)
{
    struct sim_content *c = n->base;
    uint32_t ss = d->options.sector_size;

    if (c == NULL) {
        return;
    }
    grow_room(n, (uint64_t)c->count * ss);
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->sectors[i] != NULL) {
            memcpy(n->cache + (size_t)i * ss, c->sectors[i]->bytes, ss);
        }
    }
    n->base = NULL;
    n->known = c;
}

static void grow_shadow(struct inode *n)
{
    uint64_t room = (n->size + 4095) / 4096 * 4096;

    if (n->shadow != NULL && room > n->shadow_room) {
        n->shadow = sim_realloc(n->shadow, (size_t)room);
        memset(n->shadow + n->shadow_room, 0, (size_t)(room - n->shadow_room));
        n->shadow_room = room;
    }
}

static void own(struct sim_disk *d, struct inode *n, uint64_t at, uint64_t len, bool take)
{
    uint32_t ss = d->options.sector_size;
    uint64_t slots = d->options.file_max / ss + 1;

    if (d->options.capacity == 0 || len == 0) {
        return;
    }
    if (n->owned == NULL) {
        n->owned = sim_alloc((size_t)slots);
    }
    for (uint64_t s = at / ss; s < slots && s * ss < at + len; s++) {
        if (n->owned[s] != (take ? 1 : 0)) {
            n->owned[s] = take ? 1 : 0;
            n->owned_count += take ? 1U : UINT64_MAX;
            d->used += take ? 1U : UINT64_MAX;
        }
    }
}

/* Whether there is room for a change of these bytes. */
static bool fits(const struct sim_disk *d, const struct inode *n, uint64_t at, uint64_t len)
{
    uint32_t ss = d->options.sector_size;
    uint64_t more = 0;

    if (d->options.capacity == 0) {
        return true;
    }
    for (uint64_t s = at / ss; s * ss < at + len; s++) {
        more += n->owned == NULL || n->owned[s] == 0 ? 1U : 0U;
    }
    /* A crash may bring back what was removed to make room: what has its place keeps it. */
    return more == 0 || (d->used + more) * ss <= d->options.capacity;
}

/* Record a sector as it is in d->padded. */
static void record_sector(struct sim_disk *d, struct inode *n, uint64_t sector)
{
    struct sim_effect *e = add_effect(d, SIM_WRITE, n->number, &n->pending);

    if (e != NULL) {
        e->sector = (uint32_t)sector;
        e->image = sim_sector_new(d->padded, d->options.sector_size);
    }
}

/* The part of a sector that is inside the file, and zeros. */
static void read_sector(struct sim_disk *d, const struct inode *n, uint64_t sector)
{
    uint32_t ss = d->options.sector_size;
    uint64_t at = sector * ss;
    uint64_t len = n->size - at < ss ? n->size - at : ss;

    memset(d->padded + len, 0, (size_t)(ss - len));
    copy_shared(d->padded, n->cache + at, (size_t)len);
}

static void record_sectors(struct sim_disk *d, struct inode *n, uint64_t at, uint64_t len)
{
    uint32_t ss = d->options.sector_size;

    for (uint64_t s = at / ss; !d->options.no_trace && s * ss < at + len; s++) {
        read_sector(d, n, s);
        record_sector(d, n, s);
    }
}

static void set_size(struct sim_disk *d, struct inode *n, uint64_t size)
{
    uint64_t old = n->size;
    uint64_t room =
            (size + d->options.sector_size - 1) / d->options.sector_size * d->options.sector_size;
    struct sim_effect *e;

    if (size == old) {
        return;
    }
    grow_room(n, room);
    if (size < old) {
        memset(n->cache + size, 0, (size_t)(old - size));
        if (n->shadow != NULL) {
            memset(n->shadow + size, 0, (size_t)(old - size));
        }
        room = room > old ? old : room;
        own(d, n, room, old - room, false);
    } else if (n->reserved) {
        /* Stray stores behind the end, in its last page, do not count. */
        uint64_t page_end = (old + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;

        memset(n->cache + old, 0, (size_t)((page_end < size ? page_end : size) - old));
    }
    n->size = size;
    grow_shadow(n);
    if (n->reserved) {
        protect(n);
    }
    e = add_effect(d, SIM_SIZE, n->number, &n->pending);
    if (e != NULL) {
        e->size = size;
        e->cut = size < old;
    }
}

/* ---- Maps. ---- */

static void find_stores(struct sim_disk *d, struct inode *n)
{
    uint32_t ss = d->options.sector_size;
    bool first = true;

    if (equal_shared(n->cache, n->shadow, (size_t)n->size)) {
        return;
    }
    for (uint64_t at = 0; at < n->size; at += ss) {
        uint64_t len = n->size - at < ss ? n->size - at : ss;

        if (equal_shared(n->cache + at, n->shadow + at, (size_t)len)) {
            continue;
        }
        if (!fits(d, n, at, len)) {
            die("a store through a map needs a block, and the disk is full (SIGBUS)");
        }
        d->op += first ? 1U : 0U;
        first = false;
        own(d, n, at, len, true);
        read_sector(d, n, at / ss);
        memcpy(n->shadow + at, d->padded, (size_t)len);
        record_sector(d, n, at / ss);
    }
}

/* Nobody asks which stores there were if nothing is recorded nor counted. */
static bool tracks_stores(const struct sim_disk *d)
{
    return !d->options.no_trace || d->options.capacity != 0;
}

static void settle(struct sim_disk *d)
{
    if (d->mapped == 0 || d->off) {
        return;
    }
    for (uint32_t i = 0; i < d->inode_count; i++) {
        if (d->inodes[i]->shadow != NULL) {
            find_stores(d, d->inodes[i]);
        }
    }
}

/* Move the cache to an address range where it can stay. */
static int reserve(struct sim_disk *d, struct inode *n, size_t len)
{
    uint64_t region = d->options.file_max;
    uint8_t *cache;

    if (n->reserved) {
        return len <= n->region.len ? 0 : -ENOMEM;
    }
    region = region < len ? len : region;
    region = (region + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;
    load(d, n);
    cache = n->cache;
    sim_region_take(&n->region, region, n->size);
    n->cache = n->region.own;
    n->room = region;
    n->reserved = true;
    if (n->size > 0) {
        memcpy(n->cache, cache, (size_t)n->size);
    }
    free(cache);
    return 0;
}

static void drop_shadow(struct sim_disk *d, struct inode *n)
{
    free(n->shadow);
    n->shadow = NULL;
    n->shadow_room = 0;
    d->mapped--;
}

/* What the disk outlives is not to be touched any more. */
static void free_cache(struct inode *n, bool hide)
{
    if (n->reserved) {
        sim_region_give(&n->region, hide);
    } else {
        free(n->cache);
    }
    n->cache = NULL;
    n->room = 0;
    n->reserved = false;
    free(n->maps);
    n->maps = NULL;
    free(n->owned);
    n->owned = NULL;
}

/* A file without names, handles and maps is gone, and so are its blocks. */
static void forget(struct sim_disk *d, struct inode *n)
{
    if (n->links == 0 && n->handles == 0 && n->map_count == 0) {
        d->used -= n->owned_count;
        n->owned_count = 0;
        free_cache(n, true);
        sim_content_unref(n->base);
        n->base = NULL;
        n->size = 0;
    }
}

/* ---- Handles. ---- */

static void *add_object(struct sim_disk *d, size_t size)
{
    d->objects = sim_realloc(d->objects, (d->object_count + 1) * sizeof *d->objects);
    d->objects[d->object_count] = sim_alloc(size);
    return d->objects[d->object_count++];
}

static void free_object(struct sim_disk *d, void *object)
{
    uint32_t i = 0;

    while (d->objects[i] != object) {
        i++;
    }
    d->objects[i] = d->objects[--d->object_count];
    free(object);
}

/* ---- Entering a call. ---- */

static void begin(struct sim_disk *d)
{
    if (pthread_mutex_lock(&d->lock) != 0) {
        die("mutex");
    }
    settle(d);
}

static int64_t end(struct sim_disk *d, int64_t result)
{
    (void)pthread_mutex_unlock(&d->lock);
    return result;
}

/* Count a call and say what the fault makes of it. `half` is NULL where there
 * is no half of it. */
static int judge(struct sim_disk *d, enum sim_call call, bool *half)
{
    uint64_t n;

    d->calls[__builtin_ctz((unsigned)call)]++;
    if (d->off) {
        return -EIO;
    }
    if ((d->fault.calls & (unsigned)call) == 0) {
        return 0;
    }
    n = d->fault_seen++;
    if (n != d->fault.at && !(d->fault.persistent && n > d->fault.at)) {
        return 0;
    }
    if (d->fault.error == SIM_FLIP) {
        d->flips = call == SIM_CALL_WRITE;
        d->fault_hits += d->flips ? 1 : 0;
        return 0;
    }
    if (d->fault.error != SIM_SHORT) {
        d->fault_hits++;
        if (d->fault.done && call == SIM_CALL_WRITE) {
            d->late_error = -d->fault.error;
            return 0;
        }
        return -d->fault.error;
    }
    if (half != NULL) {
        d->fault_hits++;
        *half = true;
    }
    return 0;
}

/* ---- Files. ---- */

static struct handle *handle_of(stele_file *f)
{
    return (struct handle *)(void *)f;
}

static void free_handle(struct handle *h)
{
    if (h->closed && h->maps == 0) {
        free_object(h->disk, h);
    }
}

static void release_lock(struct handle *h)
{
    struct handle **at = &h->inode->holders;

    while (*at != NULL && *at != h) {
        at = &(*at)->next;
    }
    if (*at == h) {
        *at = h->next;
    }
    h->locked = false;
}

static int file_close(stele_file *f)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    struct inode *n = h->inode;

    begin(d);
    release_lock(h);
    h->closed = true;
    d->open_count--;
    n->handles--;
    free_handle(h);
    forget(d, n);
    return (int)end(d, 0);
}

static int64_t file_pread(stele_file *f, void *out, size_t len, uint64_t at)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    struct inode *n = h->inode;
    bool half = false;
    int rc;

    begin(d);
    rc = judge(d, SIM_CALL_READ, &half);
    if (rc != 0) {
        return end(d, rc);
    }
    if (at >= n->size || len == 0) {
        return end(d, 0);
    }
    load(d, n);
    if (len > n->size - at) {
        len = (size_t)(n->size - at);
    }
    if (half && len > 1) {
        len /= 2;
    }
    copy_shared(out, n->cache + at, len);
    return end(d, (int64_t)len);
}

static void copy_slices(uint8_t *to, const stele_slice *slices, size_t total)
{
    for (; total > 0; slices++) {
        size_t len = slices->len < total ? slices->len : total;

        copy_shared(to, slices->data, len);
        to += len;
        total -= len;
    }
}

/* The length of all slices; negative if they cannot be written at `at`. */
static int64_t write_length(
        const struct handle *h, const stele_slice *slices, int count, uint64_t at)
{
    uint64_t file_max = h->disk->options.file_max;
    uint64_t total = 0;

    if ((h->flags & STELE_OPEN_WRITE) == 0) {
        return -EBADF;
    }
    if (count < 0 || count > STELE_SLICES_MAX) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        if (slices[i].len > file_max - total) {
            return -EFBIG;
        }
        total += slices[i].len;
    }
    return at > file_max - total ? -EFBIG : (int64_t)total;
}

static void flip_middle(struct inode *n, uint64_t at, uint64_t len)
{
    n->cache[at + len / 2] ^= 1;
    if (n->shadow != NULL) {
        n->shadow[at + len / 2] ^= 1;
    }
}

static int64_t file_pwritev(stele_file *f, const stele_slice *slices, int count, uint64_t at)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    struct inode *n = h->inode;
    bool half = false;
    int64_t length;
    uint64_t len;
    uint64_t last;
    int rc;
    int late;

    begin(d);
    d->late_error = 0;
    d->flips = false;
    rc = judge(d, SIM_CALL_WRITE, &half);
    late = d->late_error;
    length = rc != 0 ? rc : write_length(h, slices, count, at);
    if (length <= 0) {
        return end(d, length);
    }
    len = half && length > 1 ? (uint64_t)length / 2 : (uint64_t)length;
    if (!fits(d, n, at, len)) {
        return end(d, -ENOSPC);
    }
    d->op++;
    load(d, n);
    last = at + len > n->size ? at + len : n->size;
    grow_room(n,
            (last + d->options.sector_size - 1) / d->options.sector_size * d->options.sector_size);
    own(d, n, at, len, true);
    set_size(d, n, last);
    copy_slices(n->cache + at, slices, (size_t)len);
    if (n->shadow != NULL) {
        copy_slices(n->shadow + at, slices, (size_t)len);
    }
    if (d->flips) {
        flip_middle(n, at, len);
    }
    record_sectors(d, n, at, len);
    return end(d, late != 0 ? late : (int64_t)len);
}

static int file_allocate(stele_file *f, uint64_t at, uint64_t len)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    struct inode *n = h->inode;
    int rc;

    begin(d);
    rc = judge(d, SIM_CALL_ALLOCATE, NULL);
    if (rc != 0) {
        return (int)end(d, rc);
    }
    if ((h->flags & STELE_OPEN_WRITE) == 0) {
        return (int)end(d, -EBADF);
    }
    if (len == 0) {
        return (int)end(d, 0);
    }
    if (d->options.no_allocate) {
        return (int)end(d, -EOPNOTSUPP);
    }
    if (len > d->options.file_max || at > d->options.file_max - len) {
        return (int)end(d, -EFBIG);
    }
    if (!fits(d, n, at, len)) {
        return (int)end(d, -ENOSPC);
    }
    d->op++;
    load(d, n);
    own(d, n, at, len, true);
    if (at + len > n->size) {
        set_size(d, n, at + len);
    }
    return (int)end(d, 0);
}

static int file_truncate(stele_file *f, uint64_t size)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    int rc;

    begin(d);
    rc = judge(d, SIM_CALL_TRUNCATE, NULL);
    if (rc == 0 && (h->flags & STELE_OPEN_WRITE) == 0) {
        rc = -EINVAL;
    }
    if (rc == 0 && size > d->options.file_max) {
        rc = -EFBIG;
    }
    if (rc == 0) {
        d->op++;
        load(d, h->inode);
        set_size(d, h->inode, size);
    }
    return (int)end(d, rc);
}

static void fill_stat(const struct inode *n, stele_file_stat *out)
{
    out->size = n->size;
    out->id = (uint64_t)n->number + 1;
    out->is_file = true;
}

static int file_stat(stele_file *f, stele_file_stat *out)
{
    struct handle *h = handle_of(f);
    int rc;

    begin(h->disk);
    rc = judge(h->disk, SIM_CALL_STAT, NULL);
    if (rc == 0) {
        fill_stat(h->inode, out);
    }
    return (int)end(h->disk, rc);
}

/* Bytes of the file that durable effects reach. */
static uint64_t durable_reach(const struct sim_disk *d, const struct inode *n, uint64_t reach)
{
    uint32_t ss = d->options.sector_size;

    for (size_t i = 0; i < d->effect_count; i++) {
        const struct sim_effect *e = &d->effects[i];
        uint64_t end_at = e->type == SIM_WRITE ? ((uint64_t)e->sector + 1) * ss : e->size;

        if (e->file == n->number && e->durable != SIM_NEVER && end_at > reach) {
            reach = end_at;
        }
    }
    return (reach + ss - 1) / ss * ss;
}

/* Apply a durable effect to the bytes of a file. */
static void redo(const struct sim_effect *e, uint8_t *bytes, uint64_t *size, uint32_t ss)
{
    uint8_t *sector = bytes + (size_t)e->sector * ss;

    if (e->type == SIM_WRITE && e->image != NULL) {
        memcpy(sector, e->image->bytes, ss);
    } else if (e->type == SIM_WRITE) {
        memset(sector, 0, ss);
    } else if (e->type == SIM_SIZE) {
        if (e->cut && e->size < *size) {
            memset(bytes + e->size, 0, (size_t)(*size - e->size));
        }
        *size = e->size;
    }
}

/* Make the cache hold what is durable, as a file system does that throws away
 * pages which it could not write. */
static void revert(struct sim_disk *d, struct inode *n)
{
    const struct sim_content *base = NULL;
    uint32_t ss = d->options.sector_size;
    uint64_t size = 0;
    uint64_t reach;
    uint8_t *bytes;

    if (d->base != NULL && n->number < d->base->entry_count) {
        base = d->base->entries[n->number].content;
        size = base->size;
    }
    reach = durable_reach(d, n, size);
    bytes = sim_alloc((size_t)reach);
    for (uint32_t i = 0; base != NULL && i < base->count; i++) {
        if (base->sectors[i] != NULL) {
            memcpy(bytes + (size_t)i * ss, base->sectors[i]->bytes, ss);
        }
    }
    for (size_t i = 0; i < d->effect_count; i++) {
        if (d->effects[i].file == n->number && d->effects[i].durable != SIM_NEVER) {
            redo(&d->effects[i], bytes, &size, ss);
        }
    }
    grow_room(n, reach);
    if (n->size > 0) {
        memset(n->cache, 0, (size_t)n->size);
    }
    if (size > 0) {
        memcpy(n->cache, bytes, (size_t)size);
    }
    n->size = size;
    grow_shadow(n);
    if (n->shadow != NULL && size > 0) {
        memcpy(n->shadow, n->cache, (size_t)size);
    }
    if (n->reserved) {
        protect(n);
    }
    free(bytes);
}

/* The content is lost. The new length may still become durable, but for a file
 * system that goes back to what it had. */
static void drop_content(struct sim_disk *d, struct inode *n)
{
    uint32_t *at = &n->pending;

    if (d->options.no_trace) {
        return;
    }
    if (d->options.sync_failure_reverts) {
        resolve_pending(d, &n->pending, false);
        revert(d, n);
        return;
    }
    while (*at != 0) {
        struct sim_effect *e = &d->effects[*at - 1];

        if (e->type == SIM_WRITE) {
            e->dropped = d->op;
            *at = e->next;
            e->next = 0;
        } else {
            at = &e->next;
        }
    }
}

static int file_sync(stele_file *f, bool data_only)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    int rc;

    (void)data_only; /* times are not kept */
    begin(d);
    rc = judge(d, SIM_CALL_SYNC, NULL);
    if (d->off) {
        return (int)end(d, rc);
    }
    d->op++;
    load(d, h->inode);
    if (rc != 0) {
        drop_content(d, h->inode);
    } else {
        resolve_pending(d, &h->inode->pending, true);
        flush_journal(d);
    }
    return (int)end(d, rc);
}

static int file_map(stele_file *f, size_t len, bool writable, void **out)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    struct inode *n = h->inode;
    int rc;

    begin(d);
    rc = judge(d, SIM_CALL_MAP, NULL);
    if (rc == 0 && len == 0) {
        rc = -EINVAL;
    }
    if (rc == 0 && writable && (h->flags & STELE_OPEN_WRITE) == 0) {
        rc = -EACCES;
    }
    if (rc == 0) {
        rc = reserve(d, n, len);
    }
    if (rc != 0) {
        return (int)end(d, rc);
    }
    n->maps = sim_realloc(n->maps, (n->map_count + 1) * sizeof *n->maps);
    n->maps[n->map_count++] = (struct map){h, len, writable};
    if (writable && n->writable_maps++ == 0 && tracks_stores(d)) {
        d->mapped++;
        n->shadow_room = (n->size + 4095) / 4096 * 4096;
        n->shadow = sim_alloc((size_t)n->shadow_room);
        if (n->size > 0) {
            memcpy(n->shadow, n->cache, (size_t)n->size);
        }
    }
    protect(n);
    h->maps++;
    d->open_count++;
    *out = n->region.at;
    return (int)end(d, 0);
}

static int file_prefault(stele_file *f, void *map, size_t at, size_t len, bool writable)
{
    struct handle *h = handle_of(f);
    int rc;

    (void)map;
    (void)at;
    (void)len;
    (void)writable;
    begin(h->disk);
    rc = judge(h->disk, SIM_CALL_PREFAULT, NULL);
    return (int)end(h->disk, rc);
}

static int file_unmap(stele_file *f, void *map, size_t len)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    struct inode *n = h->inode;
    uint32_t i = 0;

    begin(d);
    while (i < n->map_count && (n->maps[i].handle != h || n->maps[i].len != len)) {
        i++;
    }
    if (i == n->map_count || map != n->region.at) {
        return (int)end(d, -EINVAL);
    }
    if (n->maps[i].writable && --n->writable_maps == 0) {
        if (n->shadow != NULL) {
            drop_shadow(d, n);
        }
        protect(n);
    }
    n->maps[i] = n->maps[--n->map_count];
    h->maps--;
    d->open_count--;
    free_handle(h);
    forget(d, n);
    return (int)end(d, 0);
}

static int file_lock(stele_file *f, bool exclusive)
{
    struct handle *h = handle_of(f);
    struct sim_disk *d = h->disk;
    int rc;

    begin(d);
    rc = judge(d, SIM_CALL_LOCK, NULL);
    for (const struct handle *o = h->inode->holders; rc == 0 && o != NULL; o = o->next) {
        if (o != h && (exclusive || o->exclusive)) {
            rc = -EWOULDBLOCK;
        }
    }
    if (rc == 0) {
        if (!h->locked) {
            h->next = h->inode->holders;
            h->inode->holders = h;
            h->locked = true;
        }
        h->exclusive = exclusive;
    }
    return (int)end(d, rc);
}

/* ---- Directories. ---- */

static struct dir_handle *dir_of(stele_dir *dir)
{
    return (struct dir_handle *)(void *)dir;
}

static bool flags_valid(unsigned flags)
{
    return (flags & ~(unsigned)(STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL)) == 0 &&
           ((flags & STELE_OPEN_EXCL) == 0 || (flags & STELE_OPEN_CREATE) != 0);
}

static int check_name(const char *name)
{
    if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
            strcmp(name, "..") == 0) {
        return -EINVAL;
    }
    return strlen(name) < SIM_NAME_SIZE ? 0 : -ENAMETOOLONG;
}

static struct name *find_name(struct sim_disk *d, uint32_t dir, const char *text)
{
    for (uint32_t i = 0; i < d->name_count; i++) {
        if (d->names[i].dir == dir && strcmp(d->names[i].text, text) == 0) {
            return &d->names[i];
        }
    }
    return NULL;
}

/* The last component of dirs[child] if it lies right in dirs[dir], or NULL. */
static const char *child_name(const struct sim_disk *d, uint32_t dir, uint32_t child)
{
    const char *path = d->dirs[child].path;
    const char *slash = strrchr(path, '/');
    size_t len = strlen(d->dirs[dir].path);

    if (slash == NULL || slash[1] == '\0') {
        return NULL;
    }
    if (strcmp(d->dirs[dir].path, "/") == 0) {
        return slash == path ? slash + 1 : NULL;
    }
    return (size_t)(slash - path) == len && strncmp(path, d->dirs[dir].path, len) == 0 ? slash + 1
                                                                                       : NULL;
}

static bool is_subdir(const struct sim_disk *d, uint32_t dir, const char *name)
{
    for (uint32_t i = 0; i < d->dir_count; i++) {
        const char *child = child_name(d, dir, i);

        if (child != NULL && strcmp(child, name) == 0) {
            return true;
        }
    }
    return false;
}

static struct inode *add_inode(struct sim_disk *d)
{
    struct inode *n = sim_alloc(sizeof *n);

    if ((d->inode_count & (d->inode_count - 1)) == 0) {
        size_t room = d->inode_count == 0 ? 1 : (size_t)d->inode_count * 2;

        d->inodes = sim_realloc(d->inodes, room * sizeof(struct inode *));
    }
    n->number = d->inode_count;
    d->inodes[d->inode_count++] = n;
    return n;
}

static void add_name(struct sim_disk *d, uint32_t dir, const char *text, struct inode *n)
{
    struct name *name;

    if ((d->name_count & (d->name_count - 1)) == 0) {
        d->names = sim_realloc(
                d->names, (d->name_count == 0 ? 1 : d->name_count * 2) * sizeof *d->names);
    }
    name = &d->names[d->name_count++];
    name->dir = dir;
    name->inode = n;
    (void)snprintf(name->text, sizeof name->text, "%s", text);
    n->links++;
}

static void remove_name(struct sim_disk *d, struct name *name)
{
    struct inode *n = name->inode;

    *name = d->names[--d->name_count];
    n->links--;
    forget(d, n);
}

static int dir_close(stele_dir *dir)
{
    struct dir_handle *h = dir_of(dir);

    struct sim_disk *d = h->disk;

    begin(d);
    d->open_count--;
    free_object(d, h);
    return (int)end(d, 0);
}

/* Find or make the file of an open(). */
static int open_inode(
        struct sim_disk *d, uint32_t dir, const char *text, unsigned flags, struct inode **out)
{
    struct name *name = find_name(d, dir, text);
    bool create = name == NULL && (flags & STELE_OPEN_CREATE) != 0;
    int rc = judge(d, create ? SIM_CALL_CREATE : SIM_CALL_OPEN, NULL);

    if (rc != 0) {
        return rc;
    }
    if (is_subdir(d, dir, text)) {
        return -EISDIR;
    }
    if (name != NULL && (flags & STELE_OPEN_CREATE) != 0 && (flags & STELE_OPEN_EXCL) != 0) {
        return -EEXIST;
    }
    if (name == NULL && !create) {
        return -ENOENT;
    }
    if (create) {
        d->op++;
        *out = add_inode(d);
        add_name(d, dir, text, *out);
        add_name_effect(d, SIM_LINK, dir, (*out)->number, text, NULL);
    } else {
        *out = name->inode;
    }
    return 0;
}

static int dir_open(stele_dir *dir, const char *text, unsigned flags, stele_file **out)
{
    struct dir_handle *dh = dir_of(dir);
    struct sim_disk *d = dh->disk;
    struct inode *n = NULL;
    struct handle *h;
    int rc = check_name(text);

    if (rc != 0 || !flags_valid(flags)) {
        return rc != 0 ? rc : -EINVAL;
    }
    begin(d);
    rc = open_inode(d, dh->index, text, flags, &n);
    if (rc == 0) {
        h = add_object(d, sizeof *h);
        h->file.ops = &file_ops;
        h->disk = d;
        h->inode = n;
        h->flags = flags;
        n->handles++;
        d->open_count++;
        *out = &h->file;
    }
    return (int)end(d, rc);
}

static int dir_stat(stele_dir *dir, const char *text, stele_file_stat *out)
{
    struct dir_handle *h = dir_of(dir);
    struct sim_disk *d = h->disk;
    const struct name *name;
    int rc = check_name(text);

    if (rc != 0) {
        return rc;
    }
    begin(d);
    rc = judge(d, SIM_CALL_STAT, NULL);
    if (rc != 0) {
        return (int)end(d, rc);
    }
    name = find_name(d, h->index, text);
    if (name != NULL) {
        fill_stat(name->inode, out);
    } else if (is_subdir(d, h->index, text)) {
        out->size = 0;
        out->id = sim_hash_name(text) | (uint64_t)1 << 63;
        out->is_file = false;
    } else {
        rc = -ENOENT;
    }
    return (int)end(d, rc);
}

static int dir_rename(stele_dir *dir, const char *from, const char *to)
{
    struct dir_handle *h = dir_of(dir);
    struct sim_disk *d = h->disk;
    struct name *source;
    struct name *target;
    uint32_t file = 0;
    int rc = check_name(from);

    rc = rc != 0 ? rc : check_name(to);
    if (rc != 0) {
        return rc;
    }
    begin(d);
    rc = judge(d, SIM_CALL_RENAME, NULL);
    source = find_name(d, h->index, from);
    target = find_name(d, h->index, to);
    if (rc == 0 && source == NULL) {
        rc = -ENOENT;
    }
    if (rc == 0 && is_subdir(d, h->index, to)) {
        rc = -EISDIR;
    }
    if (rc != 0 || source == target) {
        return (int)end(d, rc);
    }
    d->op++;
    file = source->inode->number;
    (void)snprintf(source->text, sizeof source->text, "%s", to);
    if (target != NULL) {
        remove_name(d, target);
    }
    add_name_effect(d, SIM_RENAME, h->index, file, to, from);
    return (int)end(d, 0);
}

static int dir_unlink(stele_dir *dir, const char *text)
{
    struct dir_handle *h = dir_of(dir);
    struct sim_disk *d = h->disk;
    struct name *name;
    int rc = check_name(text);

    if (rc != 0) {
        return rc;
    }
    begin(d);
    rc = judge(d, SIM_CALL_UNLINK, NULL);
    if (rc != 0) {
        return (int)end(d, rc);
    }
    name = find_name(d, h->index, text);
    if (name == NULL) {
        return (int)end(d, is_subdir(d, h->index, text) ? -EISDIR : -ENOENT);
    }
    d->op++;
    add_name_effect(d, SIM_UNLINK, h->index, name->inode->number, text, NULL);
    remove_name(d, name);
    return (int)end(d, 0);
}

static int dir_sync(stele_dir *dir)
{
    struct dir_handle *h = dir_of(dir);
    struct sim_disk *d = h->disk;
    int rc;

    begin(d);
    rc = judge(d, SIM_CALL_DIR_SYNC, NULL);
    if (d->off) {
        return (int)end(d, rc);
    }
    d->op++;
    resolve_pending(d, &d->dirs[h->index].pending, rc == 0);
    if (rc == 0) {
        flush_journal(d);
    }
    return (int)end(d, rc);
}

struct listed {
    char text[SIM_NAME_SIZE];
};

static int dir_list(stele_dir *dir, int (*each)(void *arg, const char *name), void *arg)
{
    struct dir_handle *h = dir_of(dir);
    struct sim_disk *d = h->disk;
    struct listed *found;
    uint32_t count = 0;
    int rc;

    begin(d);
    rc = judge(d, SIM_CALL_LIST, NULL);
    if (rc != 0) {
        return (int)end(d, rc);
    }
    found = sim_realloc(NULL, (d->name_count + d->dir_count) * sizeof *found);
    for (uint32_t i = 0; i < d->name_count; i++) {
        if (d->names[i].dir == h->index) {
            memcpy(found[count++].text, d->names[i].text, SIM_NAME_SIZE);
        }
    }
    for (uint32_t i = 0; i < d->dir_count; i++) {
        const char *child = child_name(d, h->index, i);

        if (child != NULL) {
            (void)snprintf(found[count++].text, SIM_NAME_SIZE, "%s", child);
        }
    }
    (void)end(d, 0);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        rc = each(arg, found[i].text);
    }
    free(found);
    return rc;
}

/* ---- The disk. ---- */

/* The path without doubled and closing slashes. */
static int clean_path(const char *path, char out[SIM_PATH_SIZE])
{
    size_t len = 0;

    for (; *path != '\0'; path++) {
        if (*path == '/' && len > 0 && out[len - 1] == '/') {
            continue;
        }
        if (len + 1 >= SIM_PATH_SIZE) {
            return -ENAMETOOLONG;
        }
        out[len++] = *path;
    }
    if (len > 1 && out[len - 1] == '/') {
        len--;
    }
    out[len] = '\0';
    return len == 0 ? -EINVAL : 0;
}

static bool find_dir(const struct sim_disk *d, const char *path, uint32_t *out)
{
    for (uint32_t i = 0; i < d->dir_count; i++) {
        if (strcmp(d->dirs[i].path, path) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static uint32_t add_dir(struct sim_disk *d, const char *path)
{
    struct sim_trace_dir *dir;

    d->dirs = sim_realloc(d->dirs, (d->dir_count + 1) * sizeof *d->dirs);
    dir = &d->dirs[d->dir_count];
    memset(dir, 0, sizeof *dir);
    (void)snprintf(dir->path, sizeof dir->path, "%s", path);
    dir->hash = sim_hash_name(path);
    dir->created = d->op;
    return d->dir_count++;
}

/* Whether the path, or a part of it, is a file. */
static bool runs_into_file(struct sim_disk *d, const char *path)
{
    char part[SIM_PATH_SIZE];
    uint32_t dir = 0;

    for (const char *at = strchr(path + 1, '/');; at = strchr(at + 1, '/')) {
        size_t len = at == NULL ? strlen(path) : (size_t)(at - path);
        char *slash;

        memcpy(part, path, len);
        part[len] = '\0';
        slash = strrchr(part, '/');
        if (slash != NULL) {
            *slash = '\0';
            if (find_dir(d, slash == part ? "/" : part, &dir) &&
                    find_name(d, dir, slash + 1) != NULL) {
                return true;
            }
        }
        if (at == NULL) {
            return false;
        }
    }
}

static uint32_t make_dirs(struct sim_disk *d, const char *path)
{
    char part[SIM_PATH_SIZE];
    uint32_t dir = 0;

    d->op++;
    for (const char *at = strchr(path + 1, '/');; at = strchr(at + 1, '/')) {
        size_t len = at == NULL ? strlen(path) : (size_t)(at - path);

        memcpy(part, path, len);
        part[len] = '\0';
        if (!find_dir(d, part, &dir)) {
            dir = add_dir(d, part);
        }
        if (at == NULL) {
            return dir;
        }
    }
}

static int open_dir(const stele_vfs *v, const char *path, unsigned flags, stele_dir **out)
{
    /* The table's const says that opening does not change the file system as
     * an object; this one keeps its state in it. */
    struct sim_disk *d = (struct sim_disk *)(uintptr_t)v;
    char clean[SIM_PATH_SIZE];
    struct dir_handle *h;
    uint32_t index = 0;
    bool found;
    int rc = flags_valid(flags) ? clean_path(path, clean) : -EINVAL;

    if (rc != 0) {
        return rc;
    }
    begin(d);
    found = find_dir(d, clean, &index);
    rc = judge(
            d, !found && (flags & STELE_OPEN_CREATE) != 0 ? SIM_CALL_CREATE : SIM_CALL_OPEN, NULL);
    if (rc == 0 && runs_into_file(d, clean)) {
        rc = -ENOTDIR;
    }
    if (rc == 0 && !found && (flags & STELE_OPEN_CREATE) == 0) {
        rc = -ENOENT;
    }
    if (rc == 0 && found && (flags & STELE_OPEN_CREATE) != 0 && (flags & STELE_OPEN_EXCL) != 0) {
        rc = -EEXIST;
    }
    if (rc != 0) {
        return (int)end(d, rc);
    }
    if (!found) {
        index = make_dirs(d, clean);
    }
    h = add_object(d, sizeof *h);
    h->dir.ops = &dir_ops;
    h->disk = d;
    h->index = index;
    d->open_count++;
    *out = &h->dir;
    return (int)end(d, 0);
}

static const stele_file_ops file_ops = {
        .version = 1,
        .close = file_close,
        .pread = file_pread,
        .pwritev = file_pwritev,
        .allocate = file_allocate,
        .truncate = file_truncate,
        .stat = file_stat,
        .sync = file_sync,
        .map = file_map,
        .prefault = file_prefault,
        .unmap = file_unmap,
        .lock = file_lock,
};

static const stele_dir_ops dir_ops = {
        .version = 1,
        .close = dir_close,
        .open = dir_open,
        .stat = dir_stat,
        .rename = dir_rename,
        .unlink = dir_unlink,
        .sync = dir_sync,
        .list = dir_list,
};

static const stele_vfs_ops vfs_ops = {
        .version = 1,
        .open_dir = open_dir,
};

struct sim_disk *sim_disk_new(const struct sim_disk_options *options)
{
    struct sim_disk *d = sim_alloc(sizeof *d);

    d->vfs.ops = &vfs_ops;
    if (options != NULL) {
        d->options = *options;
    }
    if (d->options.sector_size == 0) {
        d->options.sector_size = 512;
    }
    if (d->options.file_max == 0) {
        d->options.file_max = FILE_MAX_DEFAULT;
    }
    d->padded = sim_alloc(d->options.sector_size);
    if (d->options.sector_size % 32 != 0 || pthread_mutex_init(&d->lock, NULL) != 0) {
        die("bad options");
    }
    return d;
}

struct sim_disk *sim_disk_of_image(struct sim_image *image, const struct sim_disk_options *options)
{
    struct sim_disk *d = sim_disk_new(options);

    if (image->sector_size != d->options.sector_size) {
        die("an image of another sector size");
    }
    d->base = sim_image_ref(image);
    for (uint32_t i = 0; i < image->dir_count; i++) {
        (void)add_dir(d, image->dirs[i].path);
    }
    for (uint32_t i = 0; i < image->entry_count; i++) {
        const struct sim_entry *e = &image->entries[i];
        struct inode *n = add_inode(d);

        n->base = sim_content_ref(e->content);
        n->size = e->content->size;
        own(d, n, 0, n->size, true);
        add_name(d, e->dir, e->name, n);
    }
    return d;
}

void sim_disk_free(struct sim_disk *d)
{
    if (d == NULL) {
        return;
    }
    for (uint32_t i = 0; i < d->inode_count; i++) {
        free(d->inodes[i]->shadow);
        free_cache(d->inodes[i], false);
        sim_content_unref(d->inodes[i]->base);
        sim_content_unref(d->inodes[i]->known);
        free(d->inodes[i]);
    }
    for (size_t i = 0; i < d->effect_count; i++) {
        sim_sector_unref(d->effects[i].image);
        free(d->effects[i].name);
        free(d->effects[i].from);
    }
    for (uint32_t i = 0; i < d->object_count; i++) {
        free(d->objects[i]);
    }
    free(d->padded);
    free(d->objects);
    free(d->inodes);
    free(d->effects);
    free(d->names);
    free(d->dirs);
    sim_image_unref(d->base);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

const stele_vfs *sim_disk_vfs(struct sim_disk *d)
{
    return &d->vfs;
}

bool sim_disk_traces(const struct sim_disk *d)
{
    return !d->options.no_trace;
}

uint64_t sim_disk_ops(struct sim_disk *d)
{
    uint64_t op;

    (void)pthread_mutex_lock(&d->lock);
    op = d->op;
    (void)end(d, 0);
    return op;
}

uint64_t sim_disk_calls(struct sim_disk *d, unsigned calls)
{
    uint64_t sum = 0;

    (void)pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < sizeof d->calls / sizeof *d->calls; i++) {
        sum += (calls >> i & 1U) != 0 ? d->calls[i] : 0;
    }
    (void)end(d, 0);
    return sum;
}

uint64_t sim_disk_open_count(struct sim_disk *d)
{
    uint64_t count;

    (void)pthread_mutex_lock(&d->lock);
    count = d->open_count;
    (void)end(d, 0);
    return count;
}

void sim_disk_set_fault(struct sim_disk *d, const struct sim_fault *fault)
{
    (void)pthread_mutex_lock(&d->lock);
    memset(&d->fault, 0, sizeof d->fault);
    if (fault != NULL) {
        d->fault = *fault;
    }
    d->fault_seen = 0;
    d->fault_hits = 0;
    (void)end(d, 0);
}

uint64_t sim_disk_fault_hits(struct sim_disk *d)
{
    uint64_t hits;

    (void)pthread_mutex_lock(&d->lock);
    hits = d->fault_hits;
    (void)end(d, 0);
    return hits;
}

void sim_disk_power_off(struct sim_disk *d)
{
    begin(d);
    d->off = true;
    (void)end(d, 0);
}

uint64_t sim_disk_settle(struct sim_disk *d)
{
    uint64_t op;

    begin(d);
    op = d->op;
    (void)end(d, 0);
    return op;
}

/* What the file is now. Most of it is as it was before. */
static struct sim_content *content_now(struct sim_disk *d, struct inode *n)
{
    struct sim_content *now;

    if (n->base != NULL) {
        return sim_content_ref(n->base);
    }
    now = sim_content_after(n->known, n->cache, n->size, d->options.sector_size);
    sim_content_unref(n->known);
    n->known = sim_content_ref(now);
    return now;
}

struct sim_image *sim_disk_image(struct sim_disk *d)
{
    struct sim_image *image;

    begin(d);
    image = sim_image_new(d->options.sector_size, d->dir_count, d->name_count);
    for (uint32_t i = 0; i < d->dir_count; i++) {
        memcpy(image->dirs[i].path, d->dirs[i].path, SIM_PATH_SIZE);
    }
    for (uint32_t i = 0; i < d->name_count; i++) {
        struct sim_entry *e = &image->entries[i];

        e->dir = d->names[i].dir;
        memcpy(e->name, d->names[i].text, SIM_NAME_SIZE);
        e->content = content_now(d, d->names[i].inode);
    }
    sim_image_seal(image);
    (void)end(d, 0);
    return image;
}

void sim_disk_trace(struct sim_disk *d, struct sim_trace *out)
{
    begin(d);
    out->base = d->base;
    out->effects = d->effects;
    out->dirs = d->dirs;
    out->effect_count = d->effect_count;
    out->dir_count = d->dir_count;
    out->file_count = d->inode_count;
    out->sector_size = d->options.sector_size;
    out->ops = d->op;
    out->ordered = d->options.ordered;
    (void)end(d, 0);
}
