/* SPDX-License-Identifier: MIT
 *
 * cmd_docs.c: the verbs and options of the area `docs`.
 */
#include "cli/cmd_docs.h"

/* Entries of the table below, in its order. */
enum {
    OPT_IF_VERSION,
    OPT_PREFIX,
    OPT_START,
    OPT_LIMIT_KEY,
    OPT_COUNT,
    OPT_RANGE,
    OPT_SEARCH_PREFIX,
    OPT_KEY,
    OPT_REVERSE,
    OPT_AFTER,
    OPT_TOKEN,
    OPT_FROM,
    OPT_FOLLOW,
    OPT_ZSTD,
    OPT_WRITE_NO_MANIFEST,
    OPT_TAKE_NO_MANIFEST,
    OPT_MEND,
    OPT_ID,
    OPT_FLEET,
    OPT_NATS,
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
    OPT_DRY_RUN,
    OPT_LOCK_WAIT,
    OPT_JSON,
    OPT_HELP
};

#define SET(entry)   STI_SET(entry)
#define FIELD(field) offsetof(struct sti_docs_args, field)

_Static_assert(FIELD(common) == 0, "entries of command.h name fields of the first member");

static const struct sti_option option_table[] = {
        [OPT_IF_VERSION] = {"if-version", 0, STI_OPT_TEXT, FIELD(if_version), "V",
                "only if the document has this version, as log and\n"
                "history print it; 0.0.0: only if there is none"},
        [OPT_PREFIX] = {"prefix", 0, STI_OPT_DATA, FIELD(prefix), "P", "all IDs that begin with P"},
        [OPT_START] = {"start", 0, STI_OPT_DATA, FIELD(start), "S", "from the ID S on"},
        [OPT_LIMIT_KEY] = {"limit-key", 0, STI_OPT_DATA, FIELD(limit_key), "L",
                "up to the ID L, which is not printed itself"},
        [OPT_COUNT] = {"count", 'c', STI_OPT_COUNT, FIELD(count), "N", "stop after N documents"},
        [OPT_RANGE] = {"range", 0, STI_OPT_TEXT, FIELD(range), "FIELD=LO..HI",
                "and a field from LO to HI, both found; either may\n"
                "be left out"},
        [OPT_SEARCH_PREFIX] = {"prefix", 0, STI_OPT_TEXT, FIELD(search_prefix), "FIELD=TEXT",
                "and a field that begins with TEXT"},
        [OPT_KEY] = {"key", 0, STI_OPT_TEXT, FIELD(key), "NAME",
                "by this key of the type, instead of the best"},
        [OPT_REVERSE] = {"rev", 0, STI_OPT_FLAG, FIELD(reverse), NULL,
                "from the last to the first"},
        [OPT_AFTER] = {"after", 0, STI_OPT_TEXT, FIELD(after), "TOKEN",
                "go on behind the document with this token"},
        [OPT_TOKEN] = {"token", 0, STI_OPT_FLAG, FIELD(token), NULL,
                "print the token of each document, for --after"},
        [OPT_FROM] = {"from", 0, STI_OPT_TEXT, FIELD(from), "POSITION",
                "go on behind the change with this position"},
        [OPT_FOLLOW] = {"follow", 0, STI_OPT_FLAG, FIELD(follow), NULL,
                "wait for more changes; ended by SIGINT or SIGTERM"},
        [OPT_ZSTD] = {"zstd", 0, STI_OPT_LEVEL, FIELD(zstd), "[=LEVEL]",
                "compressed; the level is 3 if none is given"},
        [OPT_WRITE_NO_MANIFEST] = {"no-manifest", 0, STI_OPT_FLAG, FIELD(no_manifest), NULL,
                "without the hash at the end, as the reference does"},
        [OPT_TAKE_NO_MANIFEST] = {"no-manifest", 0, STI_OPT_FLAG, FIELD(no_manifest), NULL,
                "take one without a hash at its end, too, as the\n"
                "reference writes it"},
        [OPT_MEND] = {"mend", 0, STI_OPT_FLAG, FIELD(mend), NULL,
                "make anew what follows from documents and log"},
        [OPT_ID] = {"id", 0, STI_OPT_TEXT, FIELD(id), "NAME", "of this node, in its fleet"},
        [OPT_FLEET] = {"fleet", 0, STI_OPT_TEXT, FIELD(fleet), "NAME", "of the fleet"},
        [OPT_NATS] = {"nats", 0, STI_OPT_TEXT, FIELD(login.url), "URL",
                "the server of NATS, or several with commas; without\n"
                "it the node is by itself"},
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
        [OPT_DRY_RUN] = STI_OPTION_DRY_RUN,
        [OPT_LOCK_WAIT] = STI_OPTION_LOCK_WAIT,
        [OPT_JSON] = STI_OPTION_JSON,
        [OPT_HELP] = STI_OPTION_HELP,
};

