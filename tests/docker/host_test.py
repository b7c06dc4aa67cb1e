#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`offheap host` and a container that Docker restarts after each out-of-memory kill: named, counted, and stopped as it says."""

import json
import subprocess
import sys
import time
import uuid

from docker_test import BASE, MIB, docker, main
from harness import require, run_offheap


def look(build):
    return json.loads(run_offheap(build, ["host", "--json"]).stdout)


def restarts(name):
    return int(docker("inspect", "--format", "{{.RestartCount}}", name))


def loop_of(report, name):
    return [one for one in report["findings"] if one["kind"] == "kill-loop" and name in one["text"]]


def restarted(build):
    name = f"offheap-test-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, "--network", "none", "--restart", "always", "--memory", "16m",
           BASE, "perl", "-e", '$x = "x" x (64 << 20)')
    try:
        deadline = time.monotonic() + 60
        while restarts(name) < 4:
            require(time.monotonic() < deadline, f"{name} was restarted {restarts(name)} times in 60 s")
            time.sleep(0.3)
        # Between two lives it has no cgroup, and is to be seen all the same.
        for _ in range(4):
            report = look(build)
            rows = [row for row in report["cgroups"] if row["name"] == name]
            require(len(rows) == 1, f"{len(rows)} rows of {name}: {report['self']['notes']}")
            require(rows[0]["restarts"] >= 4 and rows[0]["limit_bytes"] == 16 * MIB, rows[0])
            found = loop_of(report, name)
            require(len(found) == 1 and f"docker update --restart=no {name}" in found[0]["next"], report["findings"])
            time.sleep(0.4)
        # What it says is to be done, done.
        subprocess.run(found[0]["next"].split(": ", 1)[1].split(";")[0], shell=True, check=True, stdout=subprocess.DEVNULL)
        while docker("inspect", "--format", "{{.State.Status}}", name) != "exited":
            require(time.monotonic() < deadline + 30, f"{name} goes on")
            time.sleep(0.3)
        require(not loop_of(look(build), name), "a loop that was stopped is still called one")
    finally:
        docker("rm", "--force", name, check=False)


if __name__ == "__main__":
    sys.exit(main({"restarted": restarted}, __doc__))
