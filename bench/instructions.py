#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions that the shim adds to a malloc+free pair, counters and sampling on.

callgrind runs workloads/pairs with 100,000 and with 300,000 pairs; the slope is the cost of one pair, and
start-up cancels out. Sampling has a fixed mean of 512 KiB, so that the count is the same on every machine:
the adaptive mean follows CPU time, which callgrind stretches. `--check` fails when a budget is exceeded.
"""

import argparse
import re
import subprocess
import sys
import tempfile

import shims

FEW, MANY = 100_000, 300_000
SAMPLE = "512K"

# (backend, thread) -> most instructions that may be added to a pair
BUDGET = {
    ("glibc", "main"): 40,
    ("glibc", "thread"): 52,
    ("jemalloc", "main"): 25,
    ("jemalloc", "thread"): 25,
    ("tcmalloc", "main"): 65,
    ("tcmalloc", "thread"): 65,
}


def instructions(program, pairs, thread, environment):
    with tempfile.NamedTemporaryFile(suffix=".callgrind") as profile:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile.name}",
                   program, str(pairs), "1", thread]
        result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", result.stderr).group(1))


def per_pair(program, thread, environment):
    few, many = (instructions(program, pairs, thread, environment) for pairs in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--pairs-program", required=True)
    parser.add_argument("--backend", choices=shims.BARE, action="append", help="default: all")
    parser.add_argument("--check", action="store_true", help="fail when a budget is exceeded")
    arguments = parser.parse_args()
    rows, over = [], []
    for backend, thread in BUDGET:
        if arguments.backend and backend not in arguments.backend:
            continue
        bare = per_pair(arguments.pairs_program, thread, shims.bare_environment(backend))
        shimmed = per_pair(arguments.pairs_program, thread,
                           shims.shim_environment(backend, arguments.shim, SAMPLE=SAMPLE))
        budget = BUDGET[backend, thread]
        rows.append((backend, thread, f"{bare:.1f}", f"{shimmed:.1f}", f"{shimmed - bare:+.1f}", f"+{budget}"))
        if shimmed - bare > budget:
            over.append(f"{backend}, {thread}: {shimmed - bare:.1f} instructions a pair, budget {budget}")
    shims.print_table(("backend", "thread", "bare", "under the shim", "added", "budget"), rows)
    if arguments.check and over:
        sys.exit("\n".join(over))


if __name__ == "__main__":
    main()
