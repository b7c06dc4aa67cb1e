#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times workloads bare and under the shim in alternating runs, and prints what the shim adds.

Machines are noisy, so bare and shimmed runs take turns and the table shows minimum and median: the
minimum is the cost with least disturbance, the median that of an ordinary run. Nothing here is a test.
"""

import argparse
import os

import shims

IDLE_ROUNDS = 60

# name -> (program, arguments, what it prints)
WORKLOADS = {
    "W1: pairs, one thread": ("pairs", ["{pairs}"]),
    "W2: four threads, cross-thread frees": ("cross_thread", ["{few_pairs}"]),
    "W3: pairs under 30 frames": ("pairs", ["{pairs}", "30"]),
    "W4: leaks amid churn": ("leaks", ["25"]),
}


def nanoseconds(directory, program, arguments, environment):
    """(minimum, median) of one run; a program that prints one number has one for both."""
    last_line = shims.output_of([os.path.join(directory, program), *arguments], environment).splitlines()[-1]
    numbers = [float(word) for word in last_line.split() if word != "ns"]
    return numbers[0], numbers[-1]


def alternate(rounds, bare, shimmed):
    """Runs both `rounds` times in turns; returns their results."""
    bare()  # warms up file caches
    results = ([], [])
    for _ in range(rounds):
        results[0].append(bare())
        results[1].append(shimmed())
    return results


def comparison(results, digits=1):
    """Of (minimum, median) pairs: the least minimum and the median of medians, bare, shimmed and added."""
    figures = [(min(low for low, _ in runs), shims.median([middle for _, middle in runs])) for runs in results]
    figures.append(tuple(shimmed - bare for bare, shimmed in zip(*figures)))
    bare, shimmed, added = figures
    return (f"{bare[0]:.{digits}f} / {bare[1]:.{digits}f}", f"{shimmed[0]:.{digits}f} / {shimmed[1]:.{digits}f}",
            f"{added[0]:+.{digits}f} / {added[1]:+.{digits}f}")


def workload_table(arguments):
    rows = []
    for name, (program, options) in WORKLOADS.items():
        options = [option.format(pairs=arguments.pairs, few_pairs=arguments.pairs // 10) for option in options]
        for backend in shims.BARE:
            results = alternate(
                arguments.rounds,
                lambda: nanoseconds(arguments.programs, program, options, shims.bare_environment(backend)),
                lambda: nanoseconds(arguments.programs, program, options,
                                    shims.shim_environment(backend, arguments.shim)))
            rows.append((name, backend, *comparison(results)))
    print("Nanoseconds a pair, minimum / median; adaptive sampling, as by default.\n")
    shims.print_table(("work", "backend", "bare", "under the shim", "added"), rows)


def launched(arguments, what, environment):
    """What launch.cc prints of /bin/true. Only the child gets the environment."""
    assignments = [f"{name}={value}" for name, value in environment.items() if name != "PATH"]
    command = [os.path.join(arguments.programs, "launch"), what, "/usr/bin/env", *assignments, "/bin/true"]
    return float(shims.output_of(command, {"PATH": os.environ["PATH"], "LC_ALL": "C"}))


def idle_table(arguments):
    rows = []
    for backend in shims.BARE:
        bare = shims.bare_environment(backend)
        shim = shims.shim_environment(backend, arguments.shim)
        wall = alternate(IDLE_ROUNDS, lambda: [launched(arguments, "wall", bare)] * 2,
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
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=20_000_000)
    arguments = parser.parse_args()
    workload_table(arguments)
    idle_table(arguments)


if __name__ == "__main__":
    main()
