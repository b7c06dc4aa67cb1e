#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions that the shim adds to each kind of allocation call.

callgrind runs workloads/calls with the allocator bare and under the shim; the program dumps the count of each
kind of call by itself. Without samples a count is the same in every run, and that is what instructions.golden holds.
The row malloc+free+samples is with them, at a fixed mean of 512 KiB: the adaptive mean follows CPU time, which
callgrind stretches. Ticks of the timeline, which go by the clock too and take at most half a percent of it, are left
out. `attach` is the attach build over glibc.

`--check` compares what is added with instructions.golden and with the budgets below; `--update` writes that file
anew. What the bare allocator needs stands there for reference only: it differs between versions of it.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile

import shims

CALLS = 5_000  # of each kind
SAMPLED_CALLS = 400_000  # some four hundred samples
SAMPLE = "512K"
NO_DECAY = {"MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1"}  # jemalloc gives pages back by the clock
SAMPLED = "malloc+free+samples"
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.golden")
TOLERANCE = 0.3  # a new version of the allocator takes its slow ways a little more or less often
SAMPLED_TOLERANCE = 0.4  # samples come at random: three times their spread

CONFIGURATIONS = ("glibc", "jemalloc", "tcmalloc", "next", "attach")

# (configuration, thread) -> most instructions that may be added to malloc+free+samples
BUDGET = {
    ("glibc", "main"): 32,
    ("glibc", "thread"): 40,
    ("next", "main"): 32,
    ("next", "thread"): 40,
    ("jemalloc", "main"): 15,
    ("jemalloc", "thread"): 15,
    ("tcmalloc", "main"): 50,
    ("tcmalloc", "thread"): 50,
    ("attach", "main"): 32,
    ("attach", "thread"): 40,
}


def self_cost(profile):
    """Sum over the lines of all functions. The profile's own line of totals is wrong at times where there are threads."""
    total, of_callee = 0, False
    for line in profile.splitlines():
        cost = None if of_callee else re.fullmatch(r"(?:\*|[+-]?\d+) (\d+)", line)
        of_callee = line.startswith("calls=")
        total += int(cost.group(1)) if cost else 0
    return total


def counts_of(program, kind, calls, threads, attachable, environment):
    """(kind, thread) -> instructions a call."""
    with tempfile.TemporaryDirectory() as directory:
        profile = os.path.join(directory, "profile")
        subprocess.run(["valgrind", "--tool=callgrind", "--instr-atstart=no", "--toggle-collect=*replace_blocks*",
                        "--toggle-collect=*timeline_add*", f"--callgrind-out-file={profile}", program, kind,
                        str(calls), threads, *attachable], env=environment, check=True, capture_output=True, text=True)
        counts = {}
        for name in sorted(os.listdir(directory), key=lambda name: int(name.partition(".")[2] or 0)):
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as dump:
                text = dump.read()
            trigger = re.search(r"^desc: Trigger: Client Request: (\S+) (\S+)$", text, re.MULTILINE)
            if trigger:
                counts[trigger.groups()] = self_cost(text) / calls
        return counts


def measure(configuration, arguments):
    """Rows of (configuration, kind, thread, bare, added)."""
    # An attach brings a thread of its own, from which on glibc takes its locks: that is not the hot path's cost.
    threads = "beside" if configuration == "attach" else "alone"
    backend = configuration if configuration in shims.BARE else "glibc"
    bare_environment = {**shims.bare_environment(backend), **NO_DECAY}

    def added(kind, calls, sample):
        def count(attachable, environment):
            return counts_of(arguments.calls_program, kind, calls, threads, attachable, environment)

        bare = count([], bare_environment)
        if configuration == "attach":
            shimmed = count([arguments.attach_shim, f"OFFHEAP_SAMPLE={sample}"], bare_environment)
        else:
            environment = {**shims.shim_environment(backend, arguments.shim, SAMPLE=sample), **NO_DECAY}
            shimmed = count([], {**environment, "OFFHEAP_BACKEND": configuration})
        return [(*key, bare[key], shimmed[key] - bare[key]) for key in bare]

    rows = added("all", CALLS, "off")
    rows += [(SAMPLED, *rest) for _, *rest in added("malloc+free", SAMPLED_CALLS, SAMPLE)]
    return [(configuration, *row) for row in rows]


@contextlib.contextmanager
def libraries_at_fixed_paths(arguments):
    """The loader keeps the path of an opened library on the heap: a longer one moves every block behind it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        for name in ("shim", "attach_shim"):
            path = os.path.join(directory, f"{name}.so")
            os.symlink(os.path.abspath(getattr(arguments, name)), path)
            setattr(arguments, name, path)
        yield


def read_golden():
    rows = {}
    with open(GOLDEN, encoding="utf-8") as golden:
        for line in golden:
            words = line.split()
            if words and not line.startswith("#"):
                rows[tuple(words[:3])] = float(words[3])
    return rows


def write_golden(rows):
    with open(GOLDEN, "w", encoding="utf-8") as golden:
        golden.write("# Instructions a call, one row an entry point: what the shim adds, and what the bare allocator takes.\n"
                     "# A pair where there are two names. Written by instructions.py --update; compared by its --check.\n")
        golden.write(f"# {'':9} {'call':20} {'thread':7} {'added':>6} {'bare':>7}\n")
        for configuration, kind, thread, bare, added in rows:
            golden.write(f"{configuration:11} {kind:20} {thread:7} {added:6.1f} {bare:7.1f}\n")


def complaints(rows):
    golden = read_golden()
    for configuration, kind, thread, _, added in rows:
        what = f"{configuration}, {kind}, {thread} thread"
        known = golden.get((configuration, kind, thread))
        if known is None:
            yield f"{what}: +{added:.1f}; no row of instructions.golden"
        elif abs(added - known) > (SAMPLED_TOLERANCE if kind == SAMPLED else TOLERANCE):
            yield f"{what}: +{added:.1f} instructions, +{known:.1f} by instructions.golden ({added - known:+.1f})"
        budget = BUDGET[configuration, thread]
        if kind == SAMPLED and added > budget + SAMPLED_TOLERANCE / 3:  # one spread
            yield f"{what}: +{added:.1f} instructions, budget {budget}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--attach-shim", required=True)
    parser.add_argument("--calls-program", required=True)
    parser.add_argument("--backend", choices=CONFIGURATIONS, action="append", help="default: all")
    parser.add_argument("--check", action="store_true", help="fail where golden file or budget is exceeded")
    parser.add_argument("--update", action="store_true", help="write the golden file")
    arguments = parser.parse_args()
    rows = []
    with libraries_at_fixed_paths(arguments):
        for configuration in arguments.backend or CONFIGURATIONS:
            rows += measure(configuration, arguments)
    shims.print_table(("backend", "call", "thread", "bare", "added"),
                      [(*row[:3], f"{row[3]:.1f}", f"{row[4]:+.1f}") for row in rows])
    if arguments.update:
        if arguments.backend:
            parser.error("--update writes the whole file: no --backend")
        write_golden(rows)
    if arguments.check:
        found = list(complaints(rows))
        if found:
            sys.exit("\n".join([*found, "If this is meant: instructions.py --update, with the reason in the commit."]))


if __name__ == "__main__":
    main()
