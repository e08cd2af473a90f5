/* SPDX-License-Identifier: MIT
 *
 * held.c: subscriptions, held beyond their end until nothing can touch them.
 */
#include "nats/held.h"

#include "nats/memory.h"
#include "nats/report.h"

struct sti_nats_held *sti_nats_held_new(stele_error *err)
{
    struct sti_nats_held *held = sti_nats_calloc(1, sizeof *held);

    if (held == NULL) {
        (void)sti_nats_fail_memory(err, sizeof *held);
    }
    return held;
}

void sti_nats_held_add(struct sti_nats_held **list, struct sti_nats_held *held)
{
    held->next = *list;
    *list = held;
}

void sti_nats_held_destroy(struct sti_nats_held **list)
{
    while (*list != NULL) {
        struct sti_nats_held *held = *list;

        *list = held->next;
        natsSubscription_Destroy(held->sub);
        sti_nats_free(held);
    }
}
