#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same work under other tools that say who holds native memory: what each costs, and how right it is.

Each tool is compared with the same allocator without it, in alternating pairs of runs; the slow ones are given fewer
operations, and so is what they are compared with. A tool that is absent or fails has a row that says so.
"""

import argparse
import subprocess
import tempfile

import peer_tools
import shims
import workloads

TIMED = ("W1", "W2", "W3", "W4", "J2")
MEGABYTES = {"session_cache": 100, "dns_entry": 30, "log_tag": 1}
FAILURES = (RuntimeError, OSError, ValueError, LookupError, AttributeError, subprocess.SubprocessError)


def missing(peer):
    if isinstance(peer, peer_tools.AsyncProfiler) and not peer.root:
        return "not given: --async-profiler DIRECTORY"
    return shims.missing(*peer.needs)


def pairs_of_runs(arguments, peer, name):
    """What the program printed, without and with the tool: two lists."""
    workload = workloads.commands(arguments.programs, arguments.pairs // peer.slower)[name]
    absent = shims.missing(*workload.needs)
    if absent:
        raise RuntimeError(absent)

    def run():
        with tempfile.TemporaryDirectory(prefix="offheap-bench-") as directory:
            return workloads.run(workload, peer.environment(directory))

    return shims.alternate(arguments.rounds, lambda: workloads.run(workload, peer.baseline()), run)


def cost_cell(plain, with_tool):
    times = [tuple(workloads.nanoseconds(said)[1] for said in pair) for pair in zip(plain, with_tool)]
    added = shims.median([after - before for before, after in times])
    ratio = shims.median([after / before for before, after in times])
    return f"{added:+.1f} (×{ratio:.2f})"


def peak_ratio(plain, with_tool):
    return shims.median([workloads.peak_mib(after) / workloads.peak_mib(before)
                         for before, after in zip(plain, with_tool)])


def cost_row(arguments, peer):
    cells, peaks = [], {}
    for name in TIMED:
        try:
            runs = pairs_of_runs(arguments, peer, name)
            cells.append(cost_cell(*runs))
            peaks[name] = f"×{peak_ratio(*runs):.2f}"
        except FAILURES as error:
            cells.append(shims.failure(error))
    return (*cells, f"{peaks.get('W1', '?')} / {peaks.get('W4', '?')}")


def cost_table(arguments, peers):
    rows = []
    for peer in peers:
        absent = missing(peer)
        cells = [absent] + [""] * len(TIMED) if absent else cost_row(arguments, peer)
        rows.append((peer.title, peer.over, *cells))
    titles = workloads.commands(arguments.programs, arguments.pairs)
    print("CPU nanoseconds that each tool adds to the same allocator without it, a pair of calls (W) or an iteration\n"
          f"(J), median of {arguments.rounds} pairs of runs in turns, and the ratio; peak resident memory as a ratio.\n"
          + "; ".join(f"{name}: {titles[name].title}" for name in TIMED) + ".\n")
    shims.print_table(("tool", "over", *TIMED, "peak W1 / W4"), rows)


def errors(arguments, peer):
    """site -> percent by which the tool is off the truth, which the program prints; one run"""
    pairs = arguments.leak_percent * 800_000
    workload = workloads.commands(arguments.programs, pairs)["W4"]
    with tempfile.TemporaryDirectory(prefix="offheap-bench-") as directory:
        found, said = peer.sites(workload, directory)
    truth = {words[0]: int(words[1]) for words in map(str.split, said.splitlines()) if words[0] in MEGABYTES}
    return {site: (found[site] / truth[site] - 1) * 100 for site in MEGABYTES}


def error_cell(percents):
    mean = sum(percents) / len(percents)
    return f"{mean:+.1f} ({sum(map(abs, percents)) / len(percents):.1f})"


def accuracy_row(arguments, peer):
    absent = missing(peer)
    if absent:
        return (absent, "", "")
    if not getattr(peer, "reads_leaks", True):
        return ("no live bytes", "", "")
    try:
        runs = [errors(arguments, peer) for _ in range(arguments.accuracy_runs)]
    except FAILURES as error:
        return (shims.failure(error), "", "")
    return tuple(error_cell([run[site] for run in runs]) for site in MEGABYTES)


def accuracy_table(arguments, peers):
    print(f"W4 at {arguments.leak_percent} % of its size: by how many percent the bytes that a tool gives a leaking\n"
          "site are off those that the program requested there, mean (mean of absolute values) of "
          f"{arguments.accuracy_runs} runs. -100 is a site not found.\n")
    rows = [(peer.title, peer.over, *accuracy_row(arguments, peer), peer.cannot_tell) for peer in peers]
    shims.print_table(("tool", "over", *(f"{site}, {size} MB" for site, size in MEGABYTES.items()),
                       "what it cannot tell"), rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--offheap", required=True)
    parser.add_argument("--programs", required=True, help="the build's bench directory")
    parser.add_argument("--async-profiler", help="its directory, that holds bin/ and lib/")
    parser.add_argument("--pairs", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--leak-percent", type=int, default=100)
    parser.add_argument("--accuracy-runs", type=int, default=5)
    arguments = parser.parse_args()
    peers = peer_tools.all_peers(arguments)
    cost_table(arguments, peers)
    accuracy_table(arguments, peers)


if __name__ == "__main__":
    main()
