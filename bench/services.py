#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Throughput of real programs under load: the shim over an allocator against the same allocator bare.

A program's two servers, bare and shimmed, live side by side and are asked in turns, a window of some 50 ms each where
the load tool can, so that what the machine does meanwhile comes to both: a thousand such windows tell one percent
where fifty long ones of the same sum tell five. Beside throughput, which the load tool's own needs share the processors
with, stands the server's CPU time a request, which they do not. A few times both servers are started anew, for
a process may have it better than its like for all of its life (a JIT's choices, where its pages lie). A server
counts only if it has mapped what it was told to preload.
"""

import argparse
import collections
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

import programs
import shims

TARGET = 0.98
RESAMPLES = 2000
HEADER = ("program", "backend", "windows", "bare, best", "under the shim, best", "throughput", "throughput, best to best",
          "server CPU a request", "CPU, best to best", f"at least {TARGET}")

Window = collections.namedtuple("Window", "throughput cpu_us")


def check_preloaded(pid, environment):
    """ld.so only warns of what it cannot preload, and the figures would be those of another allocator."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        mapped = maps.read()
    library = os.path.realpath(environment["LD_PRELOAD"])
    if library not in mapped:
        raise RuntimeError(f"{environment['LD_PRELOAD']} was not preloaded")


class Server:
    """One program, started and warmed up in a directory of its own."""

    def __init__(self, program, environment):
        self.program = program
        self.directory = tempfile.TemporaryDirectory(prefix="offheap-bench-")
        os.chmod(self.directory.name, 0o755)
        try:
            self.process = program.start(environment, self.directory.name)
            program.warm_up()
            if "LD_PRELOAD" in environment:
                check_preloaded(self.process.pid, environment)
        except BaseException:
            self.close()
            raise

    def window(self):
        before = programs.cpu_seconds(self.process.pid)
        load = self.program.load()
        return Window(load.throughput, (programs.cpu_seconds(self.process.pid) - before) * 1e6 / load.requests)

    def close(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self.directory.cleanup)
            if not hasattr(self, "process"):
                return
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def readable_copy(shim, directory):
    """Of the shim, which a server may have to read as another user."""
    os.chmod(directory, 0o755)
    return shutil.copy(shim, directory)


def windows_in_turns(settle, seconds, make_program, environments):
    """(bare, shimmed) windows of one pair of servers; at least one."""
    with contextlib.ExitStack() as stack:
        servers = []
        for environment in environments:
            servers.append(Server(make_program(), environment))
            stack.callback(servers[-1].close)
        time.sleep(settle)
        pairs = []
        end = time.monotonic() + seconds
        while not pairs or time.monotonic() < end:
            # The first of a pair may have it better or worse, so they change places.
            order = (0, 1) if len(pairs) % 2 == 0 else (1, 0)
            taken = {which: servers[which].window() for which in order}
            pairs.append((taken[0], taken[1]))
        return pairs


def middle_mean(values):
    """The mean of the middle half: as deaf to disturbed windows as the median, but not held to the steps of 1 ms in
    which a load tool tells time."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return statistics.fmean(ordered[quarter:len(ordered) - quarter])


def with_interval(ratios):
    """Their middle mean and its 95 % bootstrap interval, and both ends of that."""
    generator = random.Random(1)
    means = sorted(middle_mean(generator.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    low, high = means[RESAMPLES // 40], means[-RESAMPLES // 40]
    return f"{middle_mean(ratios):.3f} ({low:.3f} to {high:.3f})", low, high


def best_quarter(values, reverse):
    """Median of the best quarter: windows that were disturbed least."""
    ordered = sorted(values, reverse=reverse)
    return shims.median(ordered[:max(len(ordered) // 4, 1)])


def compare(arguments, name, backend, shim):
    """A row: figures of one program over one allocator."""
    environments = (shims.bare_environment(backend), shims.shim_environment(backend, shim))
    pairs = []
    for _ in range(arguments.rounds):
        pairs += windows_in_turns(arguments.settle, arguments.seconds / arguments.rounds,
                                  lambda: programs.PROGRAMS[name](arguments), environments)
    sides = list(zip(*pairs))
    throughput, low, high = with_interval([after.throughput / before.throughput for before, after in pairs])
    cpu, _, _ = with_interval([after.cpu_us / before.cpu_us for before, after in pairs])
    best = [best_quarter([window.throughput for window in side], True) for side in sides]
    best_cpu = [best_quarter([window.cpu_us for window in side], False) for side in sides]
    reached = "yes" if low >= TARGET else "no" if high < TARGET else "not decided"
    return (str(len(pairs)), *(f"{rate:,.0f}" for rate in best), throughput, f"{best[1] / best[0]:.3f}", cpu,
            f"{best_cpu[1] / best_cpu[0]:.3f}", reached)


def row(arguments, name, backend, shim):
    program = programs.PROGRAMS[name](arguments)
    absent = shims.missing(*program.needs) or shims.missing_allocator(backend)
    if absent:
        return (program.title, backend, absent, *[""] * 7)
    try:
        return (program.title, backend, *compare(arguments, name, backend, shim))
    except (RuntimeError, OSError, ValueError, subprocess.CalledProcessError) as error:
        return (program.title, backend, shims.failure(error), *[""] * 7)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--programs", required=True, type=os.path.abspath, help="the build's bench directory")
    parser.add_argument("--only", choices=programs.PROGRAMS, action="append", help="default: all")
    parser.add_argument("--backend", choices=shims.BARE, action="append", help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of servers")
    parser.add_argument("--seconds", type=float, default=60, help="of windows a row")
    parser.add_argument("--settle", type=float, default=12,
                        help="seconds that servers live before their first window: the shim samples more of the first ten")
    parser.add_argument("--scale", type=float, default=1, help="of a window's length")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="offheap-bench-") as directory:
        shim = readable_copy(arguments.shim, directory)
        print(f"Requests a second of {arguments.rounds} pairs of servers that are asked in turns. Ratios are shimmed to "
              "bare: of pairs of windows\nthe mean of the middle half (its 95 % interval), and of each side's best quarter, "
              "which was disturbed least.\n")
        # Row by row: it takes long, and what is measured should not be lost.
        shims.print_table(HEADER, (row(arguments, name, backend, shim) for name in arguments.only or programs.PROGRAMS
                                   for backend in arguments.backend or shims.BARE))


if __name__ == "__main__":
    main()
