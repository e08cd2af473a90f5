/* SPDX-License-Identifier: MIT
 *
 * sim.h: a fleet in one thread: cores of nodes, a network and clocks that a seed decides about.
 *
 * Time is virtual: a heap of what happens next, in the order of time and then of coming. A node has
 * a log that is durable, and writes on their way to it, which a crash loses, or not. Every link has
 * its own loss, duplication and delays, and can be cut one way. A request is answered, or times
 * out.
 *
 * The run is a function of its seed: all that happens goes into a hash, which is the same the
 * second time. What must hold is checked as it goes, and at the end; the first thing that does not
 * is kept as text, and the run ends.
 */
#ifndef TESTS_SIM_FLEET_SIM_H
#define TESTS_SIM_FLEET_SIM_H

#include "fleet/core.h"
#include "lib/fleet_memory.h"

#include <stdio.h>

#define SIM_MS     INT64_C(1000000)
#define SIM_SECOND INT64_C(1000000000)
#define SIM_EPOCH  INT64_C(1800000000) /* the wall at the beginning */

enum {
    SIM_NODES_MAX = 100,
    SIM_IDS = 6,
    SIM_KEYS = 8,
    SIM_PENDING_MAX = 64
};

struct sim;

struct sim_write {
    uint64_t token;
    bool is_change;
    bool is_delete;
    stele_buf bytes; /* sized entries; or the JSON */
    char id[8];
};

struct sim_request {
    uint64_t token; /* of the core */
    uint64_t number;
    struct sim_request *next;
};

struct sim_saved {
    bool there;
    struct fleet_memory log;
    struct sti_docs_time ceiling;
    struct sti_docs_version horizon;
    struct sti_docs_version synced[SIM_NODES_MAX];
    bool knows[SIM_NODES_MAX];
    uint64_t boot;
    uint32_t server;
};

struct sim_node {
    struct sim *sim;
    int index;
    char name[8];
    bool up;
    bool is_reference;
    bool is_away;
    bool sees[SIM_NODES_MAX];
    unsigned boots;
    int64_t offset_ns;  /* of its wall */
    int64_t stepped_at; /* when its wall was set last */
    int64_t timer_at;

    int64_t drift_from;
    int64_t drift_ppm;
    int64_t paused_until;
    bool mends;   /* soon */
    bool flipped; /* bits of its log, since it was mended */

    struct sti_fleet_core *core;
    struct sim_request *requests;
    struct sim_write writes[SIM_PENDING_MAX];
    size_t write_count;
    bool disk_full;
    stele_bytes changed; /* the entry of the change that is just done */

    /* Durable. */
    struct fleet_memory log;
    struct sti_docs_time ceiling;
    struct sti_docs_version horizon;
    struct sti_docs_version synced[SIM_NODES_MAX]; /* with each peer */
    bool knows[SIM_NODES_MAX];
    uint64_t boot;
    uint32_t server;

    struct sim_saved saved; /* a state of before, of what is durable */

    struct sti_docs_clock clock;
    struct sti_docs_rank highest[SIM_IDS]; /* that was ever seen of an ID */
    bool has_highest[SIM_IDS];
    bool ready;
    stele_buf arrivals; /* sized entries, in the order in which they came */
};

enum sim_kind {
    SIM_DELIVER,
    SIM_TIMEOUT,
    SIM_TICK,
    SIM_WRITTEN,
    SIM_REFUSED, /* a write for which there was no room */
    SIM_LOOK,    /* who is there? */
    SIM_MEND,    /* what cannot be read goes */
    SIM_OP,
    SIM_FAULT
};

struct sim_message {
    int from;
    int to;
    bool is_reply;
    uint64_t number; /* of the request, 0: none */
    stele_code code;
    bool nil;
    size_t len;
    uint8_t bytes[];
};

struct sim_happening {
    int64_t at;
    uint64_t order;
    enum sim_kind kind;
    int node;
    unsigned boot;
    uint64_t number;
    struct sim_message *message;
};

