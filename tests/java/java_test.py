# SPDX-License-Identifier: Apache-2.0
"""Java frames under every JDK of this machine.

    oracle   the shim's walk against AsyncGetCallTrace, frame by frame, under stress; OFFHEAP_STRESS_SECONDS
             makes each run that long (4 by default)
    starts   VMs that start while samples are taken every 512 bytes, with no frame known yet
    frames   `offheap explain` names the Java methods that keep native memory, and by which door
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scenarios"))
import harness  # noqa: E402

SUPPORTED = {"17", "21", "25"}


def java_versions():
    found = harness.jvms()
    print("JDKs found:", ", ".join(f"{version} ({java})" for version, java in sorted(found.items())) or "none")
    supported = {version: java for version, java in found.items() if version in SUPPORTED}
    if not supported:
        raise harness.Skip("no JDK of a supported version is installed")
    return supported


def stress(options, java, flags, seconds):
    environment = options.build.environment("next", OFFHEAP_SAMPLE=8192)
    environment["LD_PRELOAD"] = f"{options.oracle}:{environment['LD_PRELOAD']}"
    command = [java, *flags, f"-agentpath:{options.oracle}", "-cp", options.classes, "Stress", str(seconds), options.classes]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds * 3 + 60)
    harness.require(run.returncode == 0 and "done" in run.stdout, f"{command}: {run.returncode}\n{run.stderr}")
    return {name: int(count) for name, count in re.findall(r"^oracle (\w+) (\d+)$", run.stderr, re.M)}, run.stderr


def check_oracle(counts, version, output):
    """What the two may disagree on is named; all else is a fault of the walk."""
    compared = counts["equal"] + counts["frozen"]
    for fault in ("only_vm", "vm_only_lost", "different", "strayed", "wrong_names"):
        harness.require(counts[fault] == 0, f"{fault}: {counts[fault]} of {compared}\n{output}")
    harness.require(compared > 1000, f"only {compared} stacks were compared")
    harness.require(counts["next_bytecode"] * 1000 <= compared, f"next_bytecode: {counts['next_bytecode']} of {compared}")
    harness.require(counts["only_ours"] * 100 <= compared, f"only_ours: {counts['only_ours']} of {compared}")
    if int(version) >= 21:
        harness.require(counts["frozen"] > 0, "no virtual thread was seen with frames in the heap")


def test_oracle(options):
    seconds = float(os.environ.get("OFFHEAP_STRESS_SECONDS", "4"))
    for version, java in sorted(java_versions().items()):
        for flags in (["-XX:+UseG1GC"], ["-XX:+UseZGC"], ["-XX:TieredStopAtLevel=1"]):
            counts, output = stress(options, java, flags, seconds)
            print(version, *flags, counts)
            check_oracle(counts, version, output)


def test_starts(options):
    environment = options.build.environment("next", OFFHEAP_SAMPLE=512)
    for version, java in sorted(java_versions().items()):
        for start in range(int(os.environ.get("OFFHEAP_JAVA_STARTS", "8"))):
            run = subprocess.run([java, "-version"], env=environment, capture_output=True, text=True, timeout=60)
            harness.require(run.returncode == 0, f"start {start} of JDK {version}: {run.returncode}\n{run.stderr}")


def java_names(site):
    return [frame["function"] for frame in site["frames"] if frame["kind"] == "java"]


def site_through(explanation, method, leaf):
    for site in explanation["sites"]:
        names = java_names(site)
        if method in names and names[0] == leaf:
            return site
    raise harness.Failure(f"no site of {leaf} below {method} among\n" +
                          "\n".join(str(java_names(site)[:6]) for site in explanation["sites"]))


def check_frames(site, method):
    """From the native leaf through the native method, its callers at their bytecodes, down to main."""
    kinds = [frame["kind"] for frame in site["frames"]]
    harness.require(kinds == sorted(kinds, reverse=True) and kinds[0] == "native", f"kinds {kinds}")
    names = java_names(site)
    below = names[names.index(method):]
    harness.require(below == [method] + ["Kept.keepAll"] * 6 + ["Kept.main"], f"frames {below}")
    bytecodes = [frame.get("bci") for frame in site["frames"] if frame["kind"] == "java"]
    harness.require(all(bci is not None for bci in bytecodes[1:]) and bytecodes[0] is None, f"bytecodes {bytecodes}")


DOORS = [  # method of ours, Java leaf, door, bytes of 200 calls
    ("Kept.keepDeflater", "java.util.zip.Deflater.init", "jni", 200 * 268_000),
    ("Kept.keepBuffer", "jdk.internal.misc.Unsafe.allocateMemory0", "direct-buffer", 200 * 100_000),
    ("Kept.keepUnsafely", "jdk.internal.misc.Unsafe.allocateMemory0", "unsafe", 200 * 100_000),
    ("Kept.keepNatively", "Kept.keepNatively", "jni", 200 * 100_000),
]


def test_frames(options):
    for version, java in sorted(java_versions().items()):
        for flags in ([], ["-Xint"], ["-Xcomp", "-XX:CompileCommand=quiet"]):
            command = [java, *flags, "-cp", options.classes, "Kept", options.native]
            with harness.Target(command, options.build.environment("next", OFFHEAP_SAMPLE=16384)) as target:
                target.wait_for("kept", 60)
                explanation = harness.explain(options.build, target.pid)
            for method, leaf, door, live_bytes in DOORS:
                site = site_through(explanation, method, leaf)
                harness.require(site["allocated_by"] == door, f"{method}: allocated by {site['allocated_by']}")
                if method != "Kept.keepNatively":
                    check_frames(site, method)
                total = sum(other["live_bytes"] for other in explanation["sites"] if method in java_names(other))
                harness.require(0.8 * live_bytes < total < 1.25 * live_bytes, f"{method}: {total} of {live_bytes}")
            print(version, *flags, "names all four")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=["oracle", "starts", "frames"])
    parser.add_argument("--build", required=True, type=harness.Build)
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--native", required=True)
    options = parser.parse_args()
    options.classes = str(pathlib.Path(options.oracle).parent / "classes")
    try:
        {"oracle": test_oracle, "starts": test_starts, "frames": test_frames}[options.test](options)
    except harness.Skip as reason:
        print(f"skipped: {reason}")
        return 77
    except harness.Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
