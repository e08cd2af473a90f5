/* SPDX-License-Identifier: MIT
 *
 * core.h: a stream in a directory of its own, and messages that tell their offset.
 *
 * A numbered message has key "key-%04d" (offset modulo CORE_KEYS), value
 * "value-%08d" and a time that all follow from its offset: whoever reads one
 * can check it without a model, and all are of one size.
 */
#ifndef STELE_TESTS_STREAM_CORE_CORE_H
#define STELE_TESTS_STREAM_CORE_CORE_H

#include <stele/stele.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CORE_KEYS = 13,
    CORE_TEXT_SIZE = 32,
    CORE_SIZE_V1 = 28 + 8 + 14, /* of a numbered message in the log */
    CORE_SIZE_V2 = 36 + 8 + 14,
    CORE_ITEM = 32 /* of one in an index by key and time */
};

struct core {
    struct tmpdir dir;
    stele_stream_options opts; /* as the next open takes them */
    stele_stream *s;
    stele_messages *ms;
    stele_error err;
};

/* A fresh directory; options with both indexes. Nothing is open yet. */
void core_begin(struct core *c);
void core_open(struct core *c);
void core_close(struct core *c);
void core_reopen(struct core *c);
/* Close what is open, and remove the directory. */
void core_end(struct core *c);

/* Opening gives this code, and c->err says why. */
void core_refused(struct core *c, stele_code code);

/* The limit at which a segment of version 2 takes so many numbered messages. */
int64_t core_rollover(int messages);

/* A message from texts (NULL: nil), published; returns its offset. */
int64_t core_put(struct core *c, const char *key, const char *value, stele_time time);

struct core_text {
    char key[CORE_TEXT_SIZE];
    char value[CORE_TEXT_SIZE];
};

stele_message core_message(struct core_text *text, int64_t offset);
/* The next `count` numbered messages, each by a call of its own. */
void core_fill(struct core *c, int count);
/* The message is the numbered one of its offset. */
void core_check_numbered(const stele_message *m);

/* One call of consume gives exactly the offsets first .. last (none if last
 * is below first), and goes on at `next`. */
void core_consume(
        struct core *c, int64_t from, int64_t max, int64_t first, int64_t last, int64_t next);

/* All that is there, read with calls of `max`, from OLDEST on: the offsets, in
 * order, ended by -1. Every message is checked to be a numbered one. */
enum {
    CORE_ALL_MAX = 1024
};

size_t core_all(struct core *c, int64_t max, int64_t offsets[CORE_ALL_MAX]);

/* core_all() gives the offsets first .. last. */
void core_holds(struct core *c, int64_t first, int64_t last);

int64_t core_next(struct core *c);
stele_stream_stats core_stats(struct core *c);

/* Delete offsets first .. last of one segment; returns how many were. */
int64_t core_delete(struct core *c, int64_t first, int64_t last);

/* How many files have a name that ends so. */
int core_files(const struct core *c, const char *suffix);

#endif /* STELE_TESTS_STREAM_CORE_CORE_H */
