# SPDX-License-Identifier: Apache-2.0
"""The owners of a JVM's pages against the JVM's own account of them, page by page.

The JVM counts what it reserves itself (native memory tracking): each resident page of that must have the
matching owner, and each page that offheap calls the JVM's must be in it. What it does not count:
  - malloc's memory and libraries have no tag: nothing is asked of pages outside its list;
  - tables that the collector has from malloc, in chunks with a mapping of their own, are called java-gc.
The collector's tables that only static data points to (Parallel's mark bitmap, G1's card cache) cannot be told
from the JVM's other memory: they may be called java, the owner of all that HotSpot maps otherwise.

--list names one test for each collector and JVM; a name is GC@VERSION, or stripped@VERSION: a JVM whose
libjvm.so has no symbols but the exported ones, or quick@VERSION: how long `offheap explain` takes on a JVM of
300 MB and 60 threads, and how long it stops it.
"""
import argparse
import bisect
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scenarios"))
import harness  # noqa: E402

COLLECTORS = {"g1": "-XX:+UseG1GC", "serial": "-XX:+UseSerialGC", "parallel": "-XX:+UseParallelGC", "z": "-XX:+UseZGC"}
OWNERS = {"Java Heap": "java-heap", "Code": "java-code-cache", "Class": "java-class-space",
          "Metaspace": "java-metaspace", "Shared class space": "java-cds", "Thread Stack": "thread-stacks",
          "GC": "java-gc"}
REGION = re.compile(r"^\[0x([0-9a-f]+) - 0x([0-9a-f]+)\] reserved (?:and committed )?\d+KB for ([A-Za-z ]+?)(?: from)?$", re.M)


def regions_of(text):
    """[begin, end, tag] of what the JVM reserved, in address order."""
    start = text.index("Virtual memory map:")
    found = [[int(begin, 16), int(end, 16), tag] for begin, end, tag in REGION.findall(text, start)]
    harness.require(len(found) > 20, f"only {len(found)} regions in the JVM's account:\n{text[:2000]}")
    return sorted(found)


def cut_by_regions(begin, end, regions):
    """The parts of [begin, end) with the JVM's tag; None where it has no region."""
    at = max(0, bisect.bisect_right(regions, [begin, 2**64, ""]) - 1)
    while begin < end:
        while at < len(regions) and regions[at][1] <= begin:
            at += 1
        if at == len(regions) or regions[at][0] >= end:
            yield begin, end, None
            return
        if regions[at][0] > begin:
            yield begin, regions[at][0], None
        stop = min(end, regions[at][1])
        yield max(begin, regions[at][0]), stop, regions[at][2]
        begin = stop


def agrees(tag, owner):
    if tag in OWNERS:
        return owner == OWNERS[tag] or (tag == "GC" and owner == "java")
    if tag is None:
        return not owner.startswith("java") or owner in ("java-gc", "java")
    return owner not in OWNERS.values()


def compare(said, regions):
    wrong, compared = [], {}
    for begin, end, owner in said["ranges"]:
        for first, last, tag in cut_by_regions(begin, end, regions):
            if tag in OWNERS:
                compared[tag] = compared.get(tag, 0) + last - first
            if not agrees(tag, owner):
                wrong.append(f"{first:#x}-{last:#x} {(last - first) // 1024} KiB: the JVM says {tag}, offheap {owner}")
    return wrong, compared


def close(what, said, truth, slack):
    harness.require(abs(said - truth) <= slack,
                    f"{what}: offheap says {harness.show(said)}, the JVM {harness.show(truth)}, allowed to differ by {harness.show(slack)}")


def kilobytes(pattern, text):
    """Sum of all matches, each a number of KB or MB."""
    return sum(int(number) << (20 if unit.upper() == "M" else 10) for number, unit in re.findall(pattern, text, re.M))


def check_figures(said, account, heap_info, codecache):
    committed = re.search(r"Java Heap \(reserved=(\d+)KB, committed=(\d+)KB\)", account)
    close("heap committed", said["heap_committed_bytes"], int(committed[2]) * 1024, 0)
    used = kilobytes(r"^ *(?:garbage-first heap|def new|DefNew|tenured|Tenured|PSYoungGen|ParOldGen|ZHeap).*?used (\d+)(\w)", heap_info)
    # The answering thread allocates, a region or a buffer at a time.
    close("heap used", said["heap_used_bytes"], used, 4 << 20)
    code = kilobytes(r"^Code(?:Heap '.*'|Cache): size=\d+Kb,? used=(\d+)(K)b", codecache.split("\nCodeCache: ")[0])
    close("code cache used", said["code_used_bytes"], code, 256 << 10)
    harness.require(said["direct_bytes"] == 32 << 20, f"direct buffers: {harness.show(said['direct_bytes'])}, 32 MiB are kept")
    harness.require(said["thread_count"] >= 48, f"{said['thread_count']} Java threads, 48 are kept")


class Jvm:
    """A JVM at rest, and the program that asks about it."""

    def __init__(self, options, java, collector):
        self.ranges = options.ranges
        environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "JAVA_TOOL_OPTIONS")}
        self.target = harness.Target(
            [java, COLLECTORS[collector], "-XX:NativeMemoryTracking=detail", "-Xms16m", "-Xmx512m", "-Xss512k",
             "-cp", options.classes, "Resting"], environment)

    def ask(self, *command):
        done = subprocess.run([self.ranges, str(self.target.pid), *command], capture_output=True, text=True, timeout=60, check=False)
        harness.require(done.returncode == 0, f"jvm_ranges {command}: {done.returncode} {done.stderr}")
        return done.stdout

    def wait_for_rest(self):
        """Until compiler threads have ended their work: RSS stands still."""
        before = 0
        for _ in range(20):
            time.sleep(0.2)
            now = self.target.rollup("Rss")
            if now == before:
                return
            before = now


