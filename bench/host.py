#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time and memory of `offheap host` on a crowded machine: host.py [--build build] [--tasks 50000] [--runs 7].

Makes 300 memory cgroups with limits and that many sleeping tasks in them, half of them processes of 250 threads, half
processes of 10, and 300 zombies; runs `offheap host` and, for comparison, `ps` over all threads, in turns. Needs root,
cgroup v1 and, for each 10,000 tasks, about 250 MiB. kernel.pid_max is raised meanwhile.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "host"))

from host_harness import MIB, HostBuild, cgroup, run_main, trouble  # noqa: E402

import shims  # noqa: E402

PID_MAX = pathlib.Path("/proc/sys/kernel/pid_max")
CGROUPS = 300
ZOMBIES = 300


@contextlib.contextmanager
def room_for(tasks):
    before = PID_MAX.read_text()
    if int(before) < tasks + 10000:
        PID_MAX.write_text(str(tasks + 10000))
    try:
        yield
    finally:
        PID_MAX.write_text(before)


def timed(command):
    """Seconds, peak resident KiB, standard output."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command} left with {process.returncode}")
    return time.monotonic() - begin, used.ru_maxrss, output


def crowd(stack, build, tasks):
    groups = [stack.enter_context(cgroup(2048 * MIB)) for _ in range(CGROUPS)]
    for i in range(tasks // 500):
        stack.enter_context(trouble(build, "threads", 249, groups=(groups[2 * i % CGROUPS],)))
        # 24 children of 10 threads and a parent of 10
        stack.enter_context(trouble(build, "processes", 24, 10, "threads", 9, groups=(groups[(2 * i + 1) % CGROUPS],)))
    stack.enter_context(trouble(build, "zombies", ZOMBIES))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--tasks", type=int, default=50000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    build = HostBuild(options.build)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended: what was made is taken away"))

    def run():
        host, ps, peak, report = [], [], 0, {}
        with room_for(options.tasks), contextlib.ExitStack() as stack:
            crowd(stack, build, options.tasks)
            for _ in range(options.runs):
                seconds, resident, output = timed([build.offheap, "host", "--json"])
                host.append(seconds)
                peak, report = max(peak, resident), json.loads(output)
                if shutil.which("ps"):
                    ps.append(timed(["ps", "-eLo", "pid,tid,stat,wchan:32,comm"])[0])
        print(shims.machine(), "\n")
        tasks = report["tasks"]
        print(f"{tasks['threads']:,} threads of {tasks['processes']:,} processes, {tasks['zombies']} zombies, "
              f"{len(report['cgroups'])} cgroups with a limit; {options.runs} runs each.\n")
        print("| | min s | median s | max s | peak resident |\n|---|---|---|---|---|")
        print(f"| `offheap host` | {min(host):.2f} | {statistics.median(host):.2f} | {max(host):.2f} | {peak / 1024:.1f} MiB |")
        if ps:
            print(f"| `ps -eLo stat,wchan` | {min(ps):.2f} | {statistics.median(ps):.2f} | {max(ps):.2f} | |")
        phases = ", ".join(f"{phase['name']} {phase['ns'] / 1e6:.0f}" for phase in report["self"]["phases"])
        print(f"\nOf the last, {report['self']['between_looks_ns'] / 1e9:.2f} s between the two looks. ms by phase: {phases}.")
        print("".join(f"\n{note}" for note in report["self"]["notes"]))

    return run_main(run)


if __name__ == "__main__":
    sys.exit(main())
