#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions that an attach adds to a malloc+free pair, beside what the preload adds.

As instructions.py counts them. The program attaches to itself before main, as callgrind runs it in a
machine of its own where `offheap attach` cannot reach it; the slots and the code are the same. An attach brings
a thread, so the other runs have one too, which does nothing: that glibc then takes its locks is not counted.
An attach follows the allocator that it finds, so each backend is the process's own allocator, in both columns
(OFFHEAP_BACKEND=next). `--check` fails when attach costs more than the preload.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import shims

FEW, MANY = 100_000, 300_000
SAMPLE = "512K"
# What the pairs are made in, and all that it calls: the watching thread, which goes by the clock, is left out.
WORK = "*replace_blocks*"
NOISE = 1.0


def instructions(program, pairs, thread, environment):
    with tempfile.NamedTemporaryFile(suffix=".callgrind") as profile:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile.name}", f"--toggle-collect={WORK}",
                   program, str(pairs), "1", thread]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}: {result.stderr}")
    return int(re.search(r"Collected : (\d+)", result.stderr).group(1))


def per_pair(program, thread, environment):
    few, many = (instructions(program, pairs, thread, environment) for pairs in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def add_preload(environment, library):
    """The shim goes before the allocator that it is to follow."""
    libraries = [library] + environment.get("LD_PRELOAD", "").split()
    return {**environment, "LD_PRELOAD": " ".join(libraries)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--attach-shim", required=True, help="libshim-attach.so")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="the build's bench directory")
    parser.add_argument("--allocator", choices=shims.BARE, action="append", help="default: all")
    parser.add_argument("--check", action="store_true", help="fail when attach costs more than the preload")
    arguments = parser.parse_args()
    pairs = str(arguments.programs / "pairs")
    starter = str(arguments.programs / "libattach_at_start.so")
    rows, over = [], []
    for allocator in arguments.allocator or shims.BARE:
        for thread in ("main", "thread"):
            bare = add_preload(shims.bare_environment(allocator), starter)
            preloaded = {**add_preload(bare, arguments.shim), "OFFHEAP_BACKEND": "next", "OFFHEAP_SAMPLE": SAMPLE}
            attached = {**bare, "ATTACH_LIBRARY": arguments.attach_shim,
                        "ATTACH_OPTIONS": f"OFFHEAP_SAMPLE={SAMPLE}"}
            none, preload, attach = (per_pair(pairs, thread, each) for each in (bare, preloaded, attached))
            rows.append((allocator, thread, f"{none:.1f}", f"{preload - none:+.1f}", f"{attach - none:+.1f}"))
            if attach > preload + NOISE:
                over.append(f"{allocator}, {thread}: attach adds {attach - none:.1f} instructions a pair, "
                            f"the preload {preload - none:.1f}")
            if attach < none + NOISE:
                over.append(f"{allocator}, {thread}: the attached program counts nothing")
    shims.print_table(("allocator", "thread", "bare", "preload adds", "attach adds"), rows)
    if arguments.check and over:
        sys.exit("\n".join(over))


if __name__ == "__main__":
    main()
