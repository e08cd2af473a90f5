/* SPDX-License-Identifier: MIT
 *
 * mirror.h: what sending a stream to JetStream and making it again share.
 */
#ifndef STI_NATS_MIRROR_H
#define STI_NATS_MIRROR_H

#include <stele/nats.h>

#include "nats/link.h"

#include <pthread.h>

#include <nats/nats.h>

enum {
    STI_NATS_MIRROR_WINDOW = 512,           /* messages that are not acknowledged */
    STI_NATS_MIRROR_WINDOW_SIZE = 16 << 20, /* and their bytes */
    STI_NATS_MIRROR_ACK_MS = 3000,          /* an acknowledgement that takes longer is lost */
    STI_NATS_MIRROR_NAME_MAX = 128
};

/* A connection with JetStream. */
struct sti_nats_mirror {
    stele_nats_mirror_options opts;
    struct sti_nats_server server;
    char name[STI_NATS_MIRROR_NAME_MAX + 1];
    char subject[STI_NATS_MIRROR_NAME_MAX + 32];
    natsConnection *nc;
    jsCtx *js;
    int64_t progress_ns; /* when there was some */
    natsStatus last;     /* of the calls of JetStream's interface, and what the server said */
    jsErrCode last_code;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;        /* lock: the connection calls us no more */
    uint64_t waiting;   /* lock: messages without an acknowledgement */
    size_t waiting_len; /* lock: their bytes */
    uint64_t acked;     /* lock: the newest sequence number that was acknowledged */
    bool failed;        /* lock: one was not: where we are has to be found out again */
    natsStatus why;     /* lock: of that */
    char why_text[160];
};

/* ---- mirror_link.c ---- */

stele_code sti_nats_mirror_open(
        struct sti_nats_mirror *m, const stele_nats_mirror_options *opts, stele_error *err);
void sti_nats_mirror_close(struct sti_nats_mirror *m);

/* Whether to try again, after a moment: STELE_OK; STELE_ECANCELED; STELE_ETIMEDOUT: no progress for
 * longer than the caller's patience, `doing` is what could not be done. */
stele_code sti_nats_mirror_again(struct sti_nats_mirror *m, const char *doing, stele_error *err);
void sti_nats_mirror_progress(struct sti_nats_mirror *m);
bool sti_nats_mirror_canceled(const struct sti_nats_mirror *m);

/* Before a call: jsErrCode has no name for "none". */
static inline void sti_nats_mirror_forget(struct sti_nats_mirror *m)
{
    memset(&m->last_code, 0, sizeof m->last_code);
}

/* What the stream has; tried again until it answers. With `make` it is made if it is missing. */
stele_code sti_nats_mirror_state(
        struct sti_nats_mirror *m, bool make, jsStreamState *out, stele_error *err);

/* One message of it: natsMsg_Destroy(). STELE_ENOTFOUND: it was deleted. */
stele_code sti_nats_mirror_get(
        struct sti_nats_mirror *m, uint64_t sequence, natsMsg **out, stele_error *err);

/* ---- mirror_message.c ---- */

/* A message of JetStream for one of ours: natsMsg_Destroy(). */
natsStatus sti_nats_mirror_encode(
        natsMsg **out, const struct sti_nats_mirror *m, const stele_message *message);

/* The other way: key and value lie in `msg`. STELE_ECORRUPT: no mirror sent it. */
stele_code sti_nats_mirror_decode(
        stele_message *out, natsMsg *msg, uint64_t sequence, stele_error *err);

bool sti_nats_mirror_equal(const stele_message *a, const stele_message *b);

#endif /* STI_NATS_MIRROR_H */