def check_unknown(said, share):
    unknown = said["unknown_bytes"] / said["rss_bytes"]
    print(f"unknown: {harness.show(said['unknown_bytes'])} of {harness.show(said['rss_bytes'])}, {100 * unknown:.3f} %")
    harness.require(unknown < share, f"unknown is {100 * unknown:.3f} % of RSS, allowed {100 * share} %")


def check_pages(options, java, collector, share):
    jvm = Jvm(options, java, collector)
    with jvm.target:
        jvm.target.wait_for("ready", 40)
        jvm.ask("VM.version")  # the JVM makes its answering thread now
        jvm.wait_for_rest()
        said = json.loads(jvm.ask())
        account = jvm.ask("VM.native_memory detail")
        heap_info, codecache = jvm.ask("GC.heap_info"), jvm.ask("Compiler.codecache")
    wrong, compared = compare(said, regions_of(account))
    print("compared:", ", ".join(f"{tag} {harness.show(size)}" for tag, size in sorted(compared.items())))
    for tag in OWNERS:
        harness.require(compared.get(tag, 0) > 0, f"no resident page of {tag} was compared")
    harness.require(not wrong, f"{len(wrong)} ranges have another owner:\n" + "\n".join(wrong))
    check_unknown(said, share)
    check_figures(said, account, heap_info, codecache)


def strip_jvm(java, directory):
    """A JDK of links but for libjvm.so, which has its exported symbols only; returns its `java`."""
    home = pathlib.Path(java).resolve().parents[1]
    copy = pathlib.Path(directory) / "jdk"
    (copy / "lib" / "server").mkdir(parents=True)
    (copy / "bin").mkdir()
    for source, linked in ((home, copy), (home / "lib", copy / "lib"), (home / "lib" / "server", copy / "lib" / "server")):
        for entry in source.iterdir():
            if not (linked / entry.name).exists() and entry.name != "libjvm.so":
                (linked / entry.name).symlink_to(entry)
    shutil.copy(home / "bin" / "java", copy / "bin" / "java")
    subprocess.run(["strip", "-o", copy / "lib" / "server" / "libjvm.so", home / "lib" / "server" / "libjvm.so"], check=True)
    return str(copy / "bin" / "java")


def check_speed(options, java):
    """The best of some looks: what offheap takes, not what else the machine is doing."""
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "JAVA_TOOL_OPTIONS")}
    command = [java, COLLECTORS["g1"], "-Xms200m", "-Xmx200m", "-XX:+AlwaysPreTouch", "-cp", options.classes, "Resting"]
    with harness.Target(command, environment) as target:
        target.wait_for("ready", 40)
        thread_count = len(os.listdir(f"/proc/{target.pid}/task"))
        seconds, cpu_seconds, pause_ns = float("inf"), float("inf"), float("inf")
        for _ in range(12):
            begin, used = time.monotonic(), os.times()
            done = subprocess.run([options.offheap, "explain", str(target.pid), "--json"], capture_output=True, text=True,
                                  timeout=60, check=True)
            seconds = min(seconds, time.monotonic() - begin)
            now = os.times()
            cpu_seconds = min(cpu_seconds, now.children_user + now.children_system - used.children_user - used.children_system)
            report = json.loads(done.stdout)
            pause_ns = min(pause_ns, report["self"]["pause_ns"])
            if seconds < 0.5 and pause_ns < 30e6:
                break
            time.sleep(0.5)
    busy = os.getloadavg()[0] > 2 * os.cpu_count()
    print(f"{seconds:.3f} s, {cpu_seconds:.3f} s of CPU, longest stop {pause_ns / 1e6:.1f} ms: {harness.show(report['rss_bytes'])}, {thread_count} threads")
    harness.require(report["rss_bytes"] > 300e6, f"the JVM has only {harness.show(report['rss_bytes'])}")
    harness.require(thread_count >= 60, f"the JVM has only {thread_count} threads")
    harness.require(not report["self"]["estimate"], "the heap was not read at all")
    # Where others wait for every core, only what offheap itself used can be held against it.
    taken = cpu_seconds if busy else seconds
    harness.require(taken < 0.5, f"explain takes {taken:.2f} s, allowed 0.5 s")
    harness.require(pause_ns < 30e6, f"a thread is stopped for {pause_ns / 1e6:.1f} ms, allowed 30 ms")


def run(options):
    kind, version = options.name.split("@")
    java = harness.jvms().get(version)
    if java is None:
        raise harness.Skip(f"JVM {version} is gone; found: {harness.jvms()}")
    print(f"JVM {version}: {java}")
    if kind == "quick":
        check_speed(options, java)
        return
    if kind != "stripped":
        check_pages(options, java, kind, 0.005)
        return
    with tempfile.TemporaryDirectory() as directory:
        check_pages(options, strip_jvm(java, directory), "g1", 0.03)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--ranges", help="the program jvm_ranges")
    parser.add_argument("--offheap", help="the program offheap")
    parser.add_argument("--classes", help="the directory of Resting.class")
    parser.add_argument("name", nargs="?")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{kind}@{version}" for version in sorted(harness.jvms()) for kind in [*COLLECTORS, "stripped", "quick"]))
        return 0
    return harness.run_main(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
