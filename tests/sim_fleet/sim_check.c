/* SPDX-License-Identifier: MIT
 *
 * sim_check.c: what must hold at the end: all have all, and make the same documents of it.
 */
#include "lib/check.h"
#include "sim.h"

static void view_of(struct sim *s, size_t i, stele_buf *out)
{
    struct sim_node *n = &s->nodes[i];

    stele_buf_clear(out);
    if (sim_is_by_arrival(s)) {
        sim_arrival_view(stele_buf_view(&n->arrivals), s->config.rules, out);
    } else {
        sim_view(&n->log, out);
    }
}

/* All have the documents that the oracle finds; of wiped disks that were trimmed elsewhere, and by
 * the rules of the reference, the same as each other. */
static bool same_views(struct sim *s)
{
    stele_buf first;
    stele_buf other;
    bool same = true;

    stele_buf_init(&first, SIZE_MAX);
    stele_buf_init(&other, SIZE_MAX);
    if (sim_is_by_arrival(s) || ((s->config.wipes || s->config.rot || s->config.away_ns != 0) &&
                                        s->config.retention != 0)) {
        view_of(s, 0, &first);
    } else {
        sim_oracle(&s->made, &first);
    }
    for (size_t i = 0; same && i < s->config.nodes; i++) {
        view_of(s, i, &other);
        same = stele_bytes_compare(stele_buf_view(&first), stele_buf_view(&other)) == 0;
    }
    stele_buf_free(&first);
    stele_buf_free(&other);
    return same;
}

/* All that was ever durable anywhere is everywhere; what was trimmed does not count. Nothing is on
 * its way to a disk. */
bool sim_is_level(struct sim *s)
{
    for (size_t i = 0; i < s->config.nodes; i++) {
        if (s->config.retention == 0 && !fleet_memory_equal(&s->nodes[i].log, &s->made)) {
            return false;
        }
        if ((!s->nodes[i].is_reference && !s->nodes[i].ready) || s->nodes[i].write_count > 0) {
            return false;
        }
        if (sim_is_damaged(&s->nodes[i])) {
            return false;
        }
    }
    return s->config.retention == 0 || same_views(s);
}

void sim_complain_of_levels(struct sim *s)
{
    char text[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < s->config.nodes; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, " %zu%s", s->nodes[i].log.count,
                s->nodes[i].ready ? "" : "(not ready)");
    }
    sim_complain(s, "not level %lld s after healing: %zu entries,%s",
            (long long)(s->config.heal_ns / SIM_SECOND), s->made.count, text);
}

static void check_acked(struct sim *s)
{
    for (size_t i = 0; i < s->acked.count; i++) {
        for (size_t j = 0; s->config.retention == 0 && j < s->config.nodes; j++) {
            if (fleet_memory_find(&s->nodes[j].log, s->acked.items[i].key) == NULL) {
                sim_complain(s, "%s has lost what was acknowledged", s->nodes[j].name);
            }
        }
    }
    if (!same_views(s)) {
        sim_complain(s, "the documents are not those that the entries make");
    }
}

/* Of each ID the entry that counts of all that were ever made is the one that counts here, though
 * who owns keys is told from what was kept. A line ends in the version. */
static void check_versions(struct sim *s)
{
    stele_buf wanted;
    stele_buf view;
    size_t i = 0;
    size_t j = 0;

    stele_buf_init(&wanted, SIZE_MAX);
    stele_buf_init(&view, SIZE_MAX);
    sim_oracle(&s->made, &wanted);
    sim_view(&s->nodes[0].log, &view);
    while (i < wanted.len && j < view.len && s->wrong[0] == 0) {
        const uint8_t *a = memchr(wanted.data + i, '\n', wanted.len - i);
        const uint8_t *b = memchr(view.data + j, '\n', view.len - j);

        if (a == NULL || b == NULL || wanted.data[i] != view.data[j] ||
                memcmp(a - 32, b - 32, 32) != 0) {
            sim_complain(s, "%c is not what was made last", wanted.data[i]);
        } else {
            i = (size_t)(a - wanted.data) + 1;
            j = (size_t)(b - view.data) + 1;
        }
    }
    if (s->wrong[0] == 0 && (i < wanted.len || j < view.len)) {
        sim_complain(s, "what was made is not there, or more is");
    }
    stele_buf_free(&wanted);
    stele_buf_free(&view);
}

/* What is changed from now on is above all that others have seen, of whoever it was. */
static void check_clocks(struct sim *s)
{
    for (size_t i = 0; i < s->made.count; i++) {
        struct sti_docs_version v;

        CHECK_OK(sti_docs_version_get(&v, s->made.items[i].key.data, NULL), NULL);
        for (size_t j = 0; s->config.retention == 0 && j < s->config.nodes; j++) {
            const struct sti_docs_time *last = &s->nodes[j].clock.last;

            if (v.seconds > last->seconds || (v.seconds == last->seconds && v.ns > last->ns)) {
                sim_complain(s, "the clock of %s is behind what is known", s->nodes[j].name);
            }
        }
    }
}

void sim_check_end(struct sim *s)
{
    check_acked(s);
    check_clocks(s);
    if (s->config.away_ns != 0 && s->wrong[0] == 0) {
        check_versions(s);
    }
}
