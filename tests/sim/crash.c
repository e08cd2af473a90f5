/* SPDX-License-Identifier: MIT */
#include "sim/crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file while it is put together. Its sectors are borrowed from the base
 * image, from the effects, or from the cursor's own cut ones. */
struct draft {
    struct sim_sector **sectors;
    uint32_t count;
    uint32_t room;
    uint64_t size;
    bool hashed;
    uint64_t hash;
    struct sim_content *content; /* built before, or NULL */
};

struct draft_name {
    uint32_t dir;
    uint32_t file;
    uint64_t hash;
    const char *name;
};

struct names {
    struct draft_name *list;
    uint32_t count;
    uint32_t room;
};

/* Sectors that were cut in the middle. */
struct pieces {
    struct sim_sector **list;
    size_t count;
    size_t room;
};

struct sim_cursor {
    struct sim_trace trace;
    uint64_t op;
    size_t solid;       /* effects before this one are settled: in `base` */
    size_t end;         /* effects before this one are issued */
    struct draft *base; /* by file: with all settled effects */
    struct draft *now;  /* by file: of the present choice, where touched */
    bool *touched;      /* by file: differs between choices */
    uint32_t *touched_list;
    uint32_t touched_count;
    struct names base_names;
    struct names now_names;
    bool names_touched;
    struct pieces base_pieces;
    struct pieces now_pieces;
    size_t *optional; /* indexes of effects */
    size_t optional_count;
    size_t optional_room;
    uint8_t *padded; /* one sector */
};

/* ---- Drafts. ---- */

static void draft_room(struct draft *f, uint32_t count)
{
    if (count > f->room) {
        uint32_t room = f->room == 0 ? 8 : f->room;

        while (room < count) {
            room *= 2;
        }
        f->sectors = sim_realloc(f->sectors, room * sizeof(struct sim_sector *));
        f->room = room;
    }
    while (f->count < count) {
        f->sectors[f->count++] = NULL;
    }
}

/* The sector with nothing but zeros from byte `keep` on. */
static struct sim_sector *cut_sector(
        struct sim_cursor *c, struct sim_sector *s, uint32_t keep, struct pieces *pieces)
{
    struct sim_sector *cut;

    if (s == NULL || s->used <= keep) {
        return s;
    }
    memset(c->padded, 0, c->trace.sector_size);
    memcpy(c->padded, s->bytes, keep);
    cut = sim_sector_new(c->padded, c->trace.sector_size);
    if (cut != NULL) {
        if (pieces->count == pieces->room) {
            pieces->room = pieces->room == 0 ? 16 : pieces->room * 2;
            pieces->list = sim_realloc(pieces->list, pieces->room * sizeof(struct sim_sector *));
        }
        pieces->list[pieces->count++] = cut;
    }
    return cut;
}

static void drop_pieces(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++) {
        sim_sector_unref(pieces->list[i]);
    }
    pieces->count = 0;
}

/* Nothing is left behind `size`. */
static void cut_draft(struct sim_cursor *c, struct draft *f, uint64_t size, struct pieces *pieces)
{
    uint32_t ss = c->trace.sector_size;
    uint64_t whole = size / ss;
    uint32_t rest = (uint32_t)(size % ss);

    if (f->count > whole && rest > 0) {
        f->sectors[whole] = cut_sector(c, f->sectors[whole], rest, pieces);
        whole++;
    }
    if (f->count > whole) {
        f->count = (uint32_t)whole;
    }
}

static void names_room(struct names *n, uint32_t count)
{
    if (count > n->room) {
        n->room = count * 2;
        n->list = sim_realloc(n->list, n->room * sizeof *n->list);
    }
}

static void take_name(struct names *n, uint32_t dir, const char *name, uint64_t hash, uint32_t file)
{
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->list[i].dir == dir && n->list[i].hash == hash &&
                strcmp(n->list[i].name, name) == 0) {
            n->list[i].file = file;
            return;
        }
    }
    names_room(n, n->count + 1);
    n->list[n->count++] = (struct draft_name){dir, file, hash, name};
}