struct sim_link {
    unsigned drop; /* in thousandths */
    unsigned dup;
    int64_t delay_min;
    int64_t delay_max;
    bool cut;
};

enum {
    SIM_OLD_MAX = 256 /* messages that are delivered again at the end */
};

/* How a node makes documents of entries: as docs does, or with a rule of the reference in its
 * place, which then depends on the order in which they came. */
enum sim_rules {
    SIM_RULES_DOCS,
    SIM_RULES_DELETE_FORGETS, /* a deletion forgets its version */
    SIM_RULES_FIRST_OWNS,     /* who came first owns a key */
    SIM_RULES_BELIEVES        /* what a disk gives is taken for what it was given */
};

struct sim_config {
    uint64_t seed;
    size_t nodes;
    size_t references; /* of the nodes, the last ones */
    unsigned ops;
    int64_t ops_ns;     /* in so long; 0: as long as there is trouble */
    int64_t trouble_ns; /* so long there are faults */
    int64_t heal_ns;    /* so soon after all is level */
    bool clocks;        /* go wrong */
    bool wipes;         /* disks are lost */
    bool rot;           /* the disk of the first node is damaged, truncated, or lost */
    bool pauses;        /* of nodes, and clocks that drift */
    uint32_t retention;
    uint32_t drift_max;   /* 0: 60 s */
    int64_t away_ns;      /* the first node is away for so long, and the others forget it */
    enum sim_rules rules; /* of the nodes that show documents */
};

struct sim_figures {
    uint64_t events;
    uint64_t ops;
    uint64_t acked;
    uint64_t crashes;
    uint64_t cuts;
    uint64_t clocks;
    uint64_t drifts;
    uint64_t pauses;
    uint64_t fulls;
    uint64_t lost;
    uint64_t duplicated;
    uint64_t bytes;
    uint64_t sessions;
    uint64_t snapshots;
    uint64_t trims;
    uint64_t wipes;
    uint64_t away;
    uint64_t flips;     /* of bits */
    uint64_t mended;    /* entries that were taken out */
    uint64_t truncated; /* disks that went back */
    int64_t level_ns;   /* after healing */
};

struct sim {
    struct sim_config config;
    uint64_t random;
    int64_t now;
    int64_t wall_jump_ns;
    uint64_t order;
    uint64_t numbers;
    uint64_t trace;
    struct sim_happening *heap;
    size_t heap_count;
    size_t heap_capacity;
    struct sim_node nodes[SIM_NODES_MAX];
    struct sim_link links[SIM_NODES_MAX][SIM_NODES_MAX];
    struct fleet_memory acked; /* entries whose client was told that they are stored */
    struct fleet_memory made;  /* all that were durable anywhere, and are not lost */
    struct fleet_memory ever;  /* and are */
    struct sim_message *old[SIM_OLD_MAX];
    size_t old_count;
    struct sim_figures figures;
    char wrong[512];
};

/* One run. `wrong` is empty if all is well. */
void sim_run(struct sim *s, const struct sim_config *config);
void sim_free(struct sim *s);

/* ---- sim.c ---- */

static inline bool sim_is_by_arrival(const struct sim *s)
{
    return s->config.rules == SIM_RULES_DELETE_FORGETS || s->config.rules == SIM_RULES_FIRST_OWNS;
}

uint64_t sim_draw(struct sim *s);
/* Below `n`, which is not 0. */
uint64_t sim_below(struct sim *s, uint64_t n);
bool sim_chance(struct sim *s, unsigned thousandths);
void sim_complain(struct sim *s, const char *format, ...) STELE_PRINTF(2, 3);
void sim_trace(struct sim *s, const void *data, size_t len);
void sim_happen(struct sim *s, struct sim_happening what);
struct sti_docs_time sim_wall(const struct sim_node *n);

/* ---- sim_net.c ---- */

