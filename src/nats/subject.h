/* SPDX-License-Identifier: MIT
 *
 * subject.h: names as tokens of subjects, and back.
 *
 * A name has one token alone: reading refuses any other spelling, since permissions are about
 * tokens, and two of them must not be one name.
 */
#ifndef STI_NATS_SUBJECT_H
#define STI_NATS_SUBJECT_H

#include <stele/fleet.h>

#define STI_NATS_TOKEN_SIZE (3 * STELE_FLEET_NAME_MAX + 1)
#define STI_NATS_INBOX_SIZE (2 * STI_NATS_TOKEN_SIZE + 64)
#define STI_NATS_SUBJECT_SIZE \
    (3 * STI_NATS_TOKEN_SIZE + 96) /* a fleet, two names, what is between */

/* `name` has 1 to STELE_FLEET_NAME_MAX bytes. */
void sti_nats_token(char out[STI_NATS_TOKEN_SIZE], const char *name);

/* Whether `token`, which has `len` bytes, is that of a name. */
bool sti_nats_untoken(char out[STELE_FLEET_NAME_MAX + 1], const char *token, size_t len);

/* The name in the last token of a subject; false: it is none. */
bool sti_nats_sender(char out[STELE_FLEET_NAME_MAX + 1], const char *subject);

/* Whether `reply` is where the answers to requests of `peer` go: anything else that a peer writes
 * there would make us send to others, in our name. */
bool sti_nats_reply_is_of(const char *reply, const char *fleet_token, const char *peer);

#endif /* STI_NATS_SUBJECT_H */
