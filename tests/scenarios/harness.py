# SPDX-License-Identifier: Apache-2.0
"""Starts a scenario program under the shim, talks to it, runs offheap on it, and checks what is said.

Standard library only. A check that fails raises Failure with the numbers and their units; an
environment that cannot run a scenario at all raises Skip, which counts as a failure where CI is set.
Read scenarios.py for what is run and README.md for the conversation with the programs.
"""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import time

PAGE_BYTES = 4096
SKIPPED = 77
RESIDENT_PARTS = ("live_bytes", "cached_bytes", "trimmable_bytes", "pinned_bytes", "top_bytes", "metadata_bytes")


class Failure(Exception):
    """A promise was not kept."""


class Skip(Exception):
    """This machine cannot run the scenario, and why."""


class Absent(Skip):
    """Something that the package list does not promise, such as a second JVM: a skip in CI too."""


def require(condition, message):
    if not condition:
        raise Failure(message)


def show(byte_count):
    """12345678 -> '12,345,678 B (11.8 MiB)'."""
    return f"{byte_count:,.0f} B ({byte_count / 2**20:.1f} MiB)"


class Build:
    """Where a build directory keeps what the scenarios need."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory).resolve()
        self.shim = self.directory / "libshim" / "libshim.so"
        self.offheap = self._first("offheap", "tools/offheap", "tools/commands/offheap")
        self.programs = self.directory / "tests" / "scenarios" / "programs"
        self.classes = self.directory / "tests" / "scenarios" / "java"

    def _first(self, *candidates):
        for candidate in candidates:
            path = self.directory / candidate
            if path.is_file():
                return path
        raise Failure(f"no offheap under {self.directory}: build the target `offheap` first")

    def environment(self, backend, **more):
        """The caller's environment with the shim preloaded.

        Backend "none" means no shim at all; "mimalloc" a program that already has another allocator
        preloaded, which the default backend then finds next in link order.
        """
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OFFHEAP_") and k != "LD_PRELOAD"}
        if backend == "mimalloc":
            libraries = sorted(pathlib.Path("/usr/lib").glob("*/libmimalloc.so.2"))
            if not libraries:
                raise Skip("libmimalloc.so.2 is not installed")
            environment["LD_PRELOAD"] = f"{self.shim}:{libraries[0]}"
        elif backend != "none":
            environment["LD_PRELOAD"] = str(self.shim)
            environment["OFFHEAP_BACKEND"] = backend
        environment.update({k: str(v) for k, v in more.items()})
        return environment


def jvms():
    """Java's major version -> the `java` of that version on this machine; the one on PATH wins."""
    found = {}
    candidates = [shutil.which("java"), *sorted(map(str, pathlib.Path("/usr/lib/jvm").glob("*/bin/java")))]
    for java in filter(None, candidates):
        release = pathlib.Path(java).resolve().parents[1] / "release"
        version = re.search(r'JAVA_VERSION="(\d+)', release.read_text()) if release.is_file() else None
        if version:
            found.setdefault(version[1], java)
    return found


class Target:
    """A running scenario program; a context manager that leaves no process behind."""

    def __init__(self, command, environment):
        self.command = [str(part) for part in command]
        self.process = subprocess.Popen(self.command, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, start_new_session=True)
        self.pid = self.process.pid
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def say(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def next_object(self, timeout_s):
        """The next line of the program's output that is a JSON object."""
        deadline = time.monotonic() + timeout_s
        while True:
            line, separator, rest = self._buffer.partition(b"\n")
            if separator:
                self._buffer = rest
                if line.startswith(b"{"):
                    return json.loads(line)
                continue
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.process.stdout], [], [], left)[0]
            require(ready, f"{self.command[0]} (pid {self.pid}) said nothing for {timeout_s} s")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                raise Failure(f"{' '.join(self.command)} ended early, exit status {self.process.wait()}")
            self._buffer += chunk

    def wait_for(self, event, timeout_s=30):
        while True:
            said = self.next_object(timeout_s)
            if event in said:
                return said

    def ask(self, word, event, timeout_s=30):
        self.say(word)
        return self.wait_for(event, timeout_s)

    def rollup(self, key):
        """One figure of /proc/PID/smaps_rollup in bytes."""
        for line in pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise Failure(f"/proc/{self.pid}/smaps_rollup has no {key}")


