/* SPDX-License-Identifier: MIT
 *
 * crash.h: the states in which a crash may leave a disk.
 *
 * A cursor walks over the trace of a disk (disk.h). At an operation it knows
 * the optional effects: issued by then, neither durable nor dropped. A state is
 * a choice among them. States are hashed before they are built, and only the
 * files that differ between the states of one operation are looked at, so that
 * trying a state that was seen before costs a microsecond or so.
 *
 * The disk must outlive the cursor and not be used meanwhile.
 */
#ifndef SIM_CRASH_H
#define SIM_CRASH_H

#include "sim/disk.h"

struct sim_cursor;

struct sim_cursor *sim_cursor_new(struct sim_disk *d);
void sim_cursor_free(struct sim_cursor *c);

/* Go to an operation, 0 being before the first. Rising ones are cheap.
 * Returns the number of optional effects. */
size_t sim_cursor_seek(struct sim_cursor *c, uint64_t op);

/* The i-th optional effect, in the order in which they were issued. */
const struct sim_effect *sim_cursor_optional(const struct sim_cursor *c, size_t i);

/* Choose: keep[i] is 1 if the i-th optional effect reached the disk. What an
 * ordered disk cannot leave behind is set to 0 in it. Returns the hash of the
 * image. */
uint64_t sim_cursor_choose(struct sim_cursor *c, uint8_t *keep);

/* The image of the last choice. */
struct sim_image *sim_cursor_image(struct sim_cursor *c);

/* The state after a crash at the last operation with all optional effects, or
 * none. */
struct sim_image *sim_crash_now(struct sim_disk *d, bool keep_all);

/* One line about an effect, for people. */
void sim_effect_text(
        const struct sim_trace *trace, const struct sim_effect *e, char *out, size_t size);

#endif /* SIM_CRASH_H */
