# SPDX-License-Identifier: Apache-2.0
"""`offheap watch` under test: the agent with a store of its own, and plain memory cgroups to follow."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

import harness
from harness import require

MOUNT = pathlib.Path("/sys/fs/cgroup/memory")
MIB = 2**20


def eater(megabytes_a_second):
    """A perl program that takes memory at a pace, for ever."""
    return f'while (1) {{ push @a, "x" x 1048576; select undef, undef, undef, {1 / megabytes_a_second} }}'


class Store:
    """A directory for evidence, removed at the end."""

    def __enter__(self):
        self.parent = pathlib.Path(tempfile.mkdtemp(prefix="offheap-watch-"))
        self.directory = self.parent / "store"
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.parent, ignore_errors=True)


class Watch:
    """An agent; ends with SIGTERM, and must then leave with 0. `command`: how it is started, if not plainly."""

    def __init__(self, build, store, *options, command=None):
        self.build = build
        self.store = store
        self.log = store.parent / f"log-{uuid.uuid4().hex[:6]}"
        with self.log.open("w") as log:
            start = [*(command or [build.offheap]), "watch", "--store", store.directory, *options]
            self.process = subprocess.Popen([str(word) for word in start],
                                            stderr=log, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.wait_for_line("following")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
        require(kind or status == 0, f"offheap watch left with {status} after SIGTERM:\n{self.said()}")

    def said(self):
        return self.log.read_text()

    def wait_for_line(self, word, timeout_s=30):
        deadline = time.monotonic() + timeout_s
        while word not in self.said():
            require(self.process.poll() is None, f"offheap watch ended with {self.process.poll()}:\n{self.said()}")
            require(time.monotonic() < deadline, f"offheap watch did not say {word!r} in {timeout_s} s:\n{self.said()}")
            time.sleep(0.1)

    def wait_for_incident(self, group_part, timeout_s=60, kills=1):
        """The whole document of the first incident whose group has `group_part` in its path."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = incidents(self.build, self.store, group_part)
            if found and found[0]["kill_count"] >= kills:
                return incident(self.build, self.store, found[0]["id"])
            require(time.monotonic() < deadline, f"no incident of {group_part} with {kills} kills in {timeout_s} s; "
                    f"incidents: {found}; the agent said:\n{self.said()}")
            time.sleep(0.3)


def incidents(build, store, group_part=""):
    """The rows of the list whose group has `group_part` in its path: other tests may run on this machine."""
    done = harness.run_offheap(build, ["incidents", "--store", store.directory, "--json"])
    document = json.loads(done.stdout)
    require(document["schema"] == "offheap.incident/1", f"schema is {document['schema']}")
    require(not document["damaged"], f"damaged: {document['damaged']}")
    return [row for row in document["incidents"] if group_part in row["group"]]


def incident(build, store, name):
    document = json.loads(harness.run_offheap(build, ["incidents", name, "--store", store.directory, "--json"]).stdout)
    text = harness.run_offheap(build, ["incidents", name, "--store", store.directory]).stdout
    wide = [line for line in text.splitlines() if len(line) > 100]
    require(not wide, f"lines over 100 columns: {wide[:3]}")
    return document


def last_explained(document):
    """The latest snapshot in which the victim is explained: (snapshot, explanation)."""
    for snapshot in reversed(document["snapshots"]):
        for process in snapshot["processes"]:
            if process["pid"] == document["victim"]["pid"] and process["explanation"]:
                return snapshot, process["explanation"]
    raise harness.Failure(f"the victim is explained in none of {len(document['snapshots'])} snapshots")


def may_make_groups():
    """Skips where plain memory cgroups cannot be made."""
    if os.geteuid() != 0:
        raise harness.Skip("making cgroups takes root")
    if not (MOUNT / "memory.limit_in_bytes").exists():
        raise harness.Skip("there is no cgroup v1 memory controller here")
    try:
        with group(64 * MIB):
            pass
    except OSError as problem:
        raise harness.Skip(f"no cgroup can be made: {problem}") from problem


@contextlib.contextmanager
def group(limit_bytes, name=None):
    """A memory cgroup with a limit; its processes are killed at the end."""
    directory = MOUNT / (name or f"offheap-test-{uuid.uuid4().hex[:10]}")
    directory.mkdir()
    try:
        (directory / "memory.limit_in_bytes").write_text(str(limit_bytes))
        yield directory
    finally:
        for pid in (directory / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        for _ in range(100):
            with contextlib.suppress(OSError):
                directory.rmdir()
                break
            time.sleep(0.05)


def run_in(directory, command, environment=None):
    """Starts a program inside a cgroup. Its stdin stays open: the scenario programs end with it."""
    return subprocess.Popen(["sh", "-c", f'echo $$ >{directory}/cgroup.procs && exec "$@"', "sh", *map(str, command)],
                            env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
