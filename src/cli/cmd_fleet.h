/* SPDX-License-Identifier: MIT
 *
 * cmd_fleet.h: what the verbs of the area `fleet` share.
 *
 *     cmd_fleet.c          the tables of options and verbs
 *     cmd_fleet_node.c     peers, status, diff
 *     cmd_fleet_mirror.c   mirror, rebuild
 */
#ifndef STI_CLI_CMD_FLEET_H
#define STI_CLI_CMD_FLEET_H

#ifdef STELE_HAVE_NATS
#include <stele/nats.h>
#endif

#include "cli/command.h"
#include "cli/login.h"

struct sti_fleet_args {
    struct sti_common common;
    bool follow;
    bool key_index;
    bool time_index;
    const char *stream;
    struct sti_login login;
    struct sti_number replicas;
    struct sti_number timeout;
};

/* The verbs. */
stele_code sti_fleet_peers(const struct sti_run *run, stele_error *err);
stele_code sti_fleet_status(const struct sti_run *run, stele_error *err);
stele_code sti_fleet_diff(const struct sti_run *run, stele_error *err);
stele_code sti_fleet_mirror(const struct sti_run *run, stele_error *err);
stele_code sti_fleet_rebuild(const struct sti_run *run, stele_error *err);

#endif /* STI_CLI_CMD_FLEET_H */
