#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""offheap ab in containers with a limit: an OOM kill is a result, and what the host sees of the rest."""

import json
import pathlib
import subprocess
import sys
import tempfile

from docker_test import BASE, MIB, main
from harness import require, show


def run_ab(build, mib, expect):
    programs = build.directory / "tests" / "ab" / "programs"
    with tempfile.TemporaryDirectory() as where:
        rows = pathlib.Path(where) / "rows.jsonl"
        done = subprocess.run([str(build.offheap), "ab", "--backends", "none,glibc,jemalloc", "--runs", "1", "--warm-up", "0",
                               "--rows", str(rows), "--docker", BASE, "--memory", "64m", "--docker-arg=--network=none",
                               f"--docker-arg=--volume={programs}:/programs with blank:ro", "--",
                               "/programs with blank/hog", str(mib), "1"],
                              capture_output=True, text=True, timeout=200, check=False)
        require(done.returncode == expect, f"offheap ab left with {done.returncode}: {done.stderr}{done.stdout}")
        found = [json.loads(line) for line in rows.read_text().splitlines()[1:]]
    require(len(found) == 3, f"{len(found)} rows, expected 3: {done.stderr}")
    return found


def runs_in_containers(build):
    for row in run_ab(build, 20, 0):
        require(row["outcome"] == "done", f"{row}")
        require(20 * MIB < row["values"]["peak_rss_bytes"] < 64 * MIB,
                f"{row['name']}: peak {show(row['values']['peak_rss_bytes'])}")
        require(20 * MIB < row["values"]["live_bytes"] < 24 * MIB, f"{row['name']}: {row['values']} {row['notes']}")
    for row in run_ab(build, 200, 1):
        require(row["outcome"] == "oom-killed", f"{row}")


TESTS = {"ab": runs_in_containers}

if __name__ == "__main__":
    sys.exit(main(TESTS, __doc__))
