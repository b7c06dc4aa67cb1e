#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `offheap watch` costs while it follows plain memory cgroups in which nothing happens. Takes root."""

import argparse
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import shims

MOUNT = pathlib.Path("/sys/fs/cgroup/memory")


def cpu_seconds(pid):
    """What the agent's one thread ran: proc(5), schedstat."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def status_bytes(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def measure(offheap, groups, seconds, interval):
    made = []
    with tempfile.TemporaryDirectory() as store:
        try:
            for i in range(groups):
                made.append(MOUNT / f"offheap-bench-{os.getpid()}-{i}")
                made[-1].mkdir()
                (made[-1] / "memory.limit_in_bytes").write_text("64M")
            agent = subprocess.Popen([offheap, "watch", "--store", f"{store}/evidence", "--interval", interval],
                                     stderr=subprocess.DEVNULL)
            try:
                time.sleep(3)
                before, began = cpu_seconds(agent.pid), time.monotonic()
                time.sleep(seconds)
                share = (cpu_seconds(agent.pid) - before) / (time.monotonic() - began)
                return share, status_bytes(agent.pid, "VmRSS"), status_bytes(agent.pid, "VmHWM")
            finally:
                agent.send_signal(signal.SIGTERM)
                agent.wait()
        finally:
            for group in made:
                group.rmdir()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offheap", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--groups", type=int, nargs="*", default=[30, 300])
    parser.add_argument("--interval", default="1s")
    arguments = parser.parse_args()
    rows = []
    for groups in arguments.groups:
        share, rss, peak = measure(arguments.offheap, groups, arguments.seconds, arguments.interval)
        rows.append((str(groups), f"{100 * share:.2f}", f"{rss / 2**20:.1f}", f"{peak / 2**20:.1f}"))
    print(f"offheap watch --interval {arguments.interval}, idle groups, {arguments.seconds} s each.\n")
    shims.print_table(("groups", "% of a core", "RSS MiB", "peak MiB"), rows)


if __name__ == "__main__":
    main()
