#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one scenario under one backend, or lists them all (for CMake, one "name backend" a line)."""

import argparse
import json
import subprocess
import sys
import time

import harness
import scenarios
from harness import require, show


class Run:
    """One scenario under one backend, and what has been seen of it so far."""

    def __init__(self, build, scenario, backend, seed):
        self.build = build
        self.scenario = scenario
        self.backend, _, self.java_version = backend.partition("@")
        self.seed = seed
        self.started = 0.0
        self.worked_s = 0.0

    @property
    def native(self):
        return not self.scenario.java

    @property
    def glibc_heap(self):
        return self.backend in scenarios.GLIBC_HEAP

    def command(self):
        parts = [part.format(programs=self.build.programs, seed=self.seed) for part in self.scenario.program]
        if self.native:
            return parts
        found = harness.jvms()
        if not found or self.java_version and self.java_version not in found:
            raise harness.Absent(f"no Java {self.java_version} on this machine: found {sorted(found)}")
        return [found.get(self.java_version) or next(iter(found.values())), *self.scenario.java, "-cp", str(self.build.classes), *parts]

    def kinds(self):
        return self.scenario.kinds_of.get(self.backend, self.scenario.kinds)

    def go(self):
        with harness.Target(self.command(), self.build.environment(self.backend)) as target:
            self.started = time.monotonic()
            truth = target.wait_for("ready")
            if self.scenario.growing:
                truth, working = self.look_at_work(target)
                main = harness.check_verdict(working, self.kinds(), self.scenario.never)
            report = self.look_at_rest(target)
            if not self.scenario.growing:
                working = report
                main = harness.check_verdict(report, self.kinds(), self.scenario.never)
            for name in self.scenario.checks:
                CHECKS[name](self, truth, working, report)
            if self.native and self.glibc_heap:
                harness.check_mallinfo(report, target.ask("mallinfo", "fordblks"))
                harness.check_trim(report, target)
        print(f"{self.scenario.name} {self.backend}: {main['kind']}, {show(main['bytes'])}: {main['summary']}")

    def look_at_work(self, target):
        """Asks while the program works; then tells it to hold, and returns its truth and the report."""
        time.sleep(self.scenario.warm_s)
        working = harness.explain(self.build, target.pid, "--for", f"{self.scenario.look_s}s")
        harness.check_sums(working)
        truth = target.ask("hold", "held")
        self.worked_s = time.monotonic() - self.started
        return truth, working

    def look_at_rest(self, target):
        time.sleep(0.1)
        report = harness.explain_quiet(self.build, target) if self.native else harness.explain(self.build, target.pid)
        harness.check_sums(report)
        if self.native:
            harness.check_self(report)
        harness.check_unknown(report, 0.01 if self.native else 0.005)
        if self.backend == "none":
            require(report["target"]["shim"] is None, "the target runs without the shim, the report says otherwise")
        else:
            require(report["target"]["shim"] is not None, "the target is preloaded, the report says it is not")
            require(not any("no recording" in note for note in report["notes"]), f"notes: {report['notes']}")
        return report


# --- extra checks: (run, truth at rest, report of the verdict, report at rest) --------------------------

def check_sites(run, truth, _working, report):
    if run.backend == "none":
        return
    for site in truth["sites"]:
        if site["live_bytes"] < 4_000_000:
            continue
        found = harness.check_site(report, site)
        if site["live_bytes"] >= 50_000_000 and len(found) == 1:
            width = harness.interval_width(found[0])
            require(width <= 0.10, f"{site['function']}: the interval is +-{100 * width:.1f} % at "
                                   f"{show(site['live_bytes'])}, allowed 10 %")


def check_growth(run, truth, working, _report):
    site = truth["sites"][0]
    expected = site["live_bytes"] / run.worked_s
    said = sum(found["growth_bytes_per_second"] or 0 for found in harness.find_sites(working, site["function"]))
    require(0.5 * expected <= said <= 1.7 * expected,
            f"{site['function']} grows by {show(expected)}/s, the report says {show(said)}/s")


