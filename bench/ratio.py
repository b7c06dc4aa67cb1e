#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times workloads bare and under the shim in alternating runs, and prints what the shim adds.

Machines are noisy, so bare and shimmed runs take turns and the table shows minimum and median: the
minimum is the cost with least disturbance, the median that of an ordinary run. Nothing here is a test.
"""

import argparse
import os

import shims
import workloads


def comparison(results, digits=1):
    """Of (minimum, median) pairs: the least minimum and the median of medians, bare, shimmed and added."""
    figures = [(min(low for low, _ in runs), shims.median([middle for _, middle in runs])) for runs in results]
    figures.append(tuple(shimmed - bare for bare, shimmed in zip(*figures)))
    bare, shimmed, added = figures
    return (f"{bare[0]:.{digits}f} / {bare[1]:.{digits}f}", f"{shimmed[0]:.{digits}f} / {shimmed[1]:.{digits}f}",
            f"{added[0]:+.{digits}f} / {added[1]:+.{digits}f}")


def times(workload, environment):
    return lambda: workloads.nanoseconds(workloads.run(workload, environment))


def workload_table(arguments):
    rows = []
    for name, workload in workloads.commands(arguments.programs, arguments.pairs).items():
        if arguments.only and name not in arguments.only:
            continue
        title = f"{name}: {workload.title}"
        for backend in arguments.backend or shims.BARE:
            absent = shims.missing(*workload.needs) or shims.missing_allocator(backend)
            if absent:
                rows.append((title, backend, absent, "", "", ""))
                continue
            bare, shimmed = shims.alternate(
                arguments.rounds, times(workload, shims.bare_environment(backend)),
                times(workload, shims.shim_environment(backend, arguments.shim)))
            ratios = [after[1] / before[1] for before, after in zip(bare, shimmed)]
            rows.append((title, backend, *comparison((bare, shimmed)), shims.spread(ratios)))
    print("CPU nanoseconds a pair, a message or an iteration, minimum / median; adaptive sampling, as by default.\n"
          f"The ratio is shimmed to bare, of {arguments.rounds} pairs of runs in turns: median (least to most).\n")
    shims.print_table(("work", "backend", "bare", "under the shim", "added", "ratio"), rows)


def launched(arguments, what, environment):
    """What launch.cc prints of /bin/true. Only the child gets the environment."""
    assignments = [f"{name}={value}" for name, value in environment.items() if name != "PATH"]
    command = [os.path.join(arguments.programs, "launch"), what, "/usr/bin/env", *assignments, "/bin/true"]
    return float(shims.output_of(command, {"PATH": os.environ["PATH"], "LC_ALL": "C"}))


def idle_table(arguments):
    rows = []
    for backend in arguments.backend or shims.BARE:
        bare = shims.bare_environment(backend)
        shim = shims.shim_environment(backend, arguments.shim)
        wall = shims.alternate(arguments.idle_rounds, lambda: [launched(arguments, "wall", bare)] * 2,
                         lambda: [launched(arguments, "wall", shim)] * 2)
        resident = [launched(arguments, "rss", environment) / 1024 for environment in (bare, shim)]
        rows.append((backend, *comparison(wall, digits=2),
                     *(f"{mib:.2f}" for mib in resident), f"{resident[1] - resident[0]:+.2f}"))
    print("/bin/true, started through env with the bare allocator or the shim preloaded: wall milliseconds\n"
          "(minimum / median) and resident MiB at its end.\n")
    shims.print_table(("backend", "bare ms", "shim ms", "added", "bare MiB", "shim MiB", "added"), rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--programs", required=True, help="the build's bench directory")
    parser.add_argument("--backend", choices=shims.BARE, action="append", help="default: all")
    parser.add_argument("--only", action="append", metavar="WORKLOAD", help="W1, say; and nothing idle")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle-rounds", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    arguments = parser.parse_args()
    workload_table(arguments)
    if not arguments.only:
        idle_table(arguments)


if __name__ == "__main__":
    main()
