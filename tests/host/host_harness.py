# SPDX-License-Identifier: Apache-2.0
"""Trouble on this machine, made for real and taken away again: tasks, and cgroups at their limits.

Uses the harness of the scenarios for the rest: Failure, Build, require.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))

from harness import Build, Failure, Skip, require, run_main, run_offheap, show  # noqa: E402,F401

MIB = 1 << 20
MEMORY = pathlib.Path("/sys/fs/cgroup/memory")
PIDS = pathlib.Path("/sys/fs/cgroup/pids")


class HostBuild(Build):
    def __init__(self, directory):
        super().__init__(directory)
        self.trouble = self.directory / "tests" / "host" / "programs" / "trouble"
        require(self.trouble.is_file(), f"{self.trouble} is missing: build the target host_trouble first")

    def look(self, *options, **more):
        """`offheap host --json`."""
        report = json.loads(run_offheap(self, ["host", "--json", *options], **more).stdout)
        require(report["schema"] == "offheap.host/1", f"schema is {report['schema']!r}")
        return report

    def screen(self, *options, **more):
        return run_offheap(self, ["host", *options], **more).stdout


def end_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


def enter(groups):
    """What a child does before it becomes the program: goes into each of the cgroups."""
    def go():
        for group in groups:
            (group / "cgroup.procs").write_text("0")
    return go


@contextlib.contextmanager
def trouble(build, *words, groups=(), wait=True):
    """The helper `trouble` with what it was asked for, in cgroups of its own."""
    process = subprocess.Popen([str(build.trouble), *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               start_new_session=True, text=True, preexec_fn=enter(groups))
    try:
        if wait:
            said = process.stdout.readline()
            require(said == "ready\n", f"trouble {words} said {said!r}, status {process.poll()}")
        yield process
    finally:
        end_group(process)


def remove(group):
    """A cgroup is gone some time after its last task is."""
    for _ in range(100):
        if not group.exists():
            return
        with contextlib.suppress(OSError):
            for kept in group.glob("*/"):
                kept.rmdir()
            group.rmdir()
            return
        time.sleep(0.05)


@contextlib.contextmanager
def cgroup(limit_bytes=None, controller=MEMORY, **values):
    """A cgroup v1 of this test's own, with a limit; skips where none can be made."""
    group = controller / f"offheap-test-{uuid.uuid4().hex[:12]}"
    try:
        group.mkdir()
    except OSError as problem:
        raise Skip(f"no cgroup can be made here: {problem}") from problem
    try:
        if limit_bytes is not None:
            (group / "memory.limit_in_bytes").write_text(str(limit_bytes))
        for name, value in values.items():
            (group / name.replace("__", ".")).write_text(str(value))
        yield group
    finally:
        remove(group)


def wait_until(condition, message, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        require(time.monotonic() < deadline, message)
        time.sleep(0.02)


def row_of(report, group):
    """The row of a cgroup made by cgroup()."""
    path = f"/{group.relative_to(MEMORY)}"
    rows = [row for row in report["cgroups"] if row["path"] == path]
    require(len(rows) == 1, f"{len(rows)} rows for {path}")
    return rows[0]


def main(tests):
    """Runs the tests named on the command line, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.list:
        print("\n".join(tests))
        return 0
    build = HostBuild(options.build)

    def run():
        for name in options.names or tests:
            begin = time.monotonic()
            tests[name](build)
            print(f"{name}: {time.monotonic() - begin:.1f} s")

    return run_main(run)