enum {
    OPTION_COUNT = sizeof option_table / sizeof option_table[0]
};

#define READS   (SET(OPT_JSON) | SET(OPT_HELP))
#define WRITES  (READS | SET(OPT_LOCK_WAIT))
#define CHANGES (WRITES | SET(OPT_DRY_RUN))

#define LOGIN                                                                              \
    (SET(OPT_NATS) | SET(OPT_CREDS) | SET(OPT_NKEY) | SET(OPT_NKEY_SEED) | SET(OPT_USER) | \
            SET(OPT_PASSWORD_FILE) | SET(OPT_TLS) | SET(OPT_TLS_CA) | SET(OPT_TLS_CERT) |  \
            SET(OPT_TLS_KEY) | SET(OPT_TLS_NAME) | SET(OPT_TLS_OLD_LIBNATS))

#define OK        "  {\"ok\":true}"
#define DOCUMENTS "  {\"id\":\"...\",\"doc\":{...}}"

static const struct sti_verb verb_table[] = {
        {
                .name = "set",
                .operands = "DB ID [JSON|-]",
                .summary = "set a document",
                .text = "Set a document, in place of the one before. Without JSON, or with -, it is what\n"
                        "standard input has: a JSON object, kept byte for byte. Its member \"@type\" says of\n"
                        "which type it is. The database is made if it is not there. Exit code 7 if another\n"
                        "document owns one of its unique keys, or with --if-version.",
                .output = OK,
                .example =
                        "  stele docs set /tmp/home lamp1 '{\"@type\":\"lamp\",\"room\":\"Kitchen\"}'",
                .options = WRITES | SET(OPT_IF_VERSION),
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 2,
                .operands_max = 3,
                .run = sti_docs_set_verb,
        },
        {
                .name = "get",
                .operands = "DB ID",
                .summary = "print a document",
                .text = "Print a document, byte for byte as it was set (on a terminal with a newline behind\n"
                        "it). Exit code 1 if there is none.",
                .output = "  {\"id\":\"...\",\"doc\":{...}}   doc_b64 if it is no JSON here",
                .example = "  stele docs get /tmp/home lamp1",
                .options = READS,
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_docs_get_verb,
        },
        {
                .name = "del",
                .operands = "DB ID",
                .summary = "delete a document",
                .text = "Delete a document. Exit code 1 if there is none, and nothing is logged.",
                .output = OK,
                .example = "  stele docs del /tmp/home lamp1 --dry-run",
                .options = CHANGES | SET(OPT_IF_VERSION),
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_docs_del_verb,
        },
        {
                .name = "has",
                .operands = "DB ID",
                .summary = "tell whether there is a document",
                .text = "Tell whether there is a document. Exit code 1 if there is none.",
                .output = "  {\"has\":bool}",
                .example = "  stele docs has /tmp/home lamp1",
                .options = READS,
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_docs_has_verb,
        },
        {
                .name = "patch",
                .operands = "DB ID [JSON|-]",
                .summary = "change members of a document",
                .text = "Change a document by a merge patch (RFC 7396), a JSON object: each of its members\n"
                        "is set or, where it is null, removed. The document is written anew, without white\n"
                        "space. Without JSON, or with -, the patch is what standard input has.",
                .output = OK,
                .example =
                        "  stele docs patch /tmp/home lamp1 '{\"room\":\"Bath\",\"broken\":null}'",
                .options = CHANGES | SET(OPT_IF_VERSION),
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 2,
                .operands_max = 3,
                .run = sti_docs_patch_verb,
        },
        {
                .name = "list",
                .operands = "DB",
                .summary = "print documents in the order of their IDs",
                .text = "Print all documents in the order of their IDs, those with a prefix, or those\n"
                        "between two IDs.",
                .output = DOCUMENTS,
                .example = "  stele docs list /tmp/home --prefix lamp -c 10",
                .options = READS | SET(OPT_PREFIX) | SET(OPT_START) | SET(OPT_LIMIT_KEY) |
                           SET(OPT_COUNT) | SET(OPT_REVERSE),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_list_verb,
        },
        {
                .name = "search",
                .operands = "DB TYPE [FIELD=VALUE...]",
                .summary = "print documents by the keys of their type",
                .text = "Print the documents of a type that have these values in these fields, in the order\n"
                        "of the key: the fields are all those of a key of the type, or its first ones, in\n"
                        "any order. VALUE is JSON if it can be read as JSON, and else a string. With a\n"
                        "range or a prefix of the key's next field. Without any, all of the type.",
                .output = "  {\"id\":\"...\",\"doc\":{...}}   and \"token\":\"...\" with --token",
                .example = "  stele docs search /tmp/home lamp room=kitchen --range watts=40..",
                .options = READS | SET(OPT_RANGE) | SET(OPT_SEARCH_PREFIX) | SET(OPT_KEY) |
                           SET(OPT_REVERSE) | SET(OPT_COUNT) | SET(OPT_AFTER) | SET(OPT_TOKEN),
                .operands_min = 2,
                .operands_max = SIZE_MAX,
                .run = sti_docs_search_verb,
        },
        {
                .name = "type",
                .operands = "add DB FILE | list DB",
                .summary = "register a type, or list those that are",
                .text = "add: register the type that a file defines (- is standard input), by whose keys\n"
                        "its documents are found; those that are there already are indexed. list: print\n"
                        "the definitions.\n"
                        "\n"
                        "  {\"name\":\"lamp\",\"keys\":[{\"name\":\"no\",\"fields\":[\"no\"],\"method\":\"number\",\n"
                        "   \"unique\":true},{\"name\":\"room\",\"fields\":[\"room\"],\"method\":\"utf8\"}],\"version\":1}\n"
                        "\n"
                        "Methods: binary, utf8 (case, width and accents do not count), number, time.",
                .output = "  add: {\"ok\":true}; list: the definitions",
                .example = "  stele docs type add /tmp/home lamp.json",
                .options = WRITES,
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 2,
                .operands_max = 3,
                .run = sti_docs_type_verb,
        },
        {
                .name = "load",
                .operands = "DB",
                .summary = "set many documents, JSON lines from standard input",
                .text = "Set a document for each line of standard input, which is a JSON object also\n"
                        "without --json: {\"id\",\"doc\"}. With _b64 behind its name a field holds base64. The\n"
                        "database is made if it is not there; other documents stay. Of a bad line nothing\n"
                        "is set, those before it stay.",
                .output = OK,
                .example = "  stele docs dump /tmp/home | stele docs load /tmp/copy",
                .options = WRITES,
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_load_verb,
        },
        {
                .name = "dump",
                .operands = "DB",
                .summary = "print all documents as JSON lines",
                .text = "Print every document as a JSON line that load takes, also without --json. Types,\n"
                        "log and versions are not in it: backup has them.",
                .output = DOCUMENTS,
                .example = "  stele docs dump /tmp/home >home.jsonl",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_dump_verb,
        },
        {
                .name = "backup",
                .operands = "DB FILE",
                .summary = "write types, log and documents into a file",
                .text = "Write everything into a file, which is not there yet, with a hash at its end, and\n"
                        "read it back. Works beside a writer.",
                .output = OK,
                .example = "  stele docs backup /tmp/home /tmp/home.cdbk --zstd",
                .options = READS | SET(OPT_ZSTD) | SET(OPT_WRITE_NO_MANIFEST),
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_docs_backup_verb,
        },
        {
                .name = "verify-backup",
                .operands = "FILE",
                .summary = "verify a backup",
                .text = "Look through a backup; - is standard input. Each entry is what it says, the\n"
                        "checkpoints add up to the log, documents have versions, and the hash is that of\n"
                        "all of it. Exit code 3 if not.",
                .output = "  {\"ok\":true,\"documents\":n,\"entries\":n}",
                .example = "  stele docs verify-backup /tmp/home.cdbk",
                .options = READS | SET(OPT_TAKE_NO_MANIFEST),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_verify_backup_verb,
        },
        {
                .name = "restore",
                .operands = "DB FILE",
                .summary = "make a database of a backup",
                .text = "Make a database of a backup; - is standard input. All of it is verified before\n"
                        "anything is to be seen; exit code 3 and nothing restored if it is damaged. Exit\n"
                        "code 8 if the database ever had a document.",
                .output = OK,
                .example = "  stele docs restore /tmp/copy /tmp/home.cdbk",
                .options = CHANGES | SET(OPT_TAKE_NO_MANIFEST),
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_docs_restore_verb,
        },
        {
                .name = "validate",
                .operands = "DB",
                .summary = "compare documents, versions, keys and log",
                .text = "Compare everything with everything: documents, versions, keys, log, checkpoints.\n"
                        "Exit code 3 and a line for each fault if there are any. With --mend, which takes\n"
                        "the lock, keys, claims and checkpoints are made anew then, as reindex does, and\n"
                        "the faults that are left count.",
                .output = "  {\"id\":\"...\",\"error\":\"...\"}   for each fault\n"
                          "  {\"checked\":n,\"mended\":n,\"faults\":n}",
                .example = "  stele docs validate /tmp/home",
                .options = CHANGES | SET(OPT_MEND),
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_validate_verb,
        },
        {
                .name = "reindex",
                .operands = "DB",
                .summary = "make keys, claims and checkpoints anew",
                .text = "Make anew all that follows from documents and log.",
                .output = "  {\"documents\":n}",
                .example = "  stele docs reindex /tmp/home",
                .options = CHANGES,
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_reindex_verb,
        },
        {
                .name = "conflicts",
                .operands = "DB",
                .summary = "list unique keys that several documents claim",
                .text = "List the unique keys that several documents claim: such as had them before their\n"
                        "type was registered. The owner is found by it, the losers are not.",
                .output =
                        "  {\"type\":\"...\",\"key\":\"...\",\"owner\":\"...\",\"losers\":[\"...\"]}",
                .example = "  stele docs conflicts /tmp/home",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_conflicts_verb,
        },
        {
                .name = "history",
                .operands = "DB ID",
                .summary = "print what a document was",
                .text = "Print all that a document was, the oldest first, as far as the log goes. Exit code\n"
                        "1 if there never was one.",
                .output =
                        "  {\"version\":\"...\",\"id\":\"...\",\"op\":\"set\"|\"delete\",\"doc\":{...}|null}",
                .example = "  stele docs history /tmp/home lamp1",
                .options = READS,
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_docs_history_verb,
        },
        {
                .name = "feed",
                .operands = "DB",
                .summary = "print changes, and wait for more",
                .text = "Print all changes in the order in which they came here, each with its position,\n"
                        "from which a later call goes on. With --follow it waits for more, which are printed at\n"
                        "once; works beside a writer.",
                .output =
                        "  {\"position\":N,\"version\":\"...\",\"id\":\"...\",\"op\":\"set\"|\"delete\",\n"
                        "   \"doc\":{...}|null}",
                .example = "  stele docs feed /tmp/home --follow -J",
                .options = READS | SET(OPT_FROM) | SET(OPT_FOLLOW),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_feed_verb,
        },
        {
                .name = "log",
                .operands = "DB",
                .summary = "print the log of changes",
                .text = "Print the log of changes in the order of their versions.",
                .output = "  {\"version\":\"...\",\"id\":\"...\",\"op\":\"set\"|\"delete\"}",
                .example = "  stele docs log /tmp/home",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_log_verb,
        },
        {
                .name = "checkpoints",
                .operands = "DB",
                .summary = "print the checkpoints of the log, a day each",
                .text = "Print the days of the log that have entries: the number of the day after since\n"
                        "1970, how many entries there are, and the sum of their hashes.",
                .output = "  {\"epoch\":n,\"count\":n,\"sum\":\"64 hexadecimal digits\"}",
                .example = "  stele docs checkpoints /tmp/home",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_checkpoints_verb,
        },
        {
                .name = "stat",
                .operands = "DB",
                .summary = "print how many documents, keys and bytes there are",
                .text = "Print how many documents there are, how many were deleted and are still known, how\n"
                        "many types, entries of the log, keys and conflicts, the size of the file and how\n"
                        "much of it is in use, and the size of the log of durable changes.",
                .output = "  {\"documents\":n,\"deleted\":n,\"types\":n,\"entries\":n,\"keys\":n,\n"
                          "   \"conflicts\":n,\"unreadable\":n,\"ending\":n,\n"
                          "   \"state\":\"initialising\"|\"reindexing\"|\"ready\",\"position\":n,\n"
                          "   \"size\":n,\"size_in_use\":n,\"wal_size\":n}",
                .example = "  stele docs stat /tmp/home",
                .options = READS,
                .elsewhere = sti_docs_elsewhere,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_stat_verb,
        },
        {
                .name = "serve",
                .operands = "DB",
                .summary = "keep a node of a fleet running",
                .text = "Keep the database in step with those of the fleet, until SIGINT or SIGTERM, which\n"
                        "end it with 0. Prints a line when it is ready, also with no peer there. The\n"
                        "database is made if it is not there. Other verbs work meanwhile: those that\n"
                        "change something are run by this process, which they reach over a socket in the\n"
                        "database's directory, and the others see all that was changed before.",
                .output = "  {\"ready\":true,\"socket\":\"...\"}   always as JSON",
                .example =
                        "  stele docs serve /tmp/home --id kitchen --fleet home --nats nats://10.0.0.1",
                .options = WRITES | SET(OPT_ID) | SET(OPT_FLEET) | LOGIN,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_docs_serve_verb,
        },
};

const struct sti_area sti_area_docs = {
        .name = "docs",
        .summary = "Databases of JSON documents, found by the keys of their types",
        .options = option_table,
        .option_count = OPTION_COUNT,
        .args_size = sizeof(struct sti_docs_args),
        .verbs = verb_table,
        .verb_count = sizeof verb_table / sizeof verb_table[0],
};
