#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run clang-tidy on each source of a compile_commands.json, one file a process.

A file that passed is not looked at again until it, a header that it includes,
its command or a list of checks changes: the hash of all that is kept beside
the others in build/tidy. Where a source is compiled twice, the form for tests
is taken, which is the larger one.
"""
import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "tidy"


def commands(database):
    """The one command for each source of this tree."""
    chosen = {}
    for entry in json.loads(database.read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        arguments = entry.get("arguments") or shlex.split(entry["command"])
        if not path.is_relative_to(ROOT) or path.is_relative_to(ROOT / "build"):
            continue
        if path not in chosen or "-DSTI_TESTING" in arguments:
            chosen[path] = (entry["directory"], arguments)
    return dict(sorted(chosen.items()))


def dependencies(directory, arguments):
    """The files of this tree that a source is made of, itself included."""
    plain = []
    skip = False
    for argument in arguments:
        if skip or argument in ("-c", "-o"):
            skip = argument == "-o"
            continue
        plain.append(argument)
    found = subprocess.run([*plain, "-MM"], cwd=directory, capture_output=True, text=True, check=True)
    names = found.stdout.replace("\\\n", " ").split(":", 1)[1].split()
    return sorted({pathlib.Path(directory, name).resolve() for name in names})


def digest(path, directory, arguments, version):
    total = hashlib.sha256(version)
    total.update(json.dumps([str(path), arguments]).encode())
    lists = [parent / ".clang-tidy" for parent in path.parents if parent.is_relative_to(ROOT)]
    for name in [*dependencies(directory, arguments), *lists]:
        if name.exists():
            total.update(str(name).encode() + b"\0" + name.read_bytes())
    return total.hexdigest()


def check(path, directory, arguments, version, database):
    """None when the source passes (now, or before), else what clang-tidy says."""
    try:
        mark = CACHE / digest(path, directory, arguments, version)
    except subprocess.CalledProcessError as error:
        return False, error.stderr
    if mark.exists():
        return True, None
    done = subprocess.run(
        ["clang-tidy", "--quiet", "-p", str(database.parent), "--extra-arg=-Wno-unknown-warning-option",
         *(f"--extra-arg={a}" for a in arguments if a.startswith("-DSTI_")), str(path)],
        cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        return False, done.stdout + done.stderr
    mark.write_text(f"{path.relative_to(ROOT)}\n")
    return False, None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-j", type=int, default=2)
    parser.add_argument("database", type=pathlib.Path)
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    work = commands(options.database)
    if not work:
        sys.exit(f"tidy: no sources in {options.database}")
    known = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        waiting = {pool.submit(check, path, *how, version, options.database): path
                   for path, how in work.items()}
        for future in concurrent.futures.as_completed(waiting):
            cached, text = future.result()
            known += cached
            if text is not None:
                failed += 1
                print(f"--- {waiting[future].relative_to(ROOT)}\n{text}", flush=True)
    print(f"tidy: {len(work)} files, {known} unchanged since they passed, {failed} with findings")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
