#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check the rules of STYLE.md that no other tool knows.

  S1  each file of ours begins with its licence, "SPDX-License-Identifier: MIT"
  S2  below it a header says "name.h: one sentence"
  S3  no notes to oneself: issues are the place for what is still to do
  S4  lines end without blanks, files end with one line feed, no tabs in C
  S5  a header is guarded by a name made of its path
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
NOTES = re.compile(r"\b(TO" r"DO|FIX" r"ME|X{3}|HA" r"CK)\b")
LICENSED = {".c", ".h", ".py", ".sh", ".cmake", ".def"}
problems = []


def report(rule, path, line, text):
    problems.append(f"{path}:{line}: [{rule}] {text}")


def guard_of(path):
    parts = path.with_suffix("").parts
    if parts[0] == "include":
        stem = "_".join(parts[2:])
        return "STELE_H" if stem == "stele" else f"STELE_{stem}_H".upper()
    if parts[0] == "src":
        return "STI_" + "_".join(parts[1:]).upper().replace("-", "_") + "_H"
    return None


def check_lines(path, text):
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            report("S4", path, number, "blanks at the end of the line")
        if path.suffix in (".c", ".h") and "\t" in line:
            report("S4", path, number, "a tab")
        if NOTES.search(line):
            report("S3", path, number, "a note to oneself")
    if not text.endswith("\n") or text.endswith("\n\n"):
        report("S4", path, len(lines), "the file does not end with one line feed")


def check_c(path, text):
    lines = text.split("\n")
    if path.suffix == ".h" and path.parts[0] in ("src", "include"):
        if len(lines) < 3 or not lines[2].startswith(f" * {path.name}: "):
            report("S2", path, 3, f'the first sentence must begin with "{path.name}: "')
    if path.suffix == ".h" and guard_of(path) and f"#ifndef {guard_of(path)}\n" not in text:
        report("S5", path, 1, f"the guard must be {guard_of(path)}")


def main():
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = pathlib.Path(name)
        if path.suffix not in LICENSED or not (ROOT / path).is_file() or "vectors" in path.parts:
            continue
        text = (ROOT / path).read_text()
        if "SPDX-License-Identifier: MIT" not in "\n".join(text.split("\n")[:2]) and path.parts[0] != "examples":
            report("S1", path, 1, "no licence line")
        check_lines(path, text)
        if path.suffix in (".c", ".h"):
            check_c(path, text)
    print("\n".join(problems) or "style: ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
