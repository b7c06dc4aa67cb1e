#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""JVMs in containers as anybody starts them: with a limit, without a preload, explained from the host by name.

Java 17 of the base image and any other Java of this machine, mounted into it; the containers of one Java run at once.
Every one must be labelled to 99.5 % of its RSS and get its verdict; the leak is then found by an attach.
"""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import sys
import time
import uuid

from docker_test import BASE, MIB, Host, docker
import harness
from harness import require, show

IMAGE_VERSION = "17"
LIMIT = 1024 * MIB

COMPILED = ("-Xcomp", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=200m", "-XX:CompileCommand=quiet",
            "-XX:CompileCommand=compileonly,LoadersKept$Work::*")

# program and its arguments, JVM options, verdicts that may come first, seconds of the look (0: at rest)
PROGRAMS = (
    ("HealthyService", ("-Xmx32m",), ("healthy",), 3),
    ("DirectBuffersKept", ("-Xmx64m", "-XX:MaxDirectMemorySize=1g"), ("direct-buffers",), 3),
    ("LoadersKept", ("-Xmx128m",), ("java-metaspace",), 4),
    ("LoadersKept run", ("-Xmx64m", *COMPILED), ("java-code-cache",), 4),
    ("HeapGrows", ("-Xmx256m", "-XX:+UseG1GC"), ("java-heap",), 4),
    ("ThreadsKept", ("-Xmx64m",), ("thread-stacks",), 0),
    # Free memory above which one block of each arena stands, and free memory between blocks.
    ("ArenasLeftBehind", ("-Xmx64m", "-XX:+UseSerialGC"), ("retention",), 0),
    ("Checkerboard", ("-Xmx64m", "-XX:+UseSerialGC"), ("fragmentation",), 0),
    ("FileMapped", ("-Xmx64m", "-XX:+UseSerialGC"), ("mapped-files",), 0),
    ("DeflatersNeverEnded", ("-Xmx64m", "-XX:+UseSerialGC"), ("leak",), 4),
)
# How many containers of one Java run at once, each looked at by itself. More would keep each other from their work, and
# grow to their limits before they have been looked at.
AT_ONCE = 2


def javas():
    """Version -> (the `java` to run in the container, the JDK to mount or None)."""
    found = {IMAGE_VERSION: ("java", None)}
    for version, java in harness.jvms().items():
        home = pathlib.Path(java).resolve().parents[1]
        # A distribution's JDK has its configuration under /etc: only a JDK in one piece can be mounted.
        if version not in found and not (home / "conf").is_symlink() and home.is_relative_to("/usr/lib/jvm"):
            found[version] = (str(home / "bin" / "java"), home)
    print(f"JVMs in containers: {', '.join(sorted(found))}")
    return found


class JvmContainer:
    """A container with a JVM as its first process; the conversation goes over `docker run`'s own pipes."""

    def __init__(self, build, version, java, home, program, options):
        self.name = f"offheap-test-{uuid.uuid4().hex[:12]}"
        self.label = f"{program} on Java {version}"
        mounts = [build.classes] + ([home] if home else [])
        command = ["docker", "run", "--interactive", "--name", self.name, "--network", "none", "--memory", str(LIMIT)]
        for mount in mounts:
            command += ["--volume", f"{mount}:{mount}:ro"]
        self.target = harness.Target([*command, BASE, java, *options, "-cp", build.classes, *program.split()], None)

    def close(self):
        if self.name in docker("ps", "--all", "--format", "{{.Names}}").split():
            docker("rm", "--force", self.name)
        if not self.target.process.stdin.closed:
            self.target.__exit__()

    def running(self):
        return docker("inspect", "--format", "{{.State.Running}}", self.name) == "true"