def check_untouched(_run, truth, working, report):
    site = truth["sites"][0]
    require(report["rss_bytes"] < site["live_bytes"] / 2,
            f"RSS is {show(report['rss_bytes'])}: the scenario is void, its {show(site['live_bytes'])} were touched")
    main = working["verdicts"][0]
    resident = "not resident" in main["summary"] or "untouched" in main["summary"] or "never touched" in main["summary"]
    require(resident or main["bytes"] <= working["rss_bytes"],
            f"the verdict claims {show(main['bytes'])} of an RSS of {show(working['rss_bytes'])} "
            f"without a word about untouched pages: {main['summary']}")


def check_stacks(_run, truth, _working, report):
    said = harness.owner_bytes(report, "thread-stacks")
    low, high = truth["stack_bytes"], truth["stack_bytes"] + (truth["threads"] + 4) * 64 * 1024
    require(low <= said <= high, f"{truth['threads']} threads touched {show(low)} of stack, the ledger says {show(said)}")


def check_freed(run, truth, working, _report):
    """What was freed and is still resident is what the verdict speaks of, within a fifth.

    jemalloc and tcmalloc may have given any part of it back by themselves.
    """
    main = working["verdicts"][0]
    freed = truth["freed_bytes"]
    require(main["bytes"] <= 1.2 * freed, f"{show(freed)} were freed, the verdict says {show(main['bytes'])}")
    if run.glibc_heap:
        require(main["bytes"] >= 0.8 * freed, f"{show(freed)} were freed, the verdict says {show(main['bytes'])}")


def check_pinning(_run, truth, working, _report):
    """The report points at the cached block that keeps the top from being given back."""
    pins = [pin for arena in working["malloc"]["arenas"] for pin in arena["pinning"]]
    held = max((pin["freed_if_gone_bytes"] for pin in pins if pin["cached"]), default=0)
    require(held >= 0.8 * truth["freed_bytes"],
            f"one cached block keeps {show(truth['freed_bytes'])}; the report's cached pins keep {show(held)}")


def check_cached(run, truth, _working, report):
    said = report["malloc"]["cached_bytes"]
    if run.glibc_heap:
        expected = truth["cached_bytes"]
        require(0.98 * expected <= said <= 1.05 * expected,
                f"the thread caches hold {show(expected)}, the report says {show(said)}")


def check_deflaters(run, truth, _working, report):
    """Bytes by zlib's own account: what one deflateInit2 takes, times the Deflaters kept."""
    done = subprocess.run([str(run.build.programs / "deflate_cost")], env=run.build.environment(run.backend),
                          capture_output=True, text=True, check=True, timeout=20)
    each = json.loads(done.stdout)["sites"][0]
    leaked = {"function": "deflateInit2_", "live_bytes": each["live_bytes"] * truth["deflaters"]}
    found = harness.check_site(report, leaked)
    modules = {frame.get("module") or "" for frame in found[0]["frames"]}
    for module in ("libz.so", "libzip.so"):
        require(any(module in name for name in modules), f"the stack does not pass through {module}: {sorted(modules)}")


def check_needs_shim(_run, truth, working, _report):
    """Without the shim the heap's own growth tells a leak; which site it is takes a recording, and that is said."""
    main = working["verdicts"][0]
    require(main["bytes"] <= 1.1 * truth["sites"][0]["live_bytes"],
            f"{show(truth['sites'][0]['live_bytes'])} leaked, the verdict says {show(main['bytes'])}")
    require(not working["sites"], "sites without a recording")
    require("offheap run" in main["remedy"], f"the remedy does not say that sites need the shim: {main['remedy']}")
    require(any("no recording" in note for note in working["notes"]), f"notes: {working['notes']}")


def within(what, said, truth, least, most):
    require(least * truth <= said <= most * truth, f"{what}: {show(said)}, by the JVM's own account {show(truth)}")


def check_mapped(_run, truth, working, report):
    within("file", harness.owner_bytes(report, "file"), truth["file_bytes"], 1.0, 1.05)
    require(working["verdicts"][0]["bytes"] >= truth["file_bytes"], "the verdict's bytes are less than the file's")