/* All names of a file but `hash`, or only that one. */
static void lose_names(struct names *n, uint32_t file, uint64_t hash, bool others)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < n->count; i++) {
        if (n->list[i].file != file || (n->list[i].hash == hash) == others) {
            n->list[left++] = n->list[i];
        }
    }
    n->count = left;
}

static void apply_name(struct names *n, const struct sim_effect *e)
{
    if (e->type == SIM_UNLINK) {
        lose_names(n, e->file, e->name_hash, false);
        return;
    }
    take_name(n, e->dir, e->name, e->name_hash, e->file);
    if (e->type == SIM_RENAME) {
        /* A file has one name, also if an earlier rename of it was lost. */
        lose_names(n, e->file, e->name_hash, true);
    }
}

static void apply(struct sim_cursor *c, const struct sim_effect *e, struct draft *f,
        struct names *names, struct pieces *pieces)
{
    if (e->type == SIM_WRITE) {
        draft_room(f, e->sector + 1);
        f->sectors[e->sector] = e->image;
    } else if (e->type == SIM_SIZE) {
        if (e->cut) {
            cut_draft(c, f, e->size, pieces);
        }
        f->size = e->size;
    } else {
        apply_name(names, e);
    }
}

/* ---- The cursor. ---- */

static void drop_built(struct draft *f)
{
    sim_content_unref(f->content);
    f->content = NULL;
    f->hashed = false;
}

static void start(struct sim_cursor *c)
{
    const struct sim_image *image = c->trace.base;

    c->op = 0;
    c->solid = 0;
    c->end = 0;
    c->base_names.count = 0;
    drop_pieces(&c->base_pieces);
    for (uint32_t i = 0; i < c->trace.file_count; i++) {
        drop_built(&c->base[i]);
        c->base[i].count = 0;
        c->base[i].size = 0;
    }
    for (uint32_t i = 0; image != NULL && i < image->entry_count; i++) {
        const struct sim_entry *entry = &image->entries[i];
        struct draft *f = &c->base[i];

        draft_room(f, entry->content->count);
        if (entry->content->count > 0) {
            memcpy(f->sectors, entry->content->sectors,
                    entry->content->count * sizeof(struct sim_sector *));
        }
        f->size = entry->content->size;
        f->hash = entry->content->hash;
        f->hashed = true;
        f->content = sim_content_ref(entry->content);
        take_name(&c->base_names, entry->dir, entry->name, sim_hash_name(entry->name), i);
    }
}

struct sim_cursor *sim_cursor_new(struct sim_disk *d)
{
    struct sim_cursor *c = sim_alloc(sizeof *c);

    sim_disk_trace(d, &c->trace);
    c->base = sim_alloc(c->trace.file_count * sizeof *c->base);
    c->now = sim_alloc(c->trace.file_count * sizeof *c->now);
    c->touched = sim_alloc(c->trace.file_count * sizeof *c->touched);
    c->touched_list = sim_alloc(c->trace.file_count * sizeof *c->touched_list);
    c->padded = sim_alloc(c->trace.sector_size);
    start(c);
    return c;
}

void sim_cursor_free(struct sim_cursor *c)
{
    if (c == NULL) {
        return;
    }
    for (uint32_t i = 0; i < c->trace.file_count; i++) {
        drop_built(&c->base[i]);
        drop_built(&c->now[i]);
        free(c->base[i].sectors);
        free(c->now[i].sectors);
    }
    drop_pieces(&c->base_pieces);
    drop_pieces(&c->now_pieces);
    free(c->base);
    free(c->now);
    free(c->touched);
    free(c->touched_list);
    free(c->base_names.list);
    free(c->now_names.list);
    free(c->base_pieces.list);
    free(c->now_pieces.list);
    free(c->optional);
    free(c->padded);
    free(c);
}

static bool is_settled(const struct sim_cursor *c, const struct sim_effect *e)
{
    return e->durable <= c->op || e->dropped <= c->op;
}

