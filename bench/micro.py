#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs micro/entry_points bare and under the shim, and prints CPU nanoseconds a call side by side."""

import argparse
import json
import os

import shims


def timings(program, environment):
    out = shims.output_of([program, "--benchmark_format=json", "--benchmark_min_time=0.05",
                           "--benchmark_repetitions=5"], environment)
    best = {}
    for run in json.loads(out)["benchmarks"]:
        if run["run_type"] == "iteration":
            name = run["run_name"]
            best[name] = min(best.get(name, float("inf")), run["cpu_time"])
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--programs", required=True, help="the build's bench directory")
    arguments = parser.parse_args()
    program = os.path.join(arguments.programs, "entry_points")
    columns = []
    for backend in shims.BARE:
        columns.append(timings(program, shims.bare_environment(backend)))
        columns.append(timings(program, shims.shim_environment(backend, arguments.shim)))
    print("Nanoseconds of CPU time a call, best of five: bare -> under the shim.\n")
    rows = [(name, *(f"{columns[i][name]:.1f} -> {columns[i + 1][name]:.1f}" for i in (0, 2, 4)))
            for name in columns[0]]
    shims.print_table(("entry point", *shims.BARE), rows)


if __name__ == "__main__":
    main()
