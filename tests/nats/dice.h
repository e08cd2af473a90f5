/* SPDX-License-Identifier: MIT
 *
 * dice.h: numbers at random, the same ones for a seed on every machine.
 */
#ifndef TESTS_NATS_DICE_H
#define TESTS_NATS_DICE_H

#include <stdint.h>

/* Below `sides`. The state is any number but 0. */
static inline unsigned dice(uint64_t *state, unsigned sides)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)((*state >> 11) % sides);
}

#endif /* TESTS_NATS_DICE_H */
