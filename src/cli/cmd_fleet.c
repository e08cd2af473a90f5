/* SPDX-License-Identifier: MIT
 *
 * cmd_fleet.c: the verbs and options of the area `fleet`.
 */
#include "cli/cmd_fleet.h"

#include "cli/cmd_docs.h"

/* Entries of the table below, in its order. */
enum {
    OPT_URL,
    OPT_STREAM,
    OPT_FOLLOW,
    OPT_CREDS,
    OPT_NKEY,
    OPT_NKEY_SEED,
    OPT_USER,
    OPT_PASSWORD_FILE,
    OPT_TLS,
    OPT_TLS_CA,
    OPT_TLS_CERT,
    OPT_TLS_KEY,
    OPT_TLS_NAME,
    OPT_TLS_OLD_LIBNATS,
    OPT_REPLICAS,
    OPT_TIMEOUT,
    OPT_KEY_INDEX,
    OPT_TIME_INDEX,
    OPT_LOCK_WAIT,
    OPT_JSON,
    OPT_HELP
};

#define SET(entry)   STI_SET(entry)
#define FIELD(field) offsetof(struct sti_fleet_args, field)

_Static_assert(FIELD(common) == 0, "entries of command.h name fields of the first member");

static const struct sti_option option_table[] = {
        [OPT_URL] = {"nats", 0, STI_OPT_TEXT, FIELD(login.url), "URL",
                "the server, or several with commas\n(nats://127.0.0.1:4222)"},
        [OPT_STREAM] = {"stream", 0, STI_OPT_TEXT, FIELD(stream), "NAME",
                "the stream of JetStream: A-Z, a-z, 0-9, _ and -"},
        [OPT_FOLLOW] = {"follow", 0, STI_OPT_FLAG, FIELD(follow), NULL,
                "wait for more; SIGINT and SIGTERM end it with 0"},
        [OPT_CREDS] = STI_OPTION_CREDS(FIELD(login)),
        [OPT_NKEY] = STI_OPTION_NKEY(FIELD(login)),
        [OPT_NKEY_SEED] = STI_OPTION_NKEY_SEED(FIELD(login)),
        [OPT_USER] = STI_OPTION_USER(FIELD(login)),
        [OPT_PASSWORD_FILE] = STI_OPTION_PASSWORD_FILE(FIELD(login)),
        [OPT_TLS] = STI_OPTION_TLS(FIELD(login)),
        [OPT_TLS_CA] = STI_OPTION_TLS_CA(FIELD(login)),
        [OPT_TLS_CERT] = STI_OPTION_TLS_CERT(FIELD(login)),
        [OPT_TLS_KEY] = STI_OPTION_TLS_KEY(FIELD(login)),
        [OPT_TLS_NAME] = STI_OPTION_TLS_NAME(FIELD(login)),
        [OPT_TLS_OLD_LIBNATS] = STI_OPTION_TLS_OLD_LIBNATS(FIELD(login)),
        [OPT_REPLICAS] = {"replicas", 0, STI_OPT_COUNT, FIELD(replicas), "N",
                "of a stream of JetStream that is made (1)"},
        [OPT_TIMEOUT] = {"timeout", 0, STI_OPT_DUR, FIELD(timeout), "DUR",
                "give up after so long without progress (30s)"},
        [OPT_KEY_INDEX] = {"key-index", 0, STI_OPT_FLAG, FIELD(key_index), NULL,
                "the stream finds keys; needed when it is created"},
        [OPT_TIME_INDEX] = {"time-index", 0, STI_OPT_FLAG, FIELD(time_index), NULL,
                "the stream finds times; likewise"},
        [OPT_LOCK_WAIT] = STI_OPTION_LOCK_WAIT,
        [OPT_JSON] = STI_OPTION_JSON,
        [OPT_HELP] = STI_OPTION_HELP,
};

#ifdef STELE_HAVE_NATS
#define SERVER                                                                                    \
    (SET(OPT_URL) | SET(OPT_STREAM) | SET(OPT_CREDS) | SET(OPT_NKEY) | SET(OPT_NKEY_SEED) |       \
            SET(OPT_USER) | SET(OPT_PASSWORD_FILE) | SET(OPT_TLS) | SET(OPT_TLS_CA) |             \
            SET(OPT_TLS_CERT) | SET(OPT_TLS_KEY) | SET(OPT_TLS_NAME) | SET(OPT_TLS_OLD_LIBNATS) | \
            SET(OPT_TIMEOUT) | SET(OPT_JSON) | SET(OPT_HELP))
