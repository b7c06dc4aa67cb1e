#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`offheap attach` on running processes: what it finds, what it leaves behind, and what it refuses.

One function a test; `attach_test.py --build DIR NAME` runs one. The JVMs are those of this machine: the
tests say which were found. OFFHEAP_ATTACH_ROUNDS sets how often the rounds attach and detach.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scenarios"))
from harness import (Absent, Build, Failure, Skip, Target, check_sums, explain, find_sites, jvms, require,  # noqa: E402
                     run_main, run_offheap, show)

ROUNDS = int(os.environ.get("OFFHEAP_ATTACH_ROUNDS", "25"))
UNREADABLE = 3


def java(version):
    found = jvms()
    print(f"JVMs here: {', '.join(sorted(found)) or 'none'}")
    if version not in found:
        raise (Skip if version == "17" else Absent)(f"no JVM {version} on this machine")
    return found[version]


def library(name):
    found = sorted(pathlib.Path("/usr/lib").glob(f"*/{name}"))
    if not found:
        raise Skip(f"{name} is not installed")
    return str(found[0])


@contextlib.contextmanager
def workload(build, version, *options, preload="", leak=True):
    classes = build.directory / "tests" / "attach" / "java"
    command = [java(version), "-Xmx64m", *options, "-cp", classes, "CheckedWork"] + (["leak"] if leak else [])
    with Target(command, build.environment("none", **({"LD_PRELOAD": preload} if preload else {}))) as target:
        target.wait_for("ready")
        yield target


def attach(build, target, *options, expect=0):
    return run_offheap(build, ["attach", target.pid, *options], expect=expect)


def refused(build, target, *words, options=()):
    """The attach is refused, with these words; the target lives on."""
    done = attach(build, target, *options, expect=UNREADABLE)
    said = done.stdout + done.stderr
    for word in words:
        require(word in said, f"the refusal does not say {word!r}: {said}")
    require(target.process.poll() is None, f"the refused attach ended the target: {said}")
    return said


def finish(target):
    """The workload checked its own results all the while, and none was wrong."""
    held = target.ask("hold", "held")
    require(held["wrong"] == 0, f"{held['wrong']} of {held['checked']} results were wrong")
    require(held["checked"] > 0, "the workload did nothing")
    require(target.process.wait(timeout=20) == 0, "the workload did not end well")


def maps(target):
    return pathlib.Path(f"/proc/{target.pid}/maps").read_text()


def ours_in_tmp(root):
    return {path.name for path in pathlib.Path(root, "tmp").glob(".offheap-*")}


# Of attaches that were killed, whenever that was.
OLDER_LEFTOVERS = ours_in_tmp("/")


def leftovers(target):
    """What of ours stays in the target's /tmp. Other tests that run meanwhile have theirs there for a moment."""
    left = ours_in_tmp(f"/proc/{target.pid}/root") - OLDER_LEFTOVERS
    deadline = time.monotonic() + 10
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left &= ours_in_tmp(f"/proc/{target.pid}/root")
    return sorted(left)


def find_leak(build, version, **more):
    with workload(build, version, **more) as target:
        attach(build, target)
        require("memfd:offheap-recording" in maps(target), "no recording is mapped after the attach")
        report = explain(build, target.pid, "--for", "3s")
        check_sums(report)
        require(report["target"]["shim"], "explain does not see the recording")
        found = find_sites(report, "deflateInit") or find_sites(report, "Deflater")
        require(found, f"no site names the leaking call; sites: {[s['frames'][:2] for s in report['sites'][:4]]}")
        require(all(site["live_bytes"] >= 0 for site in report["sites"]), "a site holds less than nothing")
        require(found[0]["live_bytes"] < report["rss_bytes"] * 4, f"absurd: {show(found[0]['live_bytes'])}")
        refused(build, target, "already attached", "explain")
        attach(build, target, "--detach")
        require("memfd:offheap-recording" not in maps(target), "the recording is still there after the detach")
        refused(build, target, "nothing is attached", options=["--detach"])
        explain(build, target.pid)
        finish(target)


def leak_17(build):
    find_leak(build, "17")


def leak_25(build):
    find_leak(build, "25")


def leak_jemalloc(build):
    find_leak(build, "17", preload=library("libjemalloc.so.2"))


def leak_mimalloc(build):
    find_leak(build, "17", preload=library("libmimalloc.so.2"))


class Figures:
    """What must not grow from one attach to the next."""

    def __init__(self, target):
        self.rss = target.rollup("Rss")
        self.threads = len(os.listdir(f"/proc/{target.pid}/task"))
        self.descriptors = len(os.listdir(f"/proc/{target.pid}/fd"))
        self.mappings = maps(target).count("\n")

    def __str__(self):
        return (f"RSS {show(self.rss)}, {self.threads} threads, {self.descriptors} descriptors, "
                f"{self.mappings} mappings")