static void touch(struct sim_cursor *c, const struct sim_effect *e)
{
    if (e->type != SIM_WRITE && e->type != SIM_SIZE) {
        c->names_touched = true;
    } else if (!c->touched[e->file]) {
        c->touched[e->file] = true;
        c->touched_list[c->touched_count++] = e->file;
    }
}

size_t sim_cursor_seek(struct sim_cursor *c, uint64_t op)
{
    if (op < c->op) {
        start(c);
    }
    c->op = op;
    while (c->end < c->trace.effect_count && c->trace.effects[c->end].issued <= op) {
        c->end++;
    }
    while (c->solid < c->end && is_settled(c, &c->trace.effects[c->solid])) {
        const struct sim_effect *e = &c->trace.effects[c->solid++];

        if (e->durable <= op) {
            if (e->type == SIM_WRITE || e->type == SIM_SIZE) {
                drop_built(&c->base[e->file]);
            }
            apply(c, e, &c->base[e->file], &c->base_names, &c->base_pieces);
        }
    }
    for (uint32_t i = 0; i < c->touched_count; i++) {
        c->touched[c->touched_list[i]] = false;
    }
    c->touched_count = 0;
    c->names_touched = false;
    c->optional_count = 0;
    for (size_t i = c->solid; i < c->end; i++) {
        const struct sim_effect *e = &c->trace.effects[i];

        if (e->dropped <= op) {
            continue;
        }
        touch(c, e);
        if (e->durable > op) {
            if (c->optional_count == c->optional_room) {
                c->optional_room = c->optional_room == 0 ? 64 : c->optional_room * 2;
                c->optional = sim_realloc(c->optional, c->optional_room * sizeof *c->optional);
            }
            c->optional[c->optional_count++] = i;
        }
    }
    return c->optional_count;
}

const struct sim_effect *sim_cursor_optional(const struct sim_cursor *c, size_t i)
{
    return &c->trace.effects[c->optional[i]];
}

/* A journal loses everything behind the first thing that it lost. */
static void keep_prefix(const struct sim_cursor *c, uint8_t *keep)
{
    bool lost = false;

    for (size_t i = 0; i < c->optional_count; i++) {
        if (sim_cursor_optional(c, i)->type != SIM_WRITE) {
            lost = lost || keep[i] == 0;
            keep[i] = lost ? 0 : keep[i];
        }
    }
}

static uint64_t draft_hash(struct sim_cursor *c, struct draft *f, struct pieces *pieces)
{
    uint32_t ss = c->trace.sector_size;

    if (!f->hashed) {
        uint32_t count = (uint32_t)((f->size + ss - 1) / ss);

        if (pieces != NULL) {
            cut_draft(c, f, f->size, pieces);
        }
        f->hash = sim_content_hash(f->sectors, f->count < count ? f->count : count, f->size);
        f->hashed = true;
    }
    return f->hash;
}

static void begin_choice(struct sim_cursor *c)
{
    drop_pieces(&c->now_pieces);
    for (uint32_t i = 0; i < c->touched_count; i++) {
        const struct draft *from = &c->base[c->touched_list[i]];
        struct draft *to = &c->now[c->touched_list[i]];

        drop_built(to);
        to->count = 0;
        draft_room(to, from->count);
        if (from->count > 0) {
            memcpy(to->sectors, from->sectors, from->count * sizeof(struct sim_sector *));
        }
        to->size = from->size;
    }
    if (c->names_touched) {
        names_room(&c->now_names, c->base_names.count);
        if (c->base_names.count > 0) {
            memcpy(c->now_names.list, c->base_names.list,
                    c->base_names.count * sizeof *c->now_names.list);
        }
        c->now_names.count = c->base_names.count;
    }
}

static struct draft *draft_of(struct sim_cursor *c, uint32_t file)
{
    return c->touched[file] ? &c->now[file] : &c->base[file];
}

static const struct names *names_of(const struct sim_cursor *c)
{
    return c->names_touched ? &c->now_names : &c->base_names;
}