#endif

#define NODE_PARTS "{\"peer\",\"online\",\"in_step\",\"rate\",\"protocol\"}"

static const struct sti_verb verb_table[] = {
        {
                .name = "peers",
                .operands = "DB",
                .summary = "the peers of a node that runs",
                .text = "List the peers of a node, which `stele docs serve` runs: whether each is online,\n"
                        "whether it had the same when it was heard of last, how much of what it has is\n"
                        "here, in thousandths, and which protocol it speaks (v1 is that of clouddb).",
                .output = "  " NODE_PARTS,
                .example = "  stele fleet peers /tmp/home",
                .options = SET(OPT_JSON) | SET(OPT_HELP),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_fleet_peers,
                .elsewhere = sti_docs_elsewhere,
        },
        {
                .name = "status",
                .operands = "DB",
                .summary = "how a node that runs is",
                .text = "Print the state of a node and what it has counted since it began.",
                .output =
                        "  {\"state\":\"ready\"|\"syncing\"|\"initialising\",\"server\",\"peers\",\"online\",\n"
                        "   \"sessions\",\"sessions_failed\",\"fetched\",\"given\",\"stored\",\"known\",\n"
                        "   \"quarantined\",\"stale\",\"refused\",\"bad_packets\",\"dropped\",\"gaps\",\n"
                        "   \"snapshots\",\"conflicts\",\"damaged\",\"lost\"}",
                .example = "  stele fleet status /tmp/home",
                .options = SET(OPT_JSON) | SET(OPT_HELP),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_fleet_status,
                .elsewhere = sti_docs_elsewhere,
        },
        {
                .name = "diff",
                .operands = "DB",
                .summary = "peers that have something else",
                .text = "List the peers that are online and were not the same when they were heard of last.\n"
                        "Exit code 1 if there are any.",
                .output = "  " NODE_PARTS,
                .example = "  stele fleet diff /tmp/home",
                .options = SET(OPT_JSON) | SET(OPT_HELP),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_fleet_diff,
                .elsewhere = sti_docs_elsewhere,
        },
#ifdef STELE_HAVE_NATS
        {
                .name = "mirror",
                .operands = "DIR",
                .summary = "send a stream to JetStream, each message once",
                .text = "Send the messages that the stream of JetStream lacks, in their order and each\n"
                        "once, whoever is killed meanwhile; the stream of JetStream is made if it is\n"
                        "missing. Works beside a process that writes, and ends when level.\n"
                        "\n"
                        "A mirror is never the only copy: a server acknowledges before it syncs, so a\n"
                        "power cut may cost it messages. They are sent again as long as the log has\n"
                        "them: do not trim it because it is mirrored.",
                .output = "  {\"first\":offset,\"last\":offset,\"sent\":n}",
                .example = "  stele fleet mirror /tmp/log --stream LOG --follow",
                .options = SERVER | SET(OPT_FOLLOW) | SET(OPT_REPLICAS) | SET(OPT_KEY_INDEX) |
                           SET(OPT_TIME_INDEX),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_fleet_mirror,
        },
        {
                .name = "rebuild",
                .operands = "DIR",
                .summary = "make a stream again from its mirror",
                .text = "Publish to the stream, which is created if it is missing, what it lacks of its\n"
                        "mirror in JetStream, at the same offsets and times. One that was made in part\n"
                        "is completed.",
                .output = "  {\"first\":offset,\"last\":offset,\"received\":n}",
                .example = "  stele fleet rebuild /tmp/copy --stream LOG --key-index",
                .options = SERVER | SET(OPT_LOCK_WAIT) | SET(OPT_KEY_INDEX) | SET(OPT_TIME_INDEX),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_fleet_rebuild,
        },
#endif
};

const struct sti_area sti_area_fleet = {
        .name = "fleet",
        .summary = "Documents that agree between machines; streams mirrored to JetStream",
        .options = option_table,
        .option_count = sizeof option_table / sizeof option_table[0],
        .args_size = sizeof(struct sti_fleet_args),
        .verbs = verb_table,
        .verb_count = sizeof verb_table / sizeof verb_table[0],
};