def check_direct(_run, truth, working, report):
    """Bits' own counters, read from outside, are the JVM's own account; the verdict was asked a moment earlier."""
    direct = report["java"]["direct"]
    require((direct["reserved_bytes"], direct["count"]) == (truth["direct_bytes"], truth["direct_count"]),
            f"direct buffers: {direct}, by the JVM's own account {truth}")
    within("verdict", working["verdicts"][0]["bytes"], truth["direct_bytes"], 0.5, 1.02)


def check_metaspace(_run, truth, _working, report):
    """Resident is at least what is in use and at most what is committed: a small loader leaves most of its chunk unused."""
    metaspace, class_space = (harness.owner_bytes(report, owner) for owner in ("java-metaspace", "java-class-space"))
    require(metaspace >= 0.98 * truth["metaspace_bytes"] and class_space >= 0.98 * truth["class_space_bytes"],
            f"metaspace {show(metaspace)}, class space {show(class_space)}; in use by the JVM's own account: {truth}")
    within("both", metaspace + class_space, truth["both_committed_bytes"], 0.5, 1.02)


def check_code_cache(_run, truth, _working, report):
    within("java-code-cache", harness.owner_bytes(report, "java-code-cache"), truth["code_cache_bytes"], 0.9, 1.2)


def check_java_threads(_run, truth, _working, report):
    named = [thread for thread in report["threads"] if thread["name"].startswith("kept-")]
    require(len(named) == truth["threads"], f"{truth['threads']} threads were started, {len(named)} are in the report")
    each = harness.owner_bytes(report, "thread-stacks") / truth["threads"]
    require(32 * 1024 <= each <= 256 * 1024, f"{show(each)} of stack for each thread")


def check_java_heap(_run, truth, _working, report):
    heap = report["java"]["heap"]
    within("java-heap", harness.owner_bytes(report, "java-heap"), truth["heap_used_bytes"], 0.95, 1.6)
    within("heap used", heap["used_bytes"], truth["heap_used_bytes"], 0.9, 1.1)
    require(heap["committed_bytes"] == truth["heap_committed_bytes"], f"heap: {heap}, truth {truth}")


def check_needs_attach(_run, _truth, working, _report):
    """Without the shim the arenas' growth tells a leak; which site it is takes an attach, and that is said."""
    main = working["verdicts"][0]
    require(not working["sites"], "sites without a recording")
    require("offheap attach" in main["remedy"], f"the remedy does not say that sites need attach: {main['remedy']}")


def check_says_what_to_run(_run, _truth, working, _report):
    main = working["verdicts"][0]
    require(main["kind"] != "undecided" or "offheap explain" in main["remedy"],
            f"undecided without a word of what would decide: {main['remedy']}")


CHECKS = {
    "needs_shim": check_needs_shim,
    "needs_attach": check_needs_attach,
    "mapped": check_mapped,
    "direct": check_direct,
    "metaspace": check_metaspace,
    "code_cache": check_code_cache,
    "java_threads": check_java_threads,
    "java_heap": check_java_heap,
    "says_what_to_run": check_says_what_to_run,
    "sites": check_sites,
    "growth": check_growth,
    "untouched": check_untouched,
    "stacks": check_stacks,
    "freed": check_freed,
    "pinning": check_pinning,
    "cached": check_cached,
    "deflaters": check_deflaters,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="build directory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print every scenario and backend")
    parser.add_argument("scenario", nargs="?")
    parser.add_argument("backend", nargs="?")
    options = parser.parse_args()
    if options.list:
        found = harness.jvms()
        for scenario in scenarios.SCENARIOS:
            for backend in scenario.backends:
                version = backend.partition("@")[2]
                if not version or version in found:
                    print(scenario.name, backend)
        return 0
    if not options.scenario or not options.backend:
        parser.error("name a scenario and a backend, or --list")
    scenario = scenarios.find(options.scenario)
    return harness.run_main(lambda: Run(harness.Build(options.build), scenario, options.backend, options.seed).go())


if __name__ == "__main__":
    sys.exit(main())