void sim_send(struct sim_node *n, int to, stele_bytes bytes);
void sim_broadcast(struct sim_node *n, stele_bytes bytes);
void sim_request(struct sim_node *n, int to, stele_bytes bytes, uint64_t token);
void sim_reply(struct sim_node *n, uint64_t number, stele_code code, stele_bytes bytes);
void sim_deliver(struct sim *s, struct sim_message *m);
void sim_timeout(struct sim_node *n, uint64_t number);
/* Nodes look who is there, some time after something changed. */
void sim_look_soon(struct sim *s);
void sim_look(struct sim_node *n);
void sim_forget_requests(struct sim_node *n);
int sim_index(const char *name);

/* ---- sim_trouble.c ---- */

/* Faults are drawn, and happen by and by. */
void sim_trouble_begin(struct sim *s);
void sim_fault(struct sim *s, const struct sim_happening *h);
void sim_draw_links(struct sim *s, bool clean);
void sim_crash(struct sim *s, struct sim_node *n);
void sim_heal(struct sim *s);

/* ---- sim_check.c ---- */

/* All that was ever durable anywhere is everywhere, and nothing is on its way. */
bool sim_is_level(struct sim *s);
void sim_complain_of_levels(struct sim *s);
void sim_check_end(struct sim *s);

/* ---- sim_storage.c ---- */

struct sti_fleet_storage sim_storage(struct sim_node *n);
/* An entry is still what was stored. */
bool sim_is_whole(const struct fleet_item *item);

/* ---- sim_rot.c ---- */

/* Its disk is lost, and with it what was nowhere else. */
void sim_node_wipe(struct sim_node *n);
/* Remember what is durable now, to which the disk may go back. */
void sim_save(struct sim_node *n);
void sim_damage(struct sim *s, struct sim_node *n);
bool sim_is_damaged(const struct sim_node *n);
/* A read met something that is not what was stored. */
void sim_node_noticed(struct sim_node *n);
/* From a start on, it looks over all of its log from time to time. */
void sim_node_looks_over(struct sim_node *n);
void sim_node_mend(struct sim_node *n, uint64_t number);

/* ---- sim_node.c ---- */

void sim_node_start(struct sim_node *n);
void sim_node_crash(struct sim_node *n);
void sim_node_event(struct sim_node *n, struct sti_fleet_event event);
void sim_node_op(struct sim_node *n);
void sim_node_written(struct sim_node *n);
/* An entry becomes durable; the log, what is seen of its ID, and all that was ever made. */
void sim_node_add(struct sim_node *n, stele_bytes entry);
/* What is seen of each ID is what the log has now: a disk has lost some of it. */
void sim_node_see_anew(struct sim_node *n);

/* ---- sim_reference.c: a peer as the reference is ---- */

void sim_reference_start(struct sim_node *n);
void sim_reference_message(struct sim_node *n, const struct sim_message *m);
void sim_reference_reply(struct sim_node *n, uint64_t token, stele_code code, stele_bytes bytes);
void sim_reference_tick(struct sim_node *n);
void sim_reference_stop(struct sim_node *n);
void sim_reference_push(struct sim_node *n, stele_bytes entry);

/* ---- view.c: documents of a log, by the rules of docs ---- */

/* Each live document, deletion and owner as a line. */
void sim_view(struct fleet_memory *log, stele_buf *out);
/* Who owns a key; nil: nobody. */
void sim_owner(struct fleet_memory *log, stele_bytes key, char owner[8]);
bool sim_is_live(struct fleet_memory *log, stele_bytes id);
/* Whether what a log says rests on an entry. */
bool sim_is_kept(struct fleet_memory *log, const struct fleet_item *item);
/* The unique key that a document has: what its JSON begins with, up to a blank. */
stele_bytes sim_key_of(stele_bytes json);

/* ---- arrival.c: documents by the rules of the reference ---- */

/* From sized entries, in the order in which they came. */
void sim_arrival_view(stele_bytes arrivals, enum sim_rules rules, stele_buf *out);

/* ---- oracle.c: the same, by someone who does not know docs ---- */

void sim_oracle(struct fleet_memory *log, stele_buf *out);

#endif /* TESTS_SIM_FLEET_SIM_H */
