#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""offheap peek: a program whose memory is known, and what is said of it."""

import json
import pathlib
import sys

from call_test import main
from trim_harness import Target, require, run_offheap, show

PAGE = 4096


def contents(build, backend="none"):
    return Target([build.program("contents")], build.environment(backend))


def peek(build, target, *options):
    report = json.loads(run_offheap(build, ["peek", target.pid, "--json", *options]).stdout)
    require(report["schema"] == "offheap.peek/1", f"schema is {report['schema']}")
    return report


def string_count(report, text, encoding="ascii"):
    found = [s for s in report["strings"] if s["text"] == text and s["encoding"] == encoding]
    require(len(found) == 1, f"{text!r} ({encoding}) is found {len(found)} times in {report['strings'][:5]}")
    return found[0]


def check_near(what, value, truth, error):
    require(abs(value - truth) <= error * truth, f"{what} is {value}, the truth is {truth} (within {100 * error} %)")


def a_known_mapping_is_described(build):
    with contents(build) as target:
        said = target.wait_for("ready")
        report = peek(build, target, "--range", said["range"])
        require(report["region_bytes"] == 64 * PAGE, f"the region has {show(report['region_bytes'])}")
        require(report["resident_bytes"] == 48 * PAGE, f"resident are {show(report['resident_bytes'])} of 48 pages")
        require(report["sampled_bytes"] == 48 * PAGE, f"read were {show(report['sampled_bytes'])}")
        check_near("dense bytes", report["dense_bytes"], 16 * PAGE, 0)
        check_near("bytes of zero pages", report["zero_page_bytes"], 16 * PAGE, 0)
        text = string_count(report, "customer=unknown;")
        check_near("the text's count", text["count"], 1024, 0)
        check_near("the text's bytes", text["bytes"], 1024 * 17, 0)
        check_near("the wide text's count", string_count(report, "Schluessel", "utf-16")["count"], 100, 0)


def an_arena_names_its_classes(build):
    with contents(build) as target:
        said = target.wait_for("ready")
        report = peek(build, target, "--arena", 0, "--strings", 50)
        counts = {entry["name"]: entry["count"] for entry in report["classes"]}
        check_near("store::Order", counts.get("store::Order", 0), said["orders"], 0.001)
        check_near("store::RushOrder", counts.get("store::RushOrder", 0), said["rush_orders"], 0.001)
        note = string_count(report, "a note that is in the heap 500 times")
        check_near("the note's count", note["count"], said["notes"], 0)
        blocks = {entry["chunk_bytes"]: entry["count"] for entry in report["blocks"]}
        check_near("blocks of 32 bytes", blocks.get(32, 0), said["orders"] + said["rush_orders"], 0.05)
        # The vector of orders lies in the arena as well: it points into it.
        require(report["pointers"]["inside"] >= 4500, f"only {report['pointers']['inside']} pointers inside")
        require(any(r["pointer_count"] > 0 for r in report["referrers"]), "nothing points into the heap")


def a_sample_is_even(build):
    """A quarter of the memory gives the counts of a quarter, and no more is read than asked for."""
    with contents(build) as target:
        said = target.wait_for("ready")
        report = peek(build, target, "--range", said["range"], "--sample", "64K")
        require(report["sampled_bytes"] <= 128 * 1024, f"read {show(report['sampled_bytes'])}")
        require(0 < report["sampled_bytes"] < report["resident_bytes"], "nothing or all was read")


def nothing_changes_by_looking(build):
    with contents(build) as target:
        said = target.wait_for("ready")
        peek(build, target, "--arena", 0)

        def state():
            rollup = pathlib.Path(f"/proc/{target.pid}/smaps").read_text()
            begin, end = (int(word, 16) for word in said["range"].split("-"))
            with open(f"/proc/{target.pid}/pagemap", "rb") as pagemap:
                pagemap.seek(begin // PAGE * 8)
                words = pagemap.read((end - begin) // PAGE * 8)
            present = sum(words[i + 7] >> 7 for i in range(0, len(words), 8))
            return [line for line in rollup.splitlines() if line.startswith("Rss:")], present

        before = state()
        for options in (["--arena", 0], ["--range", said["range"]], ["--range", "1000-7fffffffffff"]):
            peek(build, target, *options)
        require(state() == before, f"resident memory has changed: {before[1]} pages, then {state()[1]}")


def a_site_shows_its_blocks(build):
    with Target([build.program("contents")], build.environment("glibc", OFFHEAP_SAMPLE=64)) as target:
        target.wait_for("ready")
        explained = json.loads(run_offheap(build, ["explain", target.pid, "--json", "--sites", "100"]).stdout)
        wanted = [i for i, site in enumerate(explained["sites"])
                  if any("fill_heap" in frame["function"] for frame in site["frames"])]
        require(wanted, "explain names no site in fill_heap")
        found = [peek(build, target, "--site", index) for index in wanted]
        require(all("fill_heap" in report["region"] for report in found),
                f"the sites are {[report['region'] for report in found]}")
        names = {entry["name"] for report in found for entry in report["classes"]}
        require({"store::Order", "store::RushOrder"} <= names, f"classes are {names}")


def hostile_text_is_sanitised(build):
    """What a page of memory says must not drive a terminal; tabs are the only control characters taken."""
    with contents(build) as target:
        target.wait_for("ready")
        text = run_offheap(build, ["peek", target.pid, "--range", "1000-7fffffffffff", "--strings", 200]).stdout
        require(all(c == "\n" or c >= " " for c in text), "a control character was printed")
        require(all(len(line) <= 100 for line in text.splitlines()), "a line is wider than 100 columns")


def wrong_questions_are_refused(build):
    with contents(build) as target:
        target.wait_for("ready")
        for options, expected in ((["--arena", 99], "there is no arena 99"), (["--site", 0], "no recording"),
                                  (["--range", "1000-2000"], "nothing readable"), (["--range", "x-y"], "no range"),
                                  ([], "--arena, --site, --range")):
            done = run_offheap(build, ["peek", target.pid, *options], expect=2)
            require(expected in done.stderr, f"{options}: says {done.stderr}")


TESTS = [a_known_mapping_is_described, an_arena_names_its_classes, a_sample_is_even, nothing_changes_by_looking,
         a_site_shows_its_blocks, hostile_text_is_sanitised, wrong_questions_are_refused]

if __name__ == "__main__":
    sys.exit(main(TESTS, __doc__))