def explain(build, container, *options):
    report = harness.explain(build, container.name, *options)
    harness.check_sums(report)
    ledger = {row["owner"]: row["rss_bytes"] for row in report["ledger"]}
    require(ledger["unknown"] < 0.005 * report["rss_bytes"],
            f"{container.label}: unknown is {show(ledger['unknown'])} of {show(report['rss_bytes'])}: {ledger}, "
            f"notes {report['notes']}")
    require(report["target"]["container"]["name"] == container.name, f"container: {report['target']['container']}")
    require(report["cgroup"]["limit_bytes"] == LIMIT, f"the limit is {show(LIMIT)}: {report['cgroup']['limit_bytes']}")
    return report


def explain_watched(build, container, look_s):
    """Where the look leaves open whether memory grows, a longer one decides, as the report itself advises."""
    report = explain(build, container, "--for", f"{look_s}s")
    if report["verdicts"] and report["verdicts"][0]["kind"] == "undecided":
        print(f"{container.label}: undecided after {look_s} s: {report['verdicts'][0]['summary']}")
        report = explain(build, container, "--for", f"{3 * look_s}s")
    return report


def judge(build, container, kinds, look_s):
    started = time.monotonic()
    report = explain_watched(build, container, look_s) if look_s else explain(build, container)
    main = harness.check_verdict(report, kinds, ())
    require(report["java"], "the report has no part about the JVM")
    unknown = harness.owner_bytes(report, "unknown") / report["rss_bytes"]
    print(f"{container.label}: unknown {100 * unknown:.3f} % of {show(report['rss_bytes'])}; {main['kind']}: "
          f"{main['summary']} ({time.monotonic() - started:.1f} s)")
    return report


def check_threads(_build, _container, report):
    """Ids differ between the container and the host; the stacks must still be those of living threads."""
    kept = [thread["stack_rss_bytes"] for thread in report["threads"] if thread["name"].startswith("kept-")]
    require(len(kept) >= 100, f"{len(kept)} threads called kept-*")
    found = sum(1 for size in kept if size >= 32 * 1024)
    require(found >= 0.95 * len(kept), f"of {len(kept)} threads called kept-*, {found} have a stack")


def check_leak(build, container, before):
    """Without a recording the remedy names attach; after it the site has a name; after the detach all is as before."""
    remedy = before["verdicts"][0]["remedy"]
    require("offheap attach" in remedy and not before["sites"], f"the remedy does not name attach: {remedy}")
    harness.run_offheap(build, ["attach", container.name])
    report = explain_watched(build, container, 3)
    main = harness.check_verdict(report, ("leak",), ())
    found = harness.find_sites(report, "deflateInit2_") + harness.find_sites(report, "Deflater.<init>")
    require(found, f"no site names the leaking call: {json.dumps(report['sites'][:3])}")
    harness.run_offheap(build, ["attach", container.name, "--detach"])
    held = container.target.ask("hold", "held")
    require(held["deflaters"] > 0 and container.running(), f"{container.label} does not live on: {held}")
    require(explain(build, container)["target"]["shim"] is None, "the recording is still there after the detach")
    print(f"{container.label}, attached: {main['summary']}")


def check_pinned(_build, _container, report):
    """What is freed is there, and the blocks that keep it are named."""
    free = report["malloc"]["trimmable_bytes"] + report["malloc"]["top_bytes"]
    require(free > 200 * MIB, f"16 threads freed 256 MB: {report['malloc']}")
    main = report["verdicts"][0]
    require(any("block" in line for line in main["evidence"]), f"no pinning block is named: {main}")


def check_fragments(_build, _container, report):
    pinned = report["malloc"]["pinned_bytes"]
    require(30 * MIB < pinned < 50 * MIB, f"40 MB were freed between blocks: {report['malloc']}")


def check_mapped(_build, _container, report):
    verdict = report["verdicts"][0]
    require(195 * MIB < verdict["bytes"] < 230 * MIB, f"200 MiB are mapped: {verdict}")


