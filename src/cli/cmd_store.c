/* SPDX-License-Identifier: MIT
 *
 * cmd_store.c: the verbs and options of the area `store`.
 */
#include "cli/cmd_store.h"

/* Entries of the table below, in its order. */
enum {
    OPT_PREFIX,
    OPT_LIMIT,
    OPT_KEYS_ONLY,
    OPT_REVERSE,
    OPT_ATOMIC,
    OPT_LOAD_BBOLT,
    OPT_DUMP_BBOLT,
    OPT_SHA256,
    OPT_IGNORE,
    OPT_NAMES_ONLY,
    OPT_ZSTD,
    OPT_CLEAR_STALE,
    OPT_DRY_RUN,
    OPT_LOCK_WAIT,
    OPT_JSON,
    OPT_HELP
};

#define SET(entry)   STI_SET(entry)
#define FIELD(field) offsetof(struct sti_store_args, field)

_Static_assert(FIELD(common) == 0, "entries of command.h name fields of the first member");

static const struct sti_option option_table[] = {
        [OPT_PREFIX] = {"prefix", 0, STI_OPT_FLAG, FIELD(prefix), NULL,
                "all keys that begin with START"},
        [OPT_LIMIT] = {"limit", 0, STI_OPT_NUMBER, FIELD(limit), "N",
                "stop after N keys; 0, the default, is all"},
        [OPT_KEYS_ONLY] = {"keys-only", 0, STI_OPT_FLAG, FIELD(keys_only), NULL, "no values"},
        [OPT_REVERSE] = {"rev", 0, STI_OPT_FLAG, FIELD(reverse), NULL,
                "from the last to the first"},
        [OPT_ATOMIC] = {"atomic", 0, STI_OPT_FLAG, FIELD(atomic), NULL,
                "all in one batch, or nothing; takes memory for it"},
        [OPT_LOAD_BBOLT] = {"bbolt", 0, STI_OPT_TEXT, FIELD(bbolt), "FILE",
                "load this file of bbolt's: etcd's member/snap/db,\n"
                "or what its snapshot save writes"},
        [OPT_DUMP_BBOLT] = {"bbolt", 0, STI_OPT_TEXT, FIELD(bbolt), "FILE",
                "write a file of bbolt's, which is not there yet"},
        [OPT_SHA256] = {"sha256", 0, STI_OPT_FLAG, FIELD(sha256), NULL,
                "with a SHA-256 behind it, as etcd's snapshots have"},
        [OPT_IGNORE] = {"ignore", 0, STI_OPT_TEXTS, FIELD(ignore), "BUCKET/KEY",
                "leave out this pair; may be given more than once"},
        [OPT_NAMES_ONLY] = {"names-only", 0, STI_OPT_FLAG, FIELD(names_only), NULL,
                "of the names of the buckets alone"},
        [OPT_ZSTD] = {"zstd", 0, STI_OPT_FLAG, FIELD(zstd), NULL, "compressed"},
        [OPT_CLEAR_STALE] = {"clear-stale", 0, STI_OPT_FLAG, FIELD(clear_stale), NULL,
                "clear those of dead processes first"},
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

#define FAULTS                                                                                   \
    "  {\"file\":\"...\",\"position\":n,\"bucket\":\"...\",\"key\":\"...\",\"error\":\"...\"}\n" \
    "                                               for each fault\n"                            \
    "  {\"ok\":bool,\"buckets\":n,\"keys\":n}"

static const struct sti_verb verb_table[] = {
        {
                .name = "put",
                .operands = "DIR BUCKET KEY [VALUE|-]",
                .summary = "put a key",
                .text = "Put a value under a key. Without VALUE, or with -, it is what standard input\n"
                        "has, byte for byte. The bucket is made if it is not there, and so is the store.",
                .output = "  {\"ok\":true}",
                .example = "  stele store put /tmp/conf lamps kitchen on",
                .options = WRITES,
                .operands_min = 3,
                .operands_max = 4,
                .run = sti_store_put_verb,
        },
        {
                .name = "get",
                .operands = "DIR BUCKET KEY",
                .summary = "print the value of a key",
                .text = "Print the value of a key, byte for byte (on a terminal with a newline behind it).\n"
                        "Exit code 1 if there is no such key or bucket.",
                .output = "  {\"bucket\":\"...\",\"key\":\"...\",\"value\":\"...\"}",
                .example = "  stele store get /tmp/conf lamps kitchen",
                .options = READS,
                .operands_min = 3,
                .operands_max = 3,
                .run = sti_store_get_verb,
        },
        {
                .name = "del",
                .operands = "DIR BUCKET KEY",
                .summary = "delete a key",
                .text = "Delete a key. One that is not there is passed over; a bucket that is not there\n"
                        "is not found.",
                .output = "  {\"ok\":true}",
                .example = "  stele store del /tmp/conf lamps kitchen --dry-run",
                .options = CHANGES,
                .operands_min = 3,
                .operands_max = 3,
                .run = sti_store_del_verb,
        },
        {
                .name = "range",
                .operands = "DIR BUCKET [START [END]]",
                .summary = "print the keys of a bucket, in their order",
                .text = "Print keys and values from START on, or from the first key, up to END, which\n"
                        "is not printed itself, or to the last key. With --prefix those that begin with\n"
                        "START. As text, keys and values that are not on one line, or not UTF-8, come as\n"
                        "b64:..., and can be given so as arguments.",
                .output = "  {\"key\":\"...\",\"value\":\"...\"}   value: null with --keys-only",
                .example = "  stele store range /tmp/conf lamps k --prefix -J",
                .options = READS | SET(OPT_PREFIX) | SET(OPT_LIMIT) | SET(OPT_KEYS_ONLY) |
                           SET(OPT_REVERSE),
                .operands_min = 2,
                .operands_max = 4,
                .run = sti_store_range_verb,
        },
        {
                .name = "buckets",
                .operands = "DIR",
                .summary = "list the buckets, with the number of their keys",
                .text = "List the buckets in the order of their names, with the number of their keys.",
                .output = "  {\"bucket\":\"...\",\"keys\":n}",
                .example = "  stele store buckets /tmp/conf",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_buckets_verb,
        },
        {
                .name = "load",
                .operands = "DIR",
                .summary = "put many keys, JSON lines from standard input",
                .text = "Put a key for each line of standard input, which is a JSON object also without\n"
                        "--json: {\"bucket\",\"key\",\"value\"}. A line with the bucket alone makes it. With\n"
                        "_b64 behind its name a field holds base64. Buckets are made where they are not\n"
                        "there, and so is the store; other keys stay. Of a bad line nothing is put, those\n"
                        "before it stay; with --atomic nothing is put at all. A bbolt file is verified\n"
                        "before anything of it is put.",
                .output = "  {\"ok\":true}",
                .example =
                        "  echo '{\"bucket\":\"lamps\",\"key\":\"kitchen\",\"value\":\"on\"}' | stele store load /tmp/conf",
                .options = WRITES | SET(OPT_ATOMIC) | SET(OPT_LOAD_BBOLT),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_load_verb,
        },
        {
                .name = "dump",
                .operands = "DIR",
                .summary = "print everything as JSON lines, or write a bbolt file",
                .text = "Print every key of every bucket as a JSON line that load takes, also without\n"
                        "--json. Of a bucket without keys there is a line with its name alone. With\n"
                        "--bbolt, write a file instead, which is read back and verified.",
                .output =
                        "  {\"bucket\":\"...\",\"key\":\"...\",\"value\":\"...\"}, or with --bbolt {\"ok\":true}",
                .example = "  stele store dump /tmp/conf | stele store load /tmp/copy",
                .options = READS | SET(OPT_DUMP_BBOLT) | SET(OPT_SHA256),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_dump_verb,
        },
        {
                .name = "hash",
                .operands = "DIR",
                .summary = "print a checksum over all buckets, keys and values",
                .text = "Print the CRC-32C over the names of all buckets, each followed by its keys and\n"
                        "values, all in their order: that of etcd's backend. Equal contents have equal\n"
                        "hashes.",
                .output = "  {\"hash\":\"8 hexadecimal digits\"}",
                .example = "  stele store hash /tmp/conf --ignore meta/consistent_index",
                .options = READS | SET(OPT_IGNORE) | SET(OPT_NAMES_ONLY),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_hash_verb,
        },
        {
                .name = "snapshot",
                .operands = "DIR FILE",
                .summary = "write a consistent copy into one file",
                .text = "Write what is committed into a file, which is not there yet, read it back and\n"
                        "verify it. Works beside a writer.",
                .output = "  {\"ok\":true}",
                .example = "  stele store snapshot /tmp/conf /tmp/conf.snap --zstd",
                .options = READS | SET(OPT_ZSTD),
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_store_snapshot_verb,
        },
        {
                .name = "restore",
                .operands = "DIR FILE",
                .summary = "make a store of a snapshot",
                .text = "Make a store of a snapshot, compressed or not; - is standard input. It is there\n"
                        "whole or not at all. A store that is there already is left alone: exit code 8.",
                .output = "  {\"ok\":true}",
                .example = "  stele store restore /tmp/copy /tmp/conf.snap",
                .options = WRITES,
                .operands_min = 2,
                .operands_max = 2,
                .run = sti_store_restore_verb,
        },
        {
                .name = "defrag",
                .operands = "DIR",
                .summary = "give the space that is not used back",
                .text = "Copy what is used into a new file, verify it, and put it in the place of the old\n"
                        "one. Prints the sizes before and after.",
                .output = "  {\"before\":bytes,\"after\":bytes}",
                .example = "  stele store defrag /tmp/conf --dry-run",
                .options = CHANGES,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_defrag_verb,
        },
        {
                .name = "stat",
                .operands = "DIR",
                .summary = "print how many buckets, keys and bytes there are",
                .text = "Print how many buckets and keys there are, the bytes of keys and values, the size\n"
                        "of the file and how much of it is in use, the generation of the file, and the\n"
                        "size of the log of durable batches.",
                .output = "  {\"buckets\":n,\"keys\":n,\"bytes\":n,\"size\":n,\"size_in_use\":n,\n"
                          "   \"generation\":n,\"wal_size\":n}",
                .example = "  stele store stat /tmp/conf",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_stat_verb,
        },
        {
                .name = "check",
                .operands = "DIR",
                .summary = "verify every page, key and value, and the log",
                .text = "Verify every page of the file, every key and value, the counts and hashes of all\n"
                        "buckets, and the log of durable batches. Takes no lock. Exit code 3 and a line\n"
                        "for each fault if there are any.",
                .output = FAULTS,
                .example = "  stele store check /tmp/conf",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_check_verb,
        },
        {
                .name = "scrub",
                .operands = "DIR",
                .summary = "verify every key and value",
                .text = "Read every key and value and compare its checksum, and the counts and hashes of\n"
                        "all buckets. Takes no lock, and less time than check.",
                .output = FAULTS,
                .example = "  stele store scrub /tmp/conf",
                .options = READS,
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_scrub_verb,
        },
        {
                .name = "readers",
                .operands = "DIR",
                .summary = "list reads of all processes that are open",
                .text = "List the reads of all processes that are open now, the oldest first, and how much\n"
                        "of the file they keep from being used again.",
                .output =
                        "  {\"pid\":n,\"age_ms\":n,\"pinned_bytes\":n}; with --clear-stale then {\"cleared\":n}",
                .example = "  stele store readers /tmp/conf --clear-stale",
                .options = READS | SET(OPT_CLEAR_STALE),
                .operands_min = 1,
                .operands_max = 1,
                .run = sti_store_readers_verb,
        },
};

const struct sti_area sti_area_store = {
        .name = "store",
        .summary = "Stores: ordered buckets of keys, with batches and consistent reads",
        .options = option_table,
        .option_count = OPTION_COUNT,
        .args_size = sizeof(struct sti_store_args),
        .verbs = verb_table,
        .verb_count = sizeof verb_table / sizeof verb_table[0],
};