def run_rounds(build, version):
    with workload(build, version, leak=False) as target:
        # The workload's own heap has to have grown to what it needs before ours can be told from it.
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            attach(build, target)
            time.sleep(0.1)
            attach(build, target, "--detach")
        before = Figures(target)
        for number in range(ROUNDS):
            attach(build, target)
            if number % 5 == 0:
                time.sleep(0.2)  # long enough for every thread to come by
            attach(build, target, "--detach")
        after = Figures(target)
        print(f"{ROUNDS} rounds: {before} -> {after}")
        require(after.descriptors <= before.descriptors + 1, f"descriptors: {before} -> {after}")
        require(after.threads <= before.threads + 3, f"threads: {before} -> {after}")
        require(after.mappings <= before.mappings + 20, f"mappings: {before} -> {after}")
        require(after.rss <= before.rss + (24 << 20), f"RSS: {before} -> {after}")
        require(not leftovers(target), f"left in /tmp: {leftovers(target)}")
        finish(target)


def rounds_17(build):
    run_rounds(build, "17")


def rounds_25(build):
    run_rounds(build, "25")


def late_library(build, program="late_library"):
    """A library that is loaded after the attach is recorded too; and the program is no JVM."""
    here = build.directory / "tests" / "attach"
    with Target([here / program, here / "late_plugin.so"], build.environment("none")) as target:
        target.wait_for("ready")
        refused(build, target, "not a Java process", "--inject")
        attach(build, target, "--inject", "--sample", "1000")
        target.ask("load", "loaded")
        time.sleep(0.5)
        target.ask("leak", "leaked")
        report = explain(build, target.pid)
        found = find_sites(report, "late_leak")
        require(found, f"no site names late_leak: {report['sites'][:3]}")
        live = sum(site["live_bytes"] for site in found)
        require(3_000_000 < live < 5_500_000, f"late_leak holds 4,000,000 B; printed {show(live)}")
        attach(build, target, "--inject", "--detach")
        target.ask("leak", "leaked")


def fixed_address(build):
    """A program that is not position independent, and holds malloc's address: that of a stub of its own."""
    late_library(build, "fixed_address")


def refuse_xrs(build):
    """With -Xrs SIGQUIT ends the JVM; its socket is there from the start, so it takes a lost one."""
    with workload(build, "17", "-Xrs") as target:
        sockets = list(pathlib.Path("/tmp").glob(f".java_pid{target.pid}"))
        for socket in sockets:
            socket.unlink()
        refused(build, target, "SIGQUIT", "-Xrs")
        finish(target)


def refuse_disabled(build):
    with workload(build, "17", "-XX:+DisableAttachMechanism") as target:
        refused(build, target, "DisableAttachMechanism", "--inject")
        finish(target)


def refuse_no_dynamic_agents(build):
    with workload(build, "25", "-XX:-EnableDynamicAgentLoading") as target:
        refused(build, target, "EnableDynamicAgentLoading", "--inject")
        require(not leftovers(target), f"left in /tmp: {leftovers(target)}")
        finish(target)


def refuse_other_user(build):
    """Another user than the JVM's, and not root."""
    if os.geteuid() != 0:
        raise Skip("needs root, to run offheap as another user")
    # The other user need not be allowed to enter the build directory.
    with workload(build, "17") as target, tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        offheap = shutil.copy(build.offheap, place)
        done = subprocess.run([offheap, "attach", str(target.pid)], capture_output=True, text=True,
                              user=65534, group=65534, extra_groups=[], cwd="/", timeout=60, check=False)
        require(done.returncode == UNREADABLE, f"left with {done.returncode}: {done.stderr}")
        require("permission" in done.stderr and "root" in done.stderr, done.stderr)
        finish(target)


def in_mount_namespace(target, *command):
    subprocess.run(["nsenter", "-t", str(target.pid), "-m", *command], check=True)


def refuse_places(build):
    """No directory from which code may be mapped: /tmp and the rest are noexec or read-only."""
    if os.geteuid() != 0:
        raise Skip("needs root, for a mount namespace")
    classes = build.directory / "tests" / "attach" / "java"
    # Its working directory takes no files.
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", 'cd /proc && exec "$@"', "sh",
               java("17"), "-Xmx64m", "-cp", classes, "CheckedWork"]
    with Target(command, build.environment("none")) as target:
        target.wait_for("ready")
        for place, options in (("/tmp", "noexec"), ("/dev/shm", "ro"), ("/var/tmp", "noexec")):
            in_mount_namespace(target, "mount", "-t", "tmpfs", "-o", options, "tmpfs", place)
        refused(build, target, "/tmp is mounted noexec", "/dev/shm: Read-only", "writable /tmp")
        require(not leftovers(target), f"left in /tmp: {leftovers(target)}")
        finish(target)


def refuse_preloaded(build):
    with workload(build, "17", preload=str(build.shim)) as target:
        refused(build, target, "preloaded", "explain")
        finish(target)


TESTS = (leak_17, leak_25, leak_jemalloc, leak_mimalloc, rounds_17, rounds_25, late_library, fixed_address, refuse_xrs,
         refuse_disabled, refuse_no_dynamic_agents, refuse_other_user, refuse_places, refuse_preloaded)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--build")
    parser.add_argument("name", nargs="?")
    arguments = parser.parse_args()
    tests = {test.__name__: test for test in TESTS}
    if arguments.list:
        print("\n".join(tests))
        return 0
    if arguments.name not in tests:
        raise Failure(f"no such test: {arguments.name}")
    return run_main(lambda: tests[arguments.name](Build(arguments.build)))


if __name__ == "__main__":
    sys.exit(main())