uint64_t sim_cursor_choose(struct sim_cursor *c, uint8_t *keep)
{
    const struct names *names;
    uint64_t hash = 0;
    size_t next = 0;

    if (c->trace.ordered) {
        keep_prefix(c, keep);
    }
    begin_choice(c);
    for (size_t i = c->solid; i < c->end; i++) {
        const struct sim_effect *e = &c->trace.effects[i];
        bool kept = e->durable <= c->op;

        if (next < c->optional_count && c->optional[next] == i) {
            kept = keep[next++] != 0;
        }
        if (kept) {
            apply(c, e, &c->now[e->file], &c->now_names, &c->now_pieces);
        }
    }
    for (uint32_t i = 0; i < c->trace.dir_count; i++) {
        if (c->trace.dirs[i].created <= c->op) {
            hash += sim_mix(c->trace.dirs[i].hash);
        }
    }
    names = names_of(c);
    for (uint32_t i = 0; i < names->count; i++) {
        const struct draft_name *n = &names->list[i];
        struct draft *f = draft_of(c, n->file);

        hash += sim_entry_hash(c->trace.dirs[n->dir].hash, n->hash,
                draft_hash(c, f, c->touched[n->file] ? &c->now_pieces : &c->base_pieces));
    }
    return hash;
}

static struct sim_content *draft_content(struct sim_cursor *c, struct draft *f)
{
    uint32_t ss = c->trace.sector_size;
    uint32_t count = (uint32_t)((f->size + ss - 1) / ss);

    if (f->content == NULL) {
        draft_room(f, count);
        f->content = sim_content_new(f->sectors, count, f->size, f->hash);
    }
    return sim_content_ref(f->content);
}

struct sim_image *sim_cursor_image(struct sim_cursor *c)
{
    const struct names *names = names_of(c);
    struct sim_image *image;
    uint32_t dirs = 0;

    while (dirs < c->trace.dir_count && c->trace.dirs[dirs].created <= c->op) {
        dirs++;
    }
    image = sim_image_new(c->trace.sector_size, dirs, names->count);
    for (uint32_t i = 0; i < dirs; i++) {
        memcpy(image->dirs[i].path, c->trace.dirs[i].path, SIM_PATH_SIZE);
        image->hash += sim_mix(c->trace.dirs[i].hash);
    }
    for (uint32_t i = 0; i < names->count; i++) {
        const struct draft_name *n = &names->list[i];
        struct sim_entry *e = &image->entries[i];

        e->dir = n->dir;
        (void)snprintf(e->name, sizeof e->name, "%s", n->name);
        e->content = draft_content(c, draft_of(c, n->file));
        image->hash += sim_entry_hash(c->trace.dirs[n->dir].hash, n->hash, e->content->hash);
    }
    return image;
}

struct sim_image *sim_crash_now(struct sim_disk *d, bool keep_all)
{
    struct sim_cursor *c = sim_cursor_new(d);
    size_t count = sim_cursor_seek(c, c->trace.ops);
    uint8_t *keep = sim_alloc(count);
    struct sim_image *image;

    memset(keep, keep_all ? 1 : 0, count);
    (void)sim_cursor_choose(c, keep);
    image = sim_cursor_image(c);
    free(keep);
    sim_cursor_free(c);
    return image;
}

void sim_effect_text(
        const struct sim_trace *trace, const struct sim_effect *e, char *out, size_t size)
{
    static const char *const names[] = {"write", "size", "link", "unlink", "rename"};
    const char *dir = trace->dirs[e->dir].path;

    switch (e->type) {
    case SIM_WRITE:
        (void)snprintf(
                out, size, "op %" PRIu64 " write file %u sector %u", e->issued, e->file, e->sector);
        break;
    case SIM_SIZE:
        (void)snprintf(
                out, size, "op %" PRIu64 " size file %u %" PRIu64, e->issued, e->file, e->size);
        break;
    case SIM_LINK:
    case SIM_UNLINK:
    case SIM_RENAME:
        (void)snprintf(out, size, "op %" PRIu64 " %s file %u %s/%s%s%s", e->issued, names[e->type],
                e->file, dir, e->from == NULL ? "" : e->from, e->from == NULL ? "" : " to ",
                e->name);
        break;
    }
}
