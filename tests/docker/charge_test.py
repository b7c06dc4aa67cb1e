#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers explained from the host by name: what fills the charge, in bytes, against what the program wrote.

No preload. Each container fills one kind of memory; its verdict must name that kind, and the charge must close.
"""

import contextlib
import sys
import time
import uuid

from docker_test import BASE, MIB, docker, main
import harness
from harness import require, show

WRITTEN = 60 * MIB
WRITE = 'open F,">%s" or die; print F "x" x 1048576 for 1..60; close F; $|=1; print "ready\\n"; sleep 600'
EATER = '$x = "x" x (80 << 20); $|=1; print "ready\\n"; sleep 600'
PIPES = ('use Fcntl; for (1..400) { pipe(my $r, my $w) or die; push @kept, $r, $w; fcntl($w, F_SETFL, O_NONBLOCK);'
         ' $written += syswrite $w, "x" x 65536 } $|=1; print "ready $written\\n"; sleep 600')


@contextlib.contextmanager
def running(*command, options=()):
    """A container that has said "ready"; yields its name and what it said after that word."""
    name = f"offheap-test-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, "--network", "none", "--memory", "256m", *options, BASE, *command)
    try:
        deadline = time.monotonic() + 60
        while "ready" not in (said := docker("logs", name)):
            require(time.monotonic() < deadline, f"{name} is not ready after 60 s: {said}")
            time.sleep(0.2)
        yield name, said.split("ready", 1)[1].strip()
    finally:
        docker("rm", "--force", name, check=False)


def explain(build, target):
    report = harness.explain(build, target)
    harness.check_sums(report)
    charge = report["cgroup"]["charge"]
    require(charge["closed"], f"the charge does not close: {charge}")
    parts = sum(charge[key] for key in ("anon_bytes", "file_bytes", "shmem_bytes", "kernel_bytes", "rest_bytes"))
    parts += sum(other["bytes"] for other in charge["others"])
    require(parts == charge["usage_bytes"], f"parts sum to {show(parts)}, the charge is {show(charge['usage_bytes'])}")
    return report


def expect(report, kind, low, high):
    found = [verdict for verdict in report["verdicts"] if verdict["kind"] == kind]
    require(found, f"no {kind}: {harness.describe(report)}")
    require(low <= found[0]["bytes"] <= high,
            f"{kind} of {show(found[0]['bytes'])}, expected {show(low)} to {show(high)}")
    return found[0]


def tmpfs(build):
    with running("perl", "-e", WRITE % "/scratch/big", options=("--tmpfs", "/scratch")) as (name, _):
        report = explain(build, name)
    verdict = expect(report, "tmpfs", WRITTEN, WRITTEN + MIB)
    require(any("/scratch/big" in line for line in verdict["evidence"]), f"the file is not named: {verdict}")
    require(report["target"]["container"]["name"] == name, f"the name is not {name}: {report['target']}")


def page_cache(build):
    write = """open F,">/var/file" or die; print F "x" x 1048576 for 1..60; close F"""
    # Only clean pages can be dropped.
    with running("sh", "-c", f"perl -e '{write}' && sync && echo ready && exec sleep 600") as (name, _):
        report = explain(build, name)
    expect(report, "page-cache", 0.9 * WRITTEN, WRITTEN + 8 * MIB)


def kernel_memory(build):
    with running("perl", "-e", PIPES) as (name, written):
        report = explain(build, name)
    expect(report, "kernel-memory", int(written), int(written) + 8 * MIB)
    require(report["cgroup"]["descriptors"]["pipes"] >= 800, f"pipes: {report['cgroup']['descriptors']}")


def other_process(build):
    with running("sh", "-c", f"perl -e '{EATER}' & wait") as (name, _):
        first = int(docker("inspect", "--format", "{{.State.Pid}}", name))
        of_first = explain(build, first)
        by_name = explain(build, name)
    eater = by_name["target"]["pid"]
    verdict = expect(of_first, "other-process", 80 * MIB, 200 * MIB)
    require(f"pid {eater} perl" in verdict["summary"], f"pid {eater} is not named: {verdict['summary']}")
    require(eater != first, "by name, the process that holds the memory is to be explained")
    require(any("--all" in note for note in by_name["notes"]), f"the choice is not said: {by_name['notes']}")


TESTS = {"tmpfs": tmpfs, "page-cache": page_cache, "kernel": kernel_memory, "other": other_process}


if __name__ == "__main__":
    sys.exit(main(TESTS, __doc__))
