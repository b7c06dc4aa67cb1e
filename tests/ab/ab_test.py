#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""offheap ab: what it measures, and that nothing that goes wrong loses the rest."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))

from harness import Build, Skip, require, run_main, show  # noqa: E402

MIB = 2**20
CGROUPS = pathlib.Path("/sys/fs/cgroup/memory")


class AbBuild(Build):
    def program(self, name):
        path = self.directory / "tests" / "ab" / "programs" / name
        require(path.is_file(), f"{path} is missing: build the target ab_programs first")
        return str(path)


class Rows:
    """What `offheap ab` left in its rows file, and how it ended."""

    def __init__(self, path, done):
        lines = path.read_text().splitlines()
        header = json.loads(lines[0])
        require(header["schema"] == "offheap.ab-rows/1", f"schema is {header['schema']}")
        self.entries, self.provenance = header["entries"], header["provenance"]
        self.rows = [json.loads(line) for line in lines[1:]]
        self.done = done

    def of(self, entry):
        return [row for row in self.rows if row["name"] == entry and not row["warm_up"]]

    def median(self, entry, key):
        values = [row["values"][key] for row in self.of(entry) if key in row["values"]]
        require(values, f"no row of {entry} has {key}: {self.of(entry)}")
        return statistics.median(values)

    def outcomes(self, entry):
        return [row["outcome"] for row in self.of(entry)]


@contextlib.contextmanager
def directory():
    with tempfile.TemporaryDirectory(prefix="offheap-ab-test-") as name:
        yield pathlib.Path(name)


def command(build, where, options, words):
    return [str(build.offheap), "ab", "--rows", str(where / "rows.jsonl"),
            *([] if "--seed" in options else ["--seed", "1"]), *map(str, options),
            *(["--", *map(str, words)] if words else [])]


def ab(build, options, words, expect=0, timeout_s=200):
    with directory() as where:
        done = subprocess.run(command(build, where, options, words), capture_output=True, text=True,
                              timeout=timeout_s, check=False, env=build.environment("none"))
        require(done.returncode == expect, f"offheap ab left with {done.returncode}, expected {expect}: "
                f"{done.stderr[-2000:]}{done.stdout[-2000:]}")
        return Rows(where / "rows.jsonl", done)


def every_value_of_a_run_is_there(build):
    rows = ab(build, ["--backends", "none,glibc,jemalloc,tcmalloc", "--runs", 2, "--warm-up", 1],
              [build.program("pairs"), 4, 8])
    require(len(rows.rows) == 12, f"{len(rows.rows)} rows, expected 4 entries x 3 rounds")
    for row in rows.rows:
        require(row["outcome"] == "done", f"{row['name']}: {row['outcome']}: {row['problem']}")
        values = row["values"]
        for key in ("wall_seconds", "user_seconds", "system_seconds", "peak_rss_bytes", "mean_rss_bytes",
                    "end_rss_bytes", "tree_peak_rss_bytes", "live_bytes", "free_resident_bytes",
                    "lock_wait_seconds", "minor_faults", "voluntary_switches"):
            require(key in values, f"{row['name']} has no {key}: {row['notes']}")
        # Statistics of an embedded backend may be from before the work was freed: then it is not known.
        require("fragmentation_ratio" in values or row["name"] in ("jemalloc", "tcmalloc"), f"{row}")
        require(values["peak_rss_bytes"] > 32 * MIB, f"peak of {row['name']}: {show(values['peak_rss_bytes'])}")
        # One block of 64 is kept, with an array of pointers that is kept too.
        kept = 32 * MIB // 64 + 4 * (8 * MIB // 1024) * 8
        require(kept <= values["live_bytes"] < kept + 2 * MIB,
                f"{row['name']}: live {show(values['live_bytes'])}, the program keeps {show(kept)}")
        require(values.get("fragmentation_ratio", 1) >= 1, f"{row['name']}: {values}")
        require(row["rss"], f"{row['name']} has no points of RSS over time")
    require(sorted({row["round"] for row in rows.rows}) == [0, 1, 2], "rounds are numbered from 0")
    allocators = {entry["name"]: entry["allocator"] for entry in rows.provenance["entries"]}
    require("jemalloc" in allocators["jemalloc"] and "glibc" in allocators["glibc"], f"{allocators}")


def direct_end_rss(build, entry):
    """The program's own measure of its last moment, without offheap."""
    backend, _, tuning = entry.partition(":")
    more = {"MALLOC_CONF": tuning.replace("=", ":")} if tuning else {}
    done = subprocess.run([build.program("pairs"), "8", "8"], capture_output=True, text=True, check=True,
                          env=build.environment(backend, **more), timeout=60)
    return int(done.stdout)


