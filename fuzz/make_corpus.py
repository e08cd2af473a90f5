#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_corpus.py: the seeds of most targets, most made from files of the references.

Writes corpus/{stream_log,stream_index,stream_open,json_lines,wal_frame,wal_open,journal_op,journal_open,bbolt,
store_record,store_snapshot}/seed_* and corpus/docs_{entry,checkpoint,type,backup,path,order,search,core}/seed_*, one of
which the command zstd makes, and corpus/fleet_{packet,recon}/seed_*:
the formats are those that the targets describe at their top. The files of
tests/vectors/klevdb are taken from their beginning, as many messages as keep a
seed small; those of tests/vectors/blb, tests/golden/wal and tests/golden/journal without
the zeros at their end, and those of tests/golden/bbolt without the pages that are not used.
"""
import hashlib
import json
import pathlib
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
LOGS = HERE.parent / "tests" / "vectors" / "klevdb"
BLB = HERE.parent / "tests" / "vectors" / "blb"
GOLDEN = HERE.parent / "tests" / "golden" / "wal"
BBOLT = HERE.parent / "tests" / "golden" / "bbolt"
STORE = HERE.parent / "tests" / "golden" / "store"
LIMIT = 2100
BBOLT_LIMIT = 12000


def write(target, name, data):
    path = HERE / "corpus" / target / f"seed_{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def parameters(path):
    return 0 if any(part.endswith("_none") for part in path.parts) else 3


def segments(directory):
    return sorted(log for log in directory.glob("*.log") if log.stem.isdigit())


def cut(log):
    """Log and index, both up to the last message that ends within LIMIT."""
    index = log.with_suffix(".index")
    data = log.read_bytes()
    items = index.read_bytes() if index.exists() else b""
    if len(data) <= LIMIT:
        return data, items[:LIMIT]
    start = 8 if data[0] == 0xFF else 0
    size = 32 if parameters(log) else 16
    end = keep = 0
    for at in range(start, len(items) - size + 1, size):
        position = struct.unpack_from(">Q", items, at + 8)[0]
        if position > LIMIT:
            break
        end, keep = position, at
    return data[:end], items[:keep]


def log_seed(name, log):
    write("stream_log", name, bytes([parameters(log)]) + cut(log)[0])


def index_seed(name, log):
    data, index = cut(log)
    head = struct.pack("<BHH", parameters(log), len(data), len(index))
    write("stream_index", name, head + data + index)


def one_file(kind, base, data):
    return struct.pack("<BHH", kind, base, len(data)) + data


def open_seed(name, options, logs):
    data = bytes([options])
    for log in logs[:3]:
        base = int(log.stem)
        if base < 1 << 16:
            for kind, part in zip((0, 2), cut(log)):
                data += one_file(kind, base, part)
    write("stream_open", name, data)


# ---- Write-ahead logs. Kinds of files, as fuzz_wal_open.c has them. ----

WAL_SEGMENT, WAL_BLB, WAL_MANIFEST, WAL_FULL, WAL_REPAIR = 0, 2, 4, 0x40, 0x80


def wal_file(path, repair):
    """One file of a seed, and the bit that gives a segment its zeros back."""
    data = path.read_bytes()
    if path.name == "wal.manifest":
        count = struct.unpack_from("<I", data, 24)[0]
        kind, number, data = WAL_MANIFEST | WAL_FULL, 0, data[: 32 + 40 * count]
    elif path.suffix == ".wal":
        kind, number, data = WAL_SEGMENT | WAL_FULL, int(path.stem), data.rstrip(b"\0")
    elif path.suffix == ".log":
        kind, number = WAL_BLB, int(path.stem[4:])
        if len(data) > LIMIT + 1000:
            kind, data = kind | WAL_FULL, data.rstrip(b"\0")
    else:
        return b""
    return struct.pack("<BBH", kind | (WAL_REPAIR if repair else 0), number, len(data)) + data


def wal_open_seed(name, options, files, repair=False):
    write("wal_open", name, bytes([options]) + b"".join(wal_file(f, repair) for f in files[-8:]))


def wal_frame_seeds(folder):
    for path in sorted(folder.iterdir()):
        data = path.read_bytes().rstrip(b"\0")
        name = f"{folder.name}_{path.stem}"
        if path.name == "wal.manifest":
            write("wal_frame", name, bytes([WAL_REPAIR | 4, 0]) + data[: LIMIT // 4])
        elif path.suffix == ".wal" and len(data) > 56:
            write("wal_frame", name + "_header", bytes([0, 0]) + data[:32])
            write("wal_frame", name + "_frame", bytes([WAL_REPAIR | 1, 0]) + data[32:600])


def wal_seeds():
    for number, directory in enumerate(sorted((BLB / "variants").iterdir())):
        own = {f.name: f for f in directory.iterdir() if f.suffix == ".log"}
        base = {f.name: f for f in (BLB / "base").iterdir() if directory.name != "missing_last_file" or "4." not in f.name}
        files = [f for _, f in sorted({**base, **own}.items())]
        wal_open_seed(f"blb_{directory.name}", (number * 37) & 0xFF, files[-3:], number % 2 == 1)
    for number, directory in enumerate(sorted(GOLDEN.iterdir())):
        if directory.is_dir() and directory.name != "manifests":
            wal_open_seed(directory.name, number & 3, sorted(directory.iterdir()))
            wal_open_seed(f"{directory.name}_cut", 4 + 8 + 16 * number & 0xFF, sorted(directory.iterdir()), True)
            wal_frame_seeds(directory)
    for name, at in (("generation", 8), ("next_number", 16)):
        slot = bytearray((GOLDEN / "manifests" / "none").read_bytes())
        slot[at : at + 8] = b"\xff" * 8
        head = struct.pack("<BBBH", 0, WAL_MANIFEST | WAL_FULL | WAL_REPAIR, 0, len(slot))
        write("wal_open", f"{name}_max", head + bytes(slot))
    for path in sorted((GOLDEN / "manifests").iterdir()):
        write("wal_frame", f"manifest_{path.name}", bytes([WAL_REPAIR | 4, 0]) + path.read_bytes())
    record = (BLB / "base" / "wal-0000000000.log").read_bytes()
    write("wal_frame", "blb", bytes([WAL_REPAIR | 2, 0]) + record[:17])


# ---- Journals. Kinds of files, as fuzz_journal_open.c has them. ----

JOURNAL = HERE.parent / "tests" / "golden" / "journal"
JOURNAL_LOG, JOURNAL_SNAP = 0, 3


def journal_file(path, number, extra, cut=0):
    data = path.read_bytes().rstrip(b"\0")
    data = data[: len(data) - cut]
    kind = JOURNAL_SNAP if path.suffix == ".snap" else JOURNAL_LOG
    return struct.pack("<BBH", kind | extra, number, len(data)) + data


def journal_seeds():
    for folder in sorted(f for f in JOURNAL.iterdir() if f.is_dir()):
        files = sorted(folder.iterdir(), key=lambda f: int(f.stem))
        numbers = range(1, len(files) + 1)
        whole = b"".join(journal_file(f, n, WAL_REPAIR | WAL_FULL if f.suffix == ".log" else WAL_REPAIR) for f, n in zip(files, numbers))
        write("journal_open", folder.name, b"\0" + whole)
        write("journal_open", f"{folder.name}_read", b"\1" + whole)
        for f, n in zip(files, numbers):
            rest = b"".join(journal_file(g, m, WAL_REPAIR) for g, m in zip(files, numbers) if m != n)
            write("journal_open", f"{folder.name}_without_{f.stem}", b"\0" + rest)
            write("journal_open", f"{folder.name}_cut_{f.stem}", b"\1" + rest + journal_file(f, n, WAL_REPAIR, 9))
    at, number = 32, 0
    data = (JOURNAL / "logs" / "1000.log").read_bytes()
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 4)[0] & 0x3FFFFFFF
        if size < 300 and data[at + 7] >> 6 == 0:
            write("journal_op", f"{number}", data[at + 24 : at + 24 + size])
        at, number = at + 24 + size, number + 1
    data = (JOURNAL / "merged" / "2001.snap").read_bytes()
    write("journal_op", "end", data[-26:])
def bbolt_seeds():
    for path in sorted(BBOLT.glob("*.db")):
        data = path.read_bytes()
        (page_size,) = struct.unpack_from("<I", data, 24)
        ends = [struct.unpack_from("<Q", data, at + 56)[0] for at in (0, page_size)]
        if len(data) % 512 == 0:
            data = data[: max(ends) * page_size]
        if len(data) <= BBOLT_LIMIT:
            write("bbolt", path.stem, bytes([3]) + data)
            write("bbolt", f"{path.stem}_as_is", bytes([0]) + data)
            write("bbolt", f"{path.stem}_second", bytes([2]) + bytes(80) + data[80:])


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def store_snapshot(buckets):
    """A snapshot as src/store/snapshot_format.h has it, of a dict of dicts."""
    data, hashed, keys, size = b"stelesnp" + struct.pack("<I", 1), b"", 0, 0

    def sealed(data):
        return data + struct.pack("<I", crc32c(data))

    for name, pairs in sorted(buckets.items()):
        length = sum(len(k) + len(v) for k, v in pairs.items())
        data = sealed(data + b"b" + bytes([len(name)]) + name + struct.pack("<QQ", len(pairs), length))
        hashed += name
        for key, value in sorted(pairs.items()):
            data = sealed(data + b"p" + struct.pack("<II", len(key), len(value))) + key + value
            hashed += key + value
        keys, size = keys + len(pairs), size + length
    return sealed(data + b"e" + struct.pack("<QQQI", len(buckets), keys, size, crc32c(hashed)))


def store_record(writes):
    data = b"\x01\x00"
    for kind, seq, bucket, key, value in writes:
        data += struct.pack("<BQIII", kind, seq, bucket, len(key), len(value)) + key + value
    return data


def store_seeds():
    snapshots = {
        "none": {},
        "empty": {b"bucket": {}},
        "some": {b"a": {b"": b"", b"k": b"v" * 40, b"kk": b""}, b"b": {}, b"c" * 255: {b"x" * 700: b"y"}},
    }
    for name, buckets in snapshots.items():
        for which in range(3):
            write("store_snapshot", f"{name}_{which}", bytes([which, 16 * which + 6]) + store_snapshot(buckets))
    write("store_snapshot", "packed", bytes([3, 255]) + (STORE / "snapshot.zst").read_bytes())
    records = {
        "none": [],
        "puts": [(0, 5, 0, b"name", struct.pack("<I", 7)), (0, 5, 7, b"key", b"value"), (1, 6, 7, b"key", b"")],
        "drop": [(2, 9, 7, b"", b""), (1, 9, 0, b"name", b"")],
    }
    for name, writes in records.items():
        for which in range(2):
            write("store_record", f"{name}_{which}", bytes([which]) + store_record(writes))


# ---- Documents, as the reference wrote them. ----

CLOUDDB = HERE.parent / "tests" / "vectors" / "clouddb"
DOCS_REPAIR = 2
SOME_HASHES = bytes(range(64)) + b"\xff" * 32


def varint(number):
    number = number << 1 if number >= 0 else -number * 2 - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def backup_pairs(data):
    at, pairs = 8, []

    def length():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)

    while (size := length()) >= 0:
        key = data[at : at + size]
        at += size
        size = length()
        pairs.append((key, data[at : at + size]))
        at += size
    return pairs


def backup(pairs, manifest):
    data = b"CDBK" + bytes(4)
    data += b"".join(varint(len(k)) + k + varint(len(v)) + v for k, v in pairs) + varint(-1)
    if manifest:
        data += struct.pack(">4sIQQ", b"STBK", 0, len(pairs), len(data))
        data += hashlib.sha256(data).digest()
    return data


def docs_seeds():
    for number, line in enumerate((CLOUDDB / "log_entries.jsonl").read_text().splitlines()):
        entry = json.loads(line)
        write("docs_entry", f"{number}", b"\0" + bytes.fromhex(entry["bytes"]))
        write("docs_entry", f"{number}_key", b"\1" + bytes.fromhex(entry["storage_key"])[3:])
    version = struct.pack(">QII", 5, 1, 2)
    write("docs_entry", "info", b"\2" + version)
    write("docs_entry", "info_deleted", b"\2" + version + b"\1")
    write("docs_entry", "info_claims", b"\2" + version + b"\2\0\1k" + version + b"\0\2kk" + version)
    write("docs_entry", "text", b"\3" + b"2026-11-26T04:58:00.123456789Z/7")
    write("docs_entry", "text_far", b"\3" + b"292277026596-12-04T15:30:07.999999999Z/4294967295")
    write("docs_entry", "text_bytes", b"\3" + version)
    for number, line in enumerate((CLOUDDB / "checkpoints.jsonl").read_text().splitlines()):
        write("docs_checkpoint", f"{number}", b"\0" + bytes.fromhex(json.loads(line)["bytes"]) + SOME_HASHES)
    write("docs_checkpoint", "empty", b"\0" + struct.pack(">IQQQ", 0, 1, 0, 0) + bytes(32) + SOME_HASHES)
    write("docs_checkpoint", "aggregate", b"\1" + b"\xff" * 32 + struct.pack(">Q", 3) + SOME_HASHES)
    write("docs_checkpoint", "aggregate_empty", b"\1" + bytes(40) + SOME_HASHES)
    pairs = backup_pairs((CLOUDDB / "backup" / "full.cdbk").read_bytes())
    sections = [[p for p in pairs if p[0][:3] == name][:4] for name in (b"typ", b"chk", b"log", b"nfo", b"dat")]
    some = [pair for section in sections for pair in section]
    for name, value in sections[0]:
        write("docs_type", name[3:].decode(), value)
    write("docs_type", "ours", b'{"name":"t","keys":[{"name":"k","fields":["a","b/0"],"method":"utf8",'
          b'"array":true,"orders":["utf8","time"]}],"version":-1,"expiry":"e"}')
    write("docs_backup", "empty", b"\0" + backup([], False))
    write("docs_backup", "some", b"\x10" + backup(some, False))
    write("docs_backup", "manifest", bytes([1 | DOCS_REPAIR]) + backup(some, True))
    for name, section in zip(("typ", "chk", "log", "nfo", "dat"), sections):
        write("docs_backup", name, bytes([0x70 | DOCS_REPAIR]) + backup(section[:2], True))
    packed = subprocess.run(["zstd", "-q", "-c"], input=backup(some, True), capture_output=True, check=True).stdout
    write("docs_backup", "zstd", b"\1" + packed)


JSON = [
    b'{"key":"a","value":"b","time":1700000000000000}\n{"key":null}\n',
    b'{"key_b64":"AP8=","value_b64":"","time":"2024-02-29T12:00:00.5Z"}\n',
    b'{"offset":7,"key":"\\u0000\\ud83d\\ude00","value":"\\n\\t"}',
    b'{"value":"x"}\n\n{"a":1}\n[1]\n{"key":1}\n{"key":"a","key_b64":"YQ=="}\n',
    b'{"time":-62167219200000000}\n{"time":9223372036854775807}\n{"time":"x"}\n',
]


DOCS_PATH = [
    (b'{"a":{"b":[10,{"c":20}],"":40},"x~y":1}', b"a/b/1/c", b"/x~0y", b'{"a":{"b":null},"n":[1]}'),
    (b'{"@type":"t","0":[[0.1,-0.0,1e300]]}', b"0/0/2", b"", b'{"0":{"1":{"2":null}}}'),
    (b'[1]', b"//", b"/~2", b"{}"),
]
DOCS_ORDER = [
    struct.pack(">Bqd", 4, 9007199254740993, 9007199254740992.0),
    struct.pack(">Bqq", 12, 2**63 - 1, -(2**63)),
    struct.pack(">Bdd", 0, -0.0, 5e-324),
    b"\x01\x02\x00x\x00x\x00\x01",
    b"\x01\xe1\x01" + b"q" * 481 + b"q" * 480 + b"\x01",
    b'\x02[1,"a\\u0000",{"b":[null,true],"a":1.5}]\x00[1.0,"a",{}]',
    b'\x06"Stra\xc3\x9fe"\x00"STRASSE"',
    b'\x0a"12.5"\x00125e-1',
    b'\x0e"2026-11-26T05:00:00.5+01:00"\x001795665600.5',
]
DOCS_SEARCH = [
    b'\x00{"a":"x","b":1,"c":[2]}\x00{"b":1.0,"a":"x"}\x00\x00\x00\x00',
    b'\x01{"a":"x1"}\x00{}\x00a\x00"x"\x00"x2"\x00',
    b'\x02{"a":5,"b":true}\x00{"a":5}\x00b\x00false\x00true\x00',
    b'\x00{"u":"\xc3\x84rger","n":"12"}\x00\x00u\x00\x00\x00"arg"',
    b'\x03{"t":"2026-11-26T05:00:00Z"}\x00\x00t\x001795669199\x001795669201\x00',
    b'\x00{"e":["b","a",["a"]],"f":["x","X"]}\x00{"e":"a"}\x00f\x00\x00\x00"x"',
]
# Arguments of a search, behind the steps.
DOCS_ASKED = [
    b'\xff\x00t\x00{"u":"X"}\x00',
    b'\xff\x0ct\x00\x00a\x00a\x001\x002\x00',
    b'\xff\x03t\x00{"n":1}\x00n\x00u\x00"a"\x00"z"\x00',
    b'\xff\x04t\x00\x00\x00u\x00\x00\x00x\x00',
]
DOCS_BUCKETS = 12


def docs_core_seeds():
    for bucket in range(DOCS_BUCKETS):
        asked = DOCS_ASKED[bucket % len(DOCS_ASKED)]
        write("docs_core", f"{bucket}_bit", bytes([0, bucket, 0, bucket * 3, 0, 1]) + asked)
        write("docs_core", f"{bucket}_value", bytes([1, bucket, 1, 3]) + b"\1\0x" + asked)
        write("docs_core", f"{bucket}_gone", bytes([2, bucket, bucket % 3]) + asked)
        write("docs_core", f"{bucket}_more", bytes([3, bucket, 0, 4]) + b"\0\0\0\1" + b"\2\1\1" + asked)
    write("docs_core", "whole", DOCS_ASKED[0])


def docs_json_seeds():
    for number, parts in enumerate(DOCS_PATH):
        write("docs_path", f"{number}", b"\0".join(parts))
    for number, data in enumerate(DOCS_ORDER):
        write("docs_order", f"{number}", data)
    for number, data in enumerate(DOCS_SEARCH):
        write("docs_search", f"{number}", data)


# Ranges up to a second or the end: the same, a sum of some or none, lists, what differs.
FLEET_RECON = [
    (0x11, b"\x01\x00\x00" + b"\x00\x01\x05" + bytes(16)),
    (0x11, b"\x65\x00\x01\x64" + bytes(16) + b"\x00\x01\x00" + bytes(16)),
    (0x11, b"\x0b\x02ab\x02\x02" + bytes(range(16)) + b"\x00\x02\x00"),
    (0x91, b"\x15\x00\x03\x01" + bytes(8) + b"\x02" + bytes(16) + b"\x00\x01\x00" + bytes(16)),
]


def fleet_seeds():
    session = HERE.parent / "tests" / "vectors" / "clouddb" / "packets" / "session.jsonl"
    seen = set()
    for line in session.read_text().splitlines():
        packet = json.loads(line)
        if "data" in packet and packet["pkt"] not in seen:
            seen.add(packet["pkt"])
            write("fleet_packet", f"reference_{packet['pkt']}", bytes.fromhex(packet["data"]))
    for line in (HERE.parent / "tests" / "golden" / "fleet" / "packets.txt").read_text().splitlines():
        name, data = line.split()
        write("fleet_packet", name, bytes.fromhex(data))
    for number, (kind, ranges) in enumerate(FLEET_RECON):
        head = bytes([kind, 2, 0]) + struct.pack(">QQ", 1, 2) + struct.pack(">QII", 9, 0, 0)
        write("fleet_recon", f"{number}", head + ranges)


def main():
    for directory in sorted((LOGS / "logs").iterdir()):
        if not directory.is_dir():
            continue
        logs = segments(directory / "data")
        for log in (logs[0], logs[-1]):
            log_seed(f"{directory.name}_{int(log.stem)}", log)
            index_seed(f"{directory.name}_{int(log.stem)}", log)
        for options in (4, 12):
            open_seed(f"{directory.name}_{options}", options, logs)
    for version in ("v1", "v2"):
        for directory in sorted((LOGS / "corrupt" / version).iterdir())[::2]:
            logs = segments(directory / "input")
            if logs and len(logs[-1].read_bytes()) > 0:
                log_seed(f"{version}_{directory.name}", logs[-1])
                index_seed(f"{version}_{directory.name}", logs[-1])
                open_seed(f"{version}_{directory.name}", 4, logs[-2:])
    wal_seeds()
    journal_seeds()
    bbolt_seeds()
    store_seeds()
    docs_seeds()
    docs_json_seeds()
    docs_core_seeds()
    fleet_seeds()
    for number, text in enumerate(JSON):
        write("json_lines", f"{number}", text)


if __name__ == "__main__":
    main()
