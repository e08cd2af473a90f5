/* SPDX-License-Identifier: MIT
 *
 * peers.c: who is in a fleet, in memory and as text.
 */
#include "nats/peers.h"

#include <stele/nats.h>

#include "nats/memory.h"
#include "nats/report.h"
#include "nats/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char first_line[] = "stele peers 1\n";

/* The place of a name, or where it belongs. */
static size_t place_of(const struct sti_nats_peers *p, const char *name)
{
    size_t low = 0;
    size_t high = p->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(p->list[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct sti_nats_peer *sti_nats_peers_find(const struct sti_nats_peers *p, const char *name)
{
    size_t at = place_of(p, name);

    return at < p->count && strcmp(p->list[at]->name, name) == 0 ? p->list[at] : NULL;
}

static bool make_room(struct sti_nats_peers *p)
{
    size_t capacity = p->capacity == 0 ? 16 : p->capacity * 2;
    struct sti_nats_peer **list;

    if (p->count == STELE_NATS_PEERS_MAX) {
        return false;
    }
    if (p->count < p->capacity) {
        return true;
    }
    list = sti_nats_realloc(p->list, capacity * sizeof(struct sti_nats_peer *));
    if (list == NULL) {
        return false;
    }
    p->list = list;
    p->capacity = capacity;
    return true;
}

struct sti_nats_peer *sti_nats_peers_add(struct sti_nats_peers *p, const char *name)
{
    struct sti_nats_peer *peer = sti_nats_peers_find(p, name);
    size_t at = place_of(p, name);

    if (peer != NULL || !make_room(p)) {
        return peer;
    }
    peer = sti_nats_calloc(1, sizeof *peer);
    if (peer == NULL) {
        return NULL;
    }
    memcpy(peer->name, name, strlen(name) + 1);
    memmove(&p->list[at + 1], &p->list[at], (p->count - at) * sizeof(struct sti_nats_peer *));
    p->list[at] = peer;
    p->count++;
    p->changed = true;
    return peer;
}

void sti_nats_peers_free(struct sti_nats_peers *p)
{
    for (size_t i = 0; i < p->count; i++) {
        sti_nats_free(p->list[i]);
    }
    sti_nats_free(p->list);
    *p = (struct sti_nats_peers){.list = NULL};
}

static uint64_t sum_of(const uint8_t *data, size_t len)
{
    uint64_t sum = 14695981039346656037ULL;

    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ data[i]) * 1099511628211ULL;
    }
    return sum;
}

static int last_line(char out[64], size_t count, stele_bytes before)
{
    return snprintf(out, 64, "end %zu %016" PRIx64 "\n", count, sum_of(before.data, before.len));
}

stele_code sti_nats_peers_write(const struct sti_nats_peers *p, stele_buf *out, stele_error *err)
{
    stele_code rc = stele_buf_append(out, stele_str(first_line), err);
    char text[64];

    for (size_t i = 0; rc == STELE_OK && i < p->count; i++) {
        char token[STI_NATS_TOKEN_SIZE];

        sti_nats_token(token, p->list[i]->name);
        rc = stele_buf_append(out, stele_str(token), err);
        rc = rc == STELE_OK ? stele_buf_append(out, stele_str("\n"), err) : rc;
    }
    if (rc == STELE_OK) {
        (void)last_line(text, p->count, stele_buf_view(out));
        rc = stele_buf_append(out, stele_str(text), err);
    }
    return rc;
}

static stele_code corrupt(stele_error *err, size_t at, const char *text)
{
    (void)sti_nats_fail(err, STELE_ECORRUPT, "file of peers: %s", text);
    if (err != NULL) {
        (void)snprintf(err->file, sizeof err->file, "peers");
        err->position = (int64_t)at;
    }
    return STELE_ECORRUPT;
}

stele_code sti_nats_peers_read(struct sti_nats_peers *p, stele_bytes content, stele_error *err)
{
    const char *text = (const char *)content.data;
    size_t at = strlen(first_line);
    size_t count = 0;
    char end[64];
    int end_len;

    if (content.len < at || memcmp(text, first_line, at) != 0) {
        return corrupt(err, 0, "it does not begin as one");
    }
    for (;;) {
        const char *line = text + at;
        const char *feed = memchr(line, '\n', content.len - at);
        char name[STELE_FLEET_NAME_MAX + 1];

        if (feed == NULL) {
            return corrupt(err, at, "its end is missing");
        }
        if (strncmp(line, "end ", 4) == 0) {
            break;
        }
        if (!sti_nats_untoken(name, line, (size_t)(feed - line))) {
            return corrupt(err, at, "a line is no name");
        }
        if (sti_nats_peers_add(p, name) == NULL) {
            return sti_nats_fail(err, STELE_ENOMEM, "no room for the names of peers");
        }
        count++;
        at += (size_t)(feed - line) + 1;
    }
    end_len = last_line(end, count, stele_bytes_of(content.data, at));
    if ((size_t)end_len != content.len - at || memcmp(text + at, end, (size_t)end_len) != 0) {
        return corrupt(err, at, "its sum is wrong");
    }
    p->changed = false;
    return STELE_OK;
}