def ranks_as_a_direct_measurement_does(build):
    entries = ["glibc", "jemalloc:dirty_decay_ms=0,muzzy_decay_ms=0", "tcmalloc"]
    for seed in range(int(os.environ.get("AB_SEEDS", "2"))):
        direct = {entry: statistics.median(direct_end_rss(build, entry) for _ in range(3)) for entry in entries}
        rows = ab(build, ["--backends", " ".join(entries), "--runs", 3, "--warm-up", 0, "--seed", seed + 10],
                  [build.program("pairs"), 8, 8])
        measured = {entry: rows.median(entry, "end_rss_bytes") for entry in entries}
        compared = 0
        for less in entries:
            for more in entries:
                if direct[less] * 1.1 >= direct[more]:
                    continue
                compared += 1
                require(measured[less] < measured[more],
                        f"seed {seed}: {less} {show(measured[less])}, {more} {show(measured[more])}; "
                        f"direct {show(direct[less])}, {show(direct[more])}")
        require(compared >= 2, f"no two allocators differ: {direct}")


def broken_command_is_reported(build):
    rows = ab(build, ["--backends", "none,glibc", "--runs", 2, "--warm-up", 0], ["/nowhere/program"], expect=1)
    require(len(rows.rows) == 4, f"{len(rows.rows)} rows")
    for row in rows.rows:
        require(row["outcome"] == "not-started" and "/nowhere/program" in row["problem"], f"{row}")


def crash_under_one_entry_leaves_the_others(build):
    rows = ab(build, ["--backends", "glibc,jemalloc,none", "--runs", 2, "--warm-up", 0],
              [build.program("needs_glibc")])
    require(rows.outcomes("glibc") == rows.outcomes("none") == ["done"] * 2, f"{rows.rows}")
    for row in rows.of("jemalloc"):
        require(row["outcome"] == "signal" and row["code"] == signal.SIGABRT, f"{row}")
        require("a block is not of 24 bytes" in row["problem"], f"{row['problem']}")


def exit_status_and_timeout_are_reported(build):
    rows = ab(build, ["--backends", "none", "--runs", 1, "--warm-up", 0], ["sh", "-c", "echo why >&2; exit 3"], expect=1)
    row = rows.rows[0]
    require(row["outcome"] == "exit-status" and row["code"] == 3 and "why" in row["problem"], f"{row}")
    begin = time.monotonic()
    rows = ab(build, ["--backends", "none", "--runs", 1, "--warm-up", 0, "--timeout", "1s"],
              ["sh", "-c", "sleep 60 & sleep 60"], expect=1)
    require(rows.outcomes("none") == ["timed-out"] and time.monotonic() - begin < 30, f"{rows.rows}")


@contextlib.contextmanager
def memory_cgroup(limit_bytes):
    if not (CGROUPS / "memory.limit_in_bytes").exists() or os.geteuid() != 0:
        raise Skip("a memory cgroup (v1) takes root and its controller")
    group = CGROUPS / f"offheap-ab-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit_bytes))
    except OSError as problem:
        raise Skip(f"no memory cgroup can be made: {problem}") from problem
    try:
        yield group
    finally:
        for _ in range(50):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


def oom_kill_is_a_result(build):
    with memory_cgroup(64 * MIB) as group:
        script = f"echo $$ > {group}/cgroup.procs; exec {build.program('hog')} $1 1"
        rows = ab(build, ["--backends", "none,glibc", "--runs", 1, "--warm-up", 0], ["sh", "-c", script, "sh", 200],
                  expect=1)
        require(rows.outcomes("none") == rows.outcomes("glibc") == ["oom-killed"], f"{rows.rows}")
        rows = ab(build, ["--backends", "none", "--runs", 1, "--warm-up", 0], ["sh", "-c", script, "sh", 20])
        require(rows.outcomes("none") == ["done"], f"{rows.rows}")


def interruption_keeps_the_rows(build):
    with directory() as where:
        words = command(build, where, ["--backends", "none,glibc", "--runs", 50, "--warm-up", 0],
                        [build.program("hog"), 1, 1])
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=build.environment("none"))
        rows = where / "rows.jsonl"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not rows.exists() or rows.read_text().count("\n") < 3):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        require(process.returncode == 130, f"left with {process.returncode}: {err}")
        kept = Rows(rows, None)
        require(len(kept.rows) >= 2 and all(row["outcome"] == "done" for row in kept.rows), f"{kept.rows}")
        require(out, "nothing was shown of what had been measured")
        again = subprocess.run([str(build.offheap), "ab", "--from", str(rows)], capture_output=True, text=True,
                               check=False, timeout=60)
        require(again.returncode == 0 and again.stdout == out, f"--from shows something else: {again}")


def an_allocator_neutral_program_shows_no_difference(build):
    with directory() as where:
        page = where / "report.html"
        rows = ab(build, ["--backends", "none,glibc,jemalloc", "--runs", 4, "--warm-up", 1, "--json", "--html", page],
                  [build.program("neutral")])
        report = json.loads(rows.done.stdout)
        require(report["recommendation"]["action"] == "stay", f"{report['recommendation']}")
        require("no difference detected" in report["recommendation"]["reason"], f"{report['recommendation']}")
        require("<svg" in page.read_text(), "the page has no picture")


