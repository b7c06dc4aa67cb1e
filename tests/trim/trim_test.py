#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""offheap trim: what it predicts is what goes."""

import json
import sys
import time

from call_test import main
from harness import jvms
from trim_harness import Skip, Target, require, run_offheap, show

MIB = 2**20


def trim(build, target, *options, own_bytes=0):
    """The report of a trim, whose RSS is the kernel's but for `own_bytes` that the target may move by itself."""
    before = target.rollup("Rss")
    report = json.loads(run_offheap(build, ["trim", target.pid, "--json", *options]).stdout)
    require(report["schema"] == "offheap.trim/1", f"schema is {report['schema']}")
    require(abs(report["rss_before_bytes"] - before) <= own_bytes,
            f"RSS before is {show(report['rss_before_bytes'])}, smaps_rollup says {show(before)}")
    after = target.rollup("Rss")
    require(abs(report["rss_after_bytes"] - after) <= own_bytes,
            f"RSS after is {show(report['rss_after_bytes'])}, smaps_rollup says {show(after)}")
    return report


def check_exact(report, least_bytes):
    require(report["predicted_bytes"] > least_bytes, f"predicted only {show(report['predicted_bytes'])}")
    require(report["released_bytes"] == report["predicted_bytes"],
            f"released {show(report['released_bytes'])}, predicted {show(report['predicted_bytes'])}")
    for arena in report["arenas"]:
        require(arena["released_bytes"] == arena["predicted_bytes"],
                f"arena {arena['index']}: released {show(arena['released_bytes'])}, "
                f"predicted {show(arena['predicted_bytes'])}")


def fragments(build, backend):
    return Target([build.program("fragments")], build.environment(backend))


def quiet_program_gives_back_what_was_predicted(build):
    with fragments(build, "none") as target:
        target.wait_for("ready")
        time.sleep(0.1)
        report = trim(build, target, "--inject")
        require(report["means"] == "inject" and len(report["arenas"]) == 5, f"{report}")
        check_exact(report, 40 * MIB)
        target.ask("on", "alive")
        again = trim(build, target, "--inject")
        require(again["predicted_bytes"] == again["released_bytes"] == 0, f"a second trim: {again}")


def shim_is_asked_for_glibc(build):
    with fragments(build, "glibc") as target:
        target.wait_for("ready")
        time.sleep(0.1)
        report = trim(build, target)
        require(report["means"] == "shim", f"means is {report['means']}")
        check_exact(report, 40 * MIB)
        target.ask("on", "alive")


def check_backend(build, backend):
    """The backend's pages go; what it predicts is its own count at its last refresh."""
    with fragments(build, backend) as target:
        target.wait_for("ready")
        time.sleep(0.5)
        report = trim(build, target)
        require(report["means"] == "shim" and report["estimate"], f"{report}")
        require(report["released_bytes"] > 10 * MIB, f"released only {show(report['released_bytes'])}")
        require(report["rss_after_bytes"] < report["rss_before_bytes"] - 10 * MIB, f"RSS did not fall: {report}")
        target.ask("on", "alive")


def jemalloc_purges(build):
    check_backend(build, "jemalloc")


def tcmalloc_releases(build):
    check_backend(build, "tcmalloc")


def text_says_what_it_costs(build):
    with fragments(build, "none") as target:
        target.wait_for("ready")
        time.sleep(0.1)
        text = run_offheap(build, ["trim", target.pid, "--inject"]).stdout
        for part in ("predicted", "given back", "was borrowed for", "faulted in again"):
            require(part in " ".join(text.split()), f"the text lacks {part!r}:\n{text}")
        require(all(len(line) <= 100 for line in text.splitlines()), f"wider than 100 columns:\n{text}")


def jvms_are_asked_by_their_own_command(build):
    if not (build.classes / "ArenasLeftBehind.class").is_file():
        raise Skip("no Java classes were built")
    for java in jvms().values():
        environment = build.environment("none")
        with Target([java, "-XX:+UseSerialGC", "-Xmx64m", "-cp", build.classes, "ArenasLeftBehind"], environment) as target:
            target.wait_for("ready", 60)
            time.sleep(1)
            report = trim(build, target, own_bytes=MIB // 4)  # the thread that answered ends after its answer
            require(report["means"] == "attach" and report["held_ns"] == 0, f"{report}")
            require(report["predicted_bytes"] > 10 * MIB, f"{java}: predicted only {show(report['predicted_bytes'])}")
            missed = abs(report["released_bytes"] - report["predicted_bytes"])
            require(missed < 2 * MIB + report["predicted_bytes"] // 20,
                    f"{java}: released {show(report['released_bytes'])}, predicted {show(report['predicted_bytes'])}")


TESTS = [quiet_program_gives_back_what_was_predicted, shim_is_asked_for_glibc, jemalloc_purges, tcmalloc_releases,
         text_says_what_it_costs, jvms_are_asked_by_their_own_command]

if __name__ == "__main__":
    sys.exit(main(TESTS, __doc__))
