# SPDX-License-Identifier: Apache-2.0
"""Reads the recordings that a run leaves behind, and removes them while it goes on.

A recording reserves 8 MiB, and a shell script leaves one a command: what a dead process left is read at once, the
first of them all and then a share, and removed.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time

import harness
import program

MOST_READ = 30
NAME = re.compile(r"(?P<comm>.*)-(?P<pid>\d+)-(?P<ticks>\d+)(-\d+)?\.offheap$")


class Recordings:
    """The recordings of one run; a context manager around it."""

    def __init__(self, build, counted):
        self.build, self.counted = build, counted
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="offheap-recordings-"))
        self.directory.chmod(0o1777)
        self.seen = collections.Counter()
        self.read = 0
        self.allocated_bytes = 0
        self.faults = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sweep, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        subprocess.run(["rm", "-rf", str(self.directory)], check=False)

    def finish(self):
        """Reads what is left, when every process of the run is dead."""
        self._stop.set()
        self._thread.join()
        self.take()

    def _sweep(self):
        while not self._stop.wait(0.3):
            self.take(finished_only=True)

    def take(self, finished_only=False):
        """Reads and removes recordings; those of living processes only at the end, when all are dead."""
        for path in sorted(self.directory.glob("*.offheap"), key=lambda path: path.name):
            name = NAME.match(path.name)
            if not name or (finished_only and (os.path.exists(f"/proc/{name['pid']}") or
                                               time.time() - path.stat().st_mtime < 0.2)):
                continue
            self.seen[name["comm"]] += 1
            if self.read < MOST_READ or self.seen[name["comm"]] <= (3 if finished_only else MOST_READ):
                self.read += 1
                self._examine(path)
            path.unlink(missing_ok=True)

    def _examine(self, path):
        with program.OWN_CHILDREN:
            done = subprocess.run([str(self.build.offheap), "explain", str(path), "--json"], capture_output=True,
                                  text=True, errors="replace", timeout=60, check=False)
        if done.returncode != 0:
            # A process may be killed while it makes its recording.
            header = path.read_bytes()[:8] if path.exists() else b""
            if header.strip(b"\0"):
                self.faults.append(f"{path.name}: explain left with {done.returncode}: {done.stderr.strip()[:300]}")
            return
        report = json.loads(done.stdout)
        losses = {name: count for name, count in report["self"]["losses"].items() if count}
        if losses:
            self.faults.append(f"{path.name}: losses {losses}")
        self._examine_counts(path.name, report)

    def _examine_counts(self, name, report):
        """More freed than allocated, or more alive than there is memory: a miscount."""
        recorded = report["recorded"]
        allocated, freed = recorded["allocated_bytes"], recorded["freed_bytes"]
        self.allocated_bytes += allocated
        # jemalloc's counts are copied at samples, those of each thread at another time.
        behind = 64 << 20 if "jemalloc" in report["target"]["shim"]["backend"] else 0
        if self.counted and not recorded["begins_late"] and allocated - freed < -behind:
            self.faults.append(f"{name}: {allocated} bytes allocated, {freed} freed")
        if max(allocated, freed) >= 1 << 50:
            self.faults.append(f"{name}: {allocated} bytes allocated, {freed} freed: cannot be")


def summary(recordings):
    return (f"{sum(recordings.seen.values())} recordings, {recordings.read} read, "
            f"{harness.show(recordings.allocated_bytes)} allocated")