def lock_waits_are_what_the_threads_slept(build):
    with directory() as where:
        truth = where / "slept"
        rows = ab(build, ["--backends", "glibc glibc:arena_max=1 jemalloc", "--runs", 2, "--warm-up", 0],
                  [build.program("contend"), truth])
        slept = [float(line) for line in truth.read_text().split()]
    require(len(slept) == len(rows.rows), f"{len(slept)} lines of truth, {len(rows.rows)} rows")
    sums = {}
    for row, seconds in zip(rows.rows, slept):
        measured, true = sums.get(row["name"], (0, 0))
        sums[row["name"]] = measured + row["values"]["lock_wait_seconds"], true + seconds
    print("; ".join(f"{name}: waited {measured:.2f} s, slept {true:.2f} s" for name, (measured, true) in sums.items()))
    # A wait is seen by chance, a hundred times a second; one that begins or ends as it is looked at is missed.
    for entry in ("glibc", "glibc:arena_max=1"):
        measured, true = sums[entry]
        require(true > 0.3, f"{entry}: the threads slept {true} s only")
        require(0.3 * true < measured < 1.6 * true, f"{entry}: waited {measured} s, slept {true} s")
    require(sums["jemalloc"][0] < 0.2 * sums["glibc"][0], f"jemalloc has no such lock: {sums}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def redis(options, load=None):
    for tool in ("redis-server", "redis-benchmark"):
        if shutil.which(tool) is None:
            raise Skip(f"{tool} is not installed")
    port = free_port()
    return [*options, "--start", f"redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no",
            "--ready", f"redis-cli -p {port} ping", "--parse", "redis-benchmark",
            "--load", load or f"redis-benchmark -p {port} -n 4000 -c 10 -t set,get --csv"]


def redis_under_its_benchmark(build):
    rows = ab(build, redis(["--backends", "none,glibc", "--runs", 2, "--warm-up", 0]), [])
    for row in rows.rows:
        require(row["outcome"] == "done", f"{row['outcome']}: {row['problem']}")
        values = row["values"]
        require(values["throughput_per_second"] > 100, f"{values}")
        require(0 < values["latency_p50_seconds"] <= values["latency_p99_seconds"] < 10, f"{values}")
        require(values["end_rss_bytes"] > MIB, f"{values}")
        require(0 < values["user_seconds"] + values["system_seconds"] < 60, f"{values}")


def missing_load_tool_and_failing_load_are_reported(build):
    options = ["--backends", "none,glibc", "--runs", 1, "--warm-up", 0]
    rows = ab(build, redis(options, "no-such-load-tool -x"), [], expect=1)
    require([row["outcome"] for row in rows.rows] == ["not-started"] * 2, f"{rows.rows}")
    require("no-such-load-tool" in rows.rows[0]["problem"], f"{rows.rows[0]}")
    rows = ab(build, redis(options, "echo broken >&2; exit 4"), [], expect=1)
    require([row["outcome"] for row in rows.rows] == ["load-failed"] * 2, f"{rows.rows}")
    rows = ab(build, ["--backends", "none", "--runs", 1, "--warm-up", 0, "--ready-timeout", "1s", "--ready",
                      f"tcp:{free_port()}", "--load", "true", "--start", "sleep 60"], [], expect=1)
    require([row["outcome"] for row in rows.rows] == ["not-ready"], f"{rows.rows}")


def wrong_options_are_errors(build):
    for options in (["--backends", "mymalloc"], ["--backends", "glibc:arenas=2"], ["--runs", 0],
                    ["--measure", "speed"], ["--timeout", "soon"], ["--parse", "siege"],
                    ["--ready", "tcp:1"], ["--memory", "1g"], ["--backends", "glibc,glibc"], ["--stop", "NOW"]):
        done = subprocess.run([str(build.offheap), "ab", *map(str, options), "--", "true"], capture_output=True,
                              text=True, timeout=60, check=False, cwd="/")
        require(done.returncode == 2 and done.stderr.startswith("offheap: "), f"{options}: {done}")


TESTS = [every_value_of_a_run_is_there, ranks_as_a_direct_measurement_does, broken_command_is_reported,
         crash_under_one_entry_leaves_the_others, exit_status_and_timeout_are_reported, oom_kill_is_a_result,
         interruption_keeps_the_rows, an_allocator_neutral_program_shows_no_difference,
         lock_waits_are_what_the_threads_slept, redis_under_its_benchmark,
         missing_load_tool_and_failing_load_are_reported, wrong_options_are_errors]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("test", nargs="?")
    options = parser.parse_args()
    chosen = {test.__name__: test for test in TESTS}
    if options.list:
        print("\n".join(chosen))
        return 0
    return run_main(lambda: chosen[options.test](AbBuild(options.build)))


if __name__ == "__main__":
    sys.exit(main())