def check_sidecar(build, container):
    """A second container that shares the pid namespace: the host has no part in it."""
    container.target.ask("hold", "held")
    shown = docker("run", "--rm", "--network", "none", f"--pid=container:{container.name}", "--cap-add", "SYS_PTRACE",
                   "--volume", f"{build.offheap}:/offheap:ro", BASE, "/offheap", "explain", "1", "--json")
    report = json.loads(shown)
    harness.check_sums(report)
    harness.check_unknown(report)
    require(report["target"]["pid"] == 1 and report["java"], f"not the JVM: {report['target']}")
    print(f"{container.label}, from a sidecar: {harness.describe(report)}")


def check_all(build, container):
    """Every process of the container, the second one included, and the sums of each and of all."""
    docker("exec", "--detach", container.name, "sleep", "600")
    deadline = time.monotonic() + 30
    commands = []
    # Until the second process has become what it is to be, it is Docker's own.
    while commands[1:] != ["sleep"]:
        require(time.monotonic() < deadline, f"processes of {container.name}: {commands}")
        everything = json.loads(harness.run_offheap(build, ["explain", container.name, "--all", "--json"]).stdout)
        require(everything["schema"] == "offheap.explain-all/1", f"schema: {everything['schema']}")
        processes = everything["processes"]
        commands = [process["command"].split()[0] for process in processes]
    for process in processes:
        require(process["error"] is None, f"pid {process['pid']}: {process['error']}")
        harness.check_sums(process["explanation"])
    charge = everything["cgroup"]["charge"]
    require(charge["closed"], f"the charge does not close: {charge}")
    parts = sum(charge[key] for key in ("anon_bytes", "file_bytes", "shmem_bytes", "kernel_bytes", "rest_bytes"))
    parts += sum(other["bytes"] for other in charge["others"])
    require(parts == charge["usage_bytes"], f"parts sum to {show(parts)}, the charge is {show(charge['usage_bytes'])}")


def check_sidecar_and_all(build, container, _report):
    check_sidecar(build, container)
    check_all(build, container)


CHECKS = {"ThreadsKept": check_threads, "DeflatersNeverEnded": check_leak, "HealthyService": check_sidecar_and_all,
          "ArenasLeftBehind": check_pinned, "Checkerboard": check_fragments, "FileMapped": check_mapped}


def check(build, container, program, kinds, look_s):
    # Threads are counted at rest: a thousand that come while the machine is busy say nothing about containers.
    if program == "ThreadsKept":
        container.target.ask("hold", "held")
    report = judge(build, container, kinds, look_s)
    CHECKS.get(program, lambda *_: None)(build, container, report)
    container.close()


def run_programs(build, version, java, home, programs):
    """All of `programs` at once on one Java, each looked at by itself."""
    with contextlib.ExitStack() as stack:
        started = []
        for program, options, kinds, look_s in programs:
            container = JvmContainer(build, version, java, home, program, options)
            stack.callback(container.close)
            started.append((container, program, kinds, look_s))
        for container, *_ in started:
            container.target.wait_for("ready", 60)
        time.sleep(2)
        with concurrent.futures.ThreadPoolExecutor(len(started)) as pool:
            for done in [pool.submit(check, build, *each) for each in started if each[1] != "DeflatersNeverEnded"]:
                done.result()
        # Whether a heap grows steadily is seen only where its program gets its share of the machine throughout.
        for each in started:
            if each[1] == "DeflatersNeverEnded":
                check(build, *each)


def run_version(build, version, java, home):
    for first in range(0, len(PROGRAMS), AT_ONCE):
        run_programs(build, version, java, home, PROGRAMS[first:first + AT_ONCE])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    options = parser.parse_args()
    build = harness.Build(options.build)

    def run():
        with Host(build):
            for version, (java, home) in javas().items():
                run_version(build, version, java, home)

    return harness.run_main(run)


if __name__ == "__main__":
    sys.exit(main())
