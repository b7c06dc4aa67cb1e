#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Throughput of real programs under load: the shim over an allocator against the same allocator bare.

Runs take turns, each with a server of its own that is warmed up before it is timed. Beside throughput, which the
load tool's own needs share the processors with, stands the server's CPU time a request, which they do not. A run
counts only if the server has mapped what it was told to preload.
"""

import argparse
import collections
import os
import shutil
import subprocess
import tempfile

import programs
import shims

TARGET = 0.98

Run = collections.namedtuple("Run", "throughput cpu_us")


def check_preloaded(pid, environment):
    """ld.so only warns of what it cannot preload, and the figures would be those of another allocator."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        mapped = maps.read()
    library = os.path.realpath(environment["LD_PRELOAD"])
    if library not in mapped:
        raise RuntimeError(f"{environment['LD_PRELOAD']} was not preloaded")


def measured(program, environment, directory):
    server = program.start(environment, directory)
    try:
        program.warm_up()
        if "LD_PRELOAD" in environment:
            check_preloaded(server.pid, environment)
        before = programs.cpu_seconds(server.pid)
        load = program.load()
        return Run(load.throughput, (programs.cpu_seconds(server.pid) - before) * 1e6 / load.requests)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def readable_copy(shim, directory):
    """Of the shim, which a server may have to read as another user."""
    os.chmod(directory, 0o755)
    return shutil.copy(shim, directory)


def compare(arguments, program, backend, shim):
    """A row: figures of alternating runs of one program over one allocator."""
    with tempfile.TemporaryDirectory(prefix="offheap-bench-") as directory:
        os.chmod(directory, 0o755)
        bare, shimmed = shims.bare_environment(backend), shims.shim_environment(backend, shim)
        runs = ([], [])
        for pair in range(arguments.rounds):
            # The first of a pair may have it better or worse, so they change places.
            for which in (0, 1) if pair % 2 == 0 else (1, 0):
                runs[which].append(measured(program, (bare, shimmed)[which], directory))
    throughputs = [after.throughput / before.throughput for before, after in zip(*runs)]
    costs = [after.cpu_us / before.cpu_us for before, after in zip(*runs)]
    medians = [f"{shims.median([run.throughput for run in side]):,.0f}" for side in runs]
    reached = "yes" if shims.median(throughputs) >= TARGET else "no"
    return (*medians, shims.spread(throughputs, 3), shims.spread(costs, 3), reached)


def row(arguments, name, backend, shim):
    program = programs.PROGRAMS[name](arguments)
    absent = shims.missing(*program.needs) or shims.missing_allocator(backend)
    if absent:
        return (program.title, backend, absent, "", "", "", "")
    try:
        return (program.title, backend, *compare(arguments, program, backend, shim))
    except (RuntimeError, OSError, ValueError, subprocess.CalledProcessError) as error:
        return (program.title, backend, shims.failure(error), "", "", "", "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--programs", required=True, help="the build's bench directory")
    parser.add_argument("--only", choices=programs.PROGRAMS, action="append", help="default: all")
    parser.add_argument("--backend", choices=shims.BARE, action="append", help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs")
    parser.add_argument("--scale", type=float, default=0.5, help="of the load's length")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="offheap-bench-") as directory:
        shim = readable_copy(arguments.shim, directory)
        rows = [row(arguments, name, backend, shim) for name in arguments.only or programs.PROGRAMS
                for backend in arguments.backend or shims.BARE]
    print(f"Requests a second, median of {arguments.rounds} runs; ratios are shimmed to bare, of runs in turns: "
          "median (least to most).\n")
    shims.print_table(("program", "backend", "bare", "under the shim", "throughput ratio",
                       "server CPU a request, ratio", f"at least {TARGET}"), rows)


if __name__ == "__main__":
    main()
