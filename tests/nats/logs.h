/* SPDX-License-Identifier: MIT
 *
 * logs.h: streams to mirror, and whether two are equal.
 */
#ifndef TESTS_NATS_LOGS_H
#define TESTS_NATS_LOGS_H

#include <stele/stream.h>

stele_stream *logs_open(const char *dir);
void logs_close(stele_stream *s);

/* Append `count` messages that follow from their number: with and without key and value. */
void logs_publish(stele_stream *s, unsigned count);

/* Every message of both, offset, time, key and value; the test ends if not. How many there are. */
unsigned logs_check_equal(stele_stream *a, stele_stream *b);

#endif /* TESTS_NATS_LOGS_H */
