#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs micro/entry_points bare and under the shim in turns, and prints CPU nanoseconds an iteration side by side.

One table for each number of threads: entry point and size down, backend across. An iteration is what
entry_points.cc says of each, a pair of calls for most.
"""

import argparse
import json
import os

import shims

THREADS = (1, 2, 4)


def timings(program, environment, seconds, only):
    """name -> nanoseconds of CPU time of all threads, an iteration"""
    command = [program, "--benchmark_format=json", f"--benchmark_min_time={seconds}", f"--benchmark_filter={only}"]
    return {run["name"]: run["cpu_time"] for run in json.loads(shims.output_of(command, environment))["benchmarks"]}


def cell(bare, shimmed):
    """Minimum and median of both."""
    figures = [f"{min(runs):.1f} / {shims.median(runs):.1f}" for runs in (bare, shimmed)]
    return " → ".join(figures)


def measure(arguments, backend):
    """name -> cell"""
    program = os.path.join(arguments.programs, "entry_points")

    def run(environment):
        return lambda: timings(program, environment, arguments.seconds, arguments.only)

    bare, shimmed = shims.alternate(arguments.rounds, run(shims.bare_environment(backend)),
                                    run(shims.shim_environment(backend, arguments.shim)))
    return {name: cell([times[name] for times in bare], [times[name] for times in shimmed]) for name in bare[0]}


def columns(arguments):
    """backend -> (name -> cell); an allocator that is not there has a cell that says so."""
    return {backend: shims.missing_allocator(backend) or measure(arguments, backend)
            for backend in shims.BARE_AND_OTHERS}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--programs", required=True, help="the build's bench directory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.02, help="least time of each measurement")
    parser.add_argument("--only", default=".", help="a regular expression of benchmark names")
    arguments = parser.parse_args()
    by_backend = columns(arguments)
    names = list(by_backend["glibc"])
    print("CPU nanoseconds an iteration: bare minimum / median → under the shim minimum / median, "
          f"{arguments.rounds} runs of each in turns.\n")
    for threads in THREADS:
        rows = []
        for name in names:
            entry, size, rest = (name.split("/") + [""])[:3]
            if rest != f"threads:{threads}" and not (rest == "" and threads == 1):
                continue
            rows.append((entry, size, *(cells[name] if isinstance(cells, dict) else cells
                                        for cells in by_backend.values())))
        if rows:
            print(f"Threads: {threads}\n")
            shims.print_table(("entry point", "bytes", *by_backend), rows)


if __name__ == "__main__":
    main()