def run_offheap(build, arguments, expect=0, timeout_s=60):
    """Runs offheap and returns its completed process; any other exit code than expected is a failure."""
    command = [str(build.offheap)] + [str(argument) for argument in arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    if expect is not None:
        require(done.returncode == expect,
                f"`{' '.join(command)}` left with {done.returncode}, expected {expect}\n"
                f"stdout: {done.stdout[-2000:]}\nstderr: {done.stderr[-2000:]}")
    return done


def explain(build, subject, *options):
    done = run_offheap(build, ["explain", subject, "--json", "--sites", "1000", *options])
    report = json.loads(done.stdout)
    require(report.get("schema") == "offheap.explain/1", f"schema is {report.get('schema')!r}")
    return report


def explain_quiet(build, target):
    """Explains a target at rest, and checks its total against the kernel's; returns the report.

    The kernel's figure is read before and after: only a look during which it stood still counts.
    """
    for _ in range(5):
        before = target.rollup("Rss")
        report = explain(build, target.pid)
        if before == target.rollup("Rss"):
            require(report["rss_bytes"] == before,
                    f"rss_bytes is {show(report['rss_bytes'])}, smaps_rollup says {show(before)}")
            return report
        time.sleep(0.2)
    raise Failure(f"RSS of pid {target.pid} did not stand still in five looks, though the program is at rest")


# --- identities, true of every report -------------------------------------------------------------------

def check_sums(report):
    total = sum(row["rss_bytes"] for row in report["ledger"])
    require(total == report["rss_bytes"],
            f"the ledger's owners sum to {show(total)}, rss_bytes is {show(report['rss_bytes'])}")
    malloc = report.get("malloc")
    if not malloc:
        return
    for arena in malloc["arenas"]:
        parts = sum(arena[part] for part in RESIDENT_PARTS)
        require(parts == arena["rss_bytes"],
                f"arena {arena['index']}: parts sum to {show(parts)}, its rss is {show(arena['rss_bytes'])}")
    parts = sum(malloc[part] for part in RESIDENT_PARTS)
    require(parts == malloc["rss_bytes"],
            f"malloc: parts sum to {show(parts)}, rss is {show(malloc['rss_bytes'])}")


def owner_bytes(report, owner):
    return sum(row["rss_bytes"] for row in report["ledger"] if row["owner"] == owner)


def check_unknown(report, share=0.005):
    require(any(row["owner"] == "unknown" for row in report["ledger"]), "the ledger does not print `unknown`")
    unknown = owner_bytes(report, "unknown")
    require(unknown < share * report["rss_bytes"],
            f"unknown is {show(unknown)}, {100 * unknown / report['rss_bytes']:.2f} % of RSS, allowed {100 * share} %")


def check_self(report):
    failed = [check["name"] for check in report["self"]["checks"] if not check["ok"]]
    require(not failed, f"offheap's own checks failed: {', '.join(failed)}")


# --- verdicts -------------------------------------------------------------------------------------------

def describe(report):
    return "; ".join(f"{v['kind']} {show(v['bytes'])} ({v['summary']})" for v in report["verdicts"]) or "none"


def check_verdict(report, kinds, never):
    require(report["verdicts"], "no verdict at all")
    main = report["verdicts"][0]
    require(main["kind"] in kinds, f"main verdict is {main['kind']}, expected {' or '.join(kinds)}: {describe(report)}")
    for verdict in report["verdicts"]:
        require(verdict["kind"] not in never, f"{verdict['kind']} must not be said here: {describe(report)}")
    return main


# --- sites ----------------------------------------------------------------------------------------------

def find_sites(report, function):
    """All sites whose innermost frames name the function."""
    return [site for site in report["sites"]
            if any(function in (frame.get("function") or "") for frame in site["frames"][:6])]


def check_site(report, truth, widen=2.0):
    """The truth lies inside the printed 95 % interval of the sites that carry the function's name.

    One run in twenty may miss a 95 % interval, and the suite looks at many: so a single look is held
    against the interval widened about its estimate, and coverage.py against the interval as printed.
    """
    function = truth["function"]
    found = find_sites(report, function)
    top = ", ".join(str((site["frames"] or [{}])[0].get("function")) for site in report["sites"][:5])
    require(found, f"no site names {function}, which holds {show(truth['live_bytes'])}; the first sites are: {top}")
    live, low, high = (sum(site[key] for site in found)
                       for key in ("live_bytes", "live_bytes_low", "live_bytes_high"))
    least, most = live - widen * (live - low), live + widen * (high - live)
    require(least <= truth["live_bytes"] <= most,
            f"{function} holds {show(truth['live_bytes'])}; printed {show(live)}, 95 %: {show(low)} .. {show(high)}")
    return found


def interval_width(site):
    """Half the interval's width as a share of the estimate."""
    return (site["live_bytes_high"] - site["live_bytes_low"]) / 2 / max(site["live_bytes"], 1)


# --- second sources -------------------------------------------------------------------------------------

def check_mallinfo(report, info):
    """mallinfo2 of the process at rest against the arenas read from outside, to the byte."""
    malloc = report["malloc"]
    pairs = (
        ("obtained by arenas", sum(arena["system_bytes"] for arena in malloc["arenas"]), "arena"),
        ("free in arenas", sum(arena["obtained"]["free_bytes"] for arena in malloc["arenas"]), "fordblks"),
        ("in mmapped chunks", malloc["mmapped"]["bytes"], "hblkhd"),
    )
    for what, said, field in pairs:
        require(said == info[field], f"{what}: {show(said)}, mallinfo2.{field} says {show(info[field])}")


def check_trim(report, target):
    """What is called trimmable is what malloc_trim(0) gives back, to the page."""
    predicted = report["malloc"]["trimmable_bytes"]
    before = target.rollup("Anonymous")
    target.ask("trim", "trimmed")
    drop = before - target.rollup("Anonymous")
    # The call itself may write for the first time to a page of libc's data or of the stack.
    require(0 <= predicted - drop <= 2 * PAGE_BYTES,
            f"trimmable_bytes predicted {show(predicted)}, malloc_trim(0) gave back {show(drop)}")


def run_main(run):
    """Runs `run()` as a test: 0, 1 with the failure, or 77 with the reason for the skip (1 in CI)."""
    try:
        run()
    except Failure as failure:
        print(f"FAILED: {failure}")
        return 1
    except Skip as skip:
        in_ci = bool(os.environ.get("CI")) and not isinstance(skip, Absent)
        print(f"{'FAILED in CI, where it must run' if in_ci else 'SKIPPED'}: {skip}")
        return 1 if in_ci else SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit("harness.py is a library; see run_scenario.py")
