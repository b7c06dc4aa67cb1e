#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `offheap oom --json` with hand-made truth, field by field.

A truth file NAME.json stands beside NAME.log. Public logs of other people are not part of this repository:
where a folder of them lies beside the checkout (../shared/corpus/oom), they are read in place. The logs of
tests/data/oom, made by real kills, are always compared.
"""

import argparse
import json
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PUBLIC = SOURCE.parent / "shared" / "corpus" / "oom"
SKIPPED = 77

# Where the log proves its truth file wrong, or the file leaves open what the log says: (file, field) -> why.
DISPUTED = {
    ("002", "memcg"): "the log's oom-kill: line has task_memcg=/lxc/39004/ns/system.slice/docker-...scope",
    ("010", "oom_score_adj"): "its own note: not asserted; the table has the rows of 13929 and 14290 with 0",
    ("012", "kill_line"): "its own note: the oom-kill: line is the only evidence; there is no kill line",
    ("013", "kill_line"): "there is no kill line in the log",
    ("014", "kill_line"): "there is no kill line in the log",
    ("035", "memcg"): "its own note: task_memcg=/test512mb, broken by the wrap; the pieces are read as one",
    ("035", "file_rss_kb"): "its own note: 536 kB, broken by the wrap; the pieces are read as one",
    ("070", "page_kb"): "no figure in kB stands in the log, so that nothing proves the size of a page",
}


def run(offheap, log):
    done = subprocess.run([offheap, "oom", "--json", str(log)], stdout=subprocess.PIPE, check=True, timeout=120)
    return json.loads(done.stdout)


def differs(key, wanted, got):
    if isinstance(wanted, dict) and isinstance(got, dict):
        return any(differs(k, v, got.get(k)) for k, v in wanted.items())
    if key == "panic_not_oom":  # the truth gives the beginning
        return not (isinstance(got, str) and got.startswith(wanted))
    return wanted != got


def compare_kill(name, wanted, got, differences):
    for key, value in wanted.items():
        if key == "note":  # prose about the excerpt
            continue
        answer = got.get(key)
        if key == "time" and value is not None and answer is None:  # a log without wall times
            answer = got.get("kernel_clock")
        if differs(key, value, answer):
            differences.append((key, f"{name} pid {wanted.get('pid')}: {key} is {answer!r}, truth {value!r}"))


def compare(log, truth, result):
    """[(field, what differs)]"""
    differences = []
    kills = list(result["kills"])
    if len(kills) != len(truth["kills"]):
        differences.append(("kills", f"{log.name}: {len(kills)} kills "
                                     f"{[kill['pid'] for kill in kills]}, truth {[k['pid'] for k in truth['kills']]}"))
    for wanted in truth["kills"]:
        match = next((kill for kill in kills if kill["pid"] == wanted["pid"]), None)
        if match is None:
            differences.append(("pid", f"{log.name}: no kill of pid {wanted['pid']}"))
            continue
        kills.remove(match)
        compare_kill(log.name, wanted, match, differences)
    for key, value in truth["events_other"].items():
        got = result["events_other"].get(key)
        if key == "second_event_container":
            got = result["events_other"].get("memcg_report_without_kill", {}).get("container")
        if differs(key, value, got):
            differences.append((key, f"{log.name}: events_other.{key} is {got!r}, truth {value!r}"))
    kernel = truth["kernel"]
    said = kernel and kernel in log.read_text(errors="replace")  # else the page around the excerpt says it
    if (said and result["kernel"] != kernel) or (not kernel and result["kernel"]):
        differences.append(("kernel", f"{log.name}: kernel is {result['kernel']!r}, truth {kernel!r}"))
    return differences


def check_folder(offheap, folder):
    logs = sorted(folder.glob("*.log"))
    wrong = disputed = fields = 0
    for log in logs:
        truth = json.loads(log.with_suffix(".json").read_text())
        fields += sum(len(kill) for kill in truth["kills"]) + len(truth["events_other"]) + 1
        real = []
        for key, what in compare(log, truth, run(offheap, log)):
            why = DISPUTED.get((log.name[:3], key)) if folder == PUBLIC else None
            print(f"  disputed: {what}\n            {why}" if why else f"  DIFFERS: {what}")
            disputed += 1 if why else 0
            if not why:
                real.append(what)
        wrong += 1 if real else 0
    print(f"{folder.name}: {len(logs) - wrong} of {len(logs)} logs agree in every field "
          f"({fields} fields, {disputed} of them disputed as shown)")
    return wrong, len(logs)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offheap", required=True)
    parser.add_argument("--public", action="store_true", help="the folder beside the checkout, else tests/data/oom")
    options = parser.parse_args()
    folder = PUBLIC if options.public else SOURCE / "tests" / "data" / "oom"
    if options.public and not folder.is_dir():
        print(f"SKIPPED: there are no public logs at {folder.parent.name}/{folder.name} beside the checkout; "
              "the logs of tests/data/oom are compared by oomlog.data")
        return SKIPPED
    wrong, count = check_folder(options.offheap, folder)
    if count == 0:
        print("there is no log to compare")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
