#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_corpus.py: the seeds of the stream targets, made from klevdb's own files.

Writes corpus/{stream_log,stream_index,stream_open,json_lines}/seed_*: the
formats are those that the targets describe at their top. The files of
tests/vectors/klevdb are taken from their beginning, as many messages as keep a
seed small.
"""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
LOGS = HERE.parent / "tests" / "vectors" / "klevdb"
LIMIT = 2100


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


JSON = [
    b'{"key":"a","value":"b","time":1700000000000000}\n{"key":null}\n',
    b'{"key_b64":"AP8=","value_b64":"","time":"2024-02-29T12:00:00.5Z"}\n',
    b'{"offset":7,"key":"\\u0000\\ud83d\\ude00","value":"\\n\\t"}',
    b'{"value":"x"}\n\n{"a":1}\n[1]\n{"key":1}\n{"key":"a","key_b64":"YQ=="}\n',
    b'{"time":-62167219200000000}\n{"time":9223372036854775807}\n{"time":"x"}\n',
]


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
    for number, text in enumerate(JSON):
        write("json_lines", f"{number}", text)


if __name__ == "__main__":
    main()
