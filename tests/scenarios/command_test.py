#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program as a user meets it when something is wrong, and the recording after a kill -9.

Each test is one promise; names come from the table at the end. Bad input must give one clear error, the
documented exit code, and leave the target as it was.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import contract
import harness
from harness import require

USAGE, UNREADABLE, INCOMPATIBLE = 2, 3, 4
VERSION_OFFSET = 8  # Header::version, behind the magic


def expect_error(build, arguments, code, words, **options):
    """One error on stderr with each of `words`, nothing like a crash, and the exit code."""
    done = harness.run_offheap(build, arguments, expect=code, **options)
    for word in words:
        require(word.lower() in done.stderr.lower(), f"`offheap {' '.join(map(str, arguments))}` does not say "
                                                     f"{word!r}: {done.stderr.strip()}")
    return done


def recording_of(build, directory, seed=3):
    """Works under OFFHEAP_RECORD, holds, is killed with SIGKILL; returns its truth and its recording."""
    environment = build.environment("glibc", OFFHEAP_RECORD=directory)
    with harness.Target([build.programs / "leak_steady", seed], environment) as target:
        target.wait_for("ready")
        time.sleep(2.5)
        truth = target.ask("hold", "held")
        target.process.kill()
    files = list(pathlib.Path(directory).iterdir())
    require(len(files) == 1, f"one recording expected, found {files}")
    return truth, files[0]


def kill_9(build, directory):
    truth, path = recording_of(build, directory)
    report = harness.explain(build, path)
    harness.check_site(report, truth["sites"][0])
    require(report["verdicts"][0]["kind"] in ("leak", "undecided"), harness.describe(report))


def damaged_recording(build, directory):
    _, path = recording_of(build, directory)
    whole = path.read_bytes()
    damaged = pathlib.Path(directory) / "damaged.offheap"

    damaged.write_bytes(whole[:3000])
    expect_error(build, ["explain", damaged], INCOMPATIBLE, ["cut short"])
    damaged.write_bytes(b"something else entirely\n" * 400)
    expect_error(build, ["explain", damaged], INCOMPATIBLE, ["recording"])
    other = bytearray(whole)
    other[VERSION_OFFSET:VERSION_OFFSET + 4] = (77).to_bytes(4, "little")
    damaged.write_bytes(other)
    expect_error(build, ["explain", damaged], INCOMPATIBLE, ["version", "77"])


def hostile_recording(build, directory):
    """Random damage: an answer or an error, within seconds, never a signal."""
    _, path = recording_of(build, directory)
    whole = path.read_bytes()
    hostile = pathlib.Path(directory) / "hostile.offheap"
    for seed in range(12):
        dice = random.Random(seed)
        bytes_ = bytearray(whole)
        for _ in range(400):
            # Most of the damage where the counts and indices are.
            end = 8192 if dice.random() < 0.5 else len(bytes_)
            bytes_[dice.randrange(12, end)] = dice.randrange(256)
        hostile.write_bytes(bytes_)
        done = harness.run_offheap(build, ["explain", hostile, "--json"], expect=None, timeout_s=20)
        require(done.returncode in (0, INCOMPATIBLE),
                f"seed {seed}: left with {done.returncode}: {done.stderr[-500:]}")
        if done.returncode == 0:
            json.loads(done.stdout)


def no_such_pid(build, _):
    expect_error(build, ["explain", 2**22 - 7], UNREADABLE, ["no such process"])


def no_permission(build, directory):
    if os.geteuid() != 0:
        raise harness.Skip("not root: cannot become another user")
    # The build directory may not be open to everybody.
    copy = pathlib.Path(directory) / "offheap"
    shutil.copy2(build.offheap, copy)
    os.chmod(directory, 0o755)
    done = subprocess.run([str(copy), "explain", str(os.getpid())], user=65534, group=65534, extra_groups=[],
                          capture_output=True, text=True, timeout=20, check=False)
    require(done.returncode == UNREADABLE, f"left with {done.returncode}: {done.stderr}")
    require("CAP_SYS_PTRACE" in done.stderr, f"does not name the missing capability: {done.stderr}")


# capabilities(7), include/uapi/linux/capability.h
DAC_READ_SEARCH, SYS_PTRACE, SYSLOG, CHECKPOINT_RESTORE = 2, 19, 34, 40


def capabilities(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: int(word, 16) for name, word in re.findall(r"^Cap(Inh|Prm|Eff|Bnd):\t([0-9a-f]+)$", status, re.M)}


def rights_given_up(build, _):
    """As root it keeps what looking takes, and looks at another user's process with that."""
    if os.geteuid() != 0:
        raise harness.Skip("not root: there are no rights to give up")
    others = ["setpriv", "--reuid", "65534", "--clear-groups", "sleep", "60"]
    with harness.Target(others, {}) as target:
        while os.stat(f"/proc/{target.pid}").st_uid != 65534:
            time.sleep(0.01)
        look = subprocess.Popen([str(build.offheap), "explain", str(target.pid), "--for", "2s", "--json"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        held = capabilities(look.pid)
        out, err = look.communicate(timeout=20)
    require(look.returncode == 0, f"left with {look.returncode}: {err}")
    harness.check_sums(json.loads(out))
    wanted = sum(1 << bit for bit in (DAC_READ_SEARCH, SYS_PTRACE, SYSLOG, CHECKPOINT_RESTORE)) & capabilities("self")["Prm"]
    require(held["Prm"] == held["Eff"] == wanted, f"holds {held['Prm']:x}, {held['Eff']:x}; wanted {wanted:x}")
    require(held["Inh"] & ~wanted == 0, f"inheritable: {held['Inh']:x}")


def usage(build, _):
    expect_error(build, ["explain"], USAGE, [])
    expect_error(build, ["no-such-command"], USAGE, [])
    expect_error(build, ["run", "--backend", "bogus", "--", "true"], USAGE, ["bogus", "jemalloc"])
    expect_error(build, ["explain", "no-such-thing"], None, ["no-such-thing"])


def not_preloaded(build, _):
    with harness.Target([build.programs / "reserved", 1], build.environment("none")) as target:
        target.wait_for("ready")
        done = harness.run_offheap(build, ["explain", target.pid])
        require("LD_PRELOAD" in done.stdout + done.stderr or "offheap run" in done.stdout + done.stderr,
                f"does not say how to preload: {done.stdout}")
        doctor = harness.run_offheap(build, ["doctor", target.pid], expect=None)
        require("LD_PRELOAD" in doctor.stdout + doctor.stderr, f"doctor: {doctor.stdout}{doctor.stderr}")


def static_program(build, _):
    with harness.Target([build.programs / "static_program", 1], build.environment("glibc")) as target:
        target.wait_for("ready")
        doctor = harness.run_offheap(build, ["doctor", target.pid], expect=None)
        require("static" in doctor.stdout + doctor.stderr, f"doctor: {doctor.stdout}{doctor.stderr}")
        harness.check_sums(harness.explain(build, target.pid))
        require(target.process.poll() is None, "the target did not outlive the look")


def unknown_backend_in_the_environment(build, _):
    done = subprocess.run(["true"], env=build.environment("bogus"), capture_output=True, text=True, timeout=20,
                          check=False)
    require(done.returncode == 0, f"`true` left with {done.returncode}: the shim stopped its host")
    require("bogus" in done.stderr and len(done.stderr.splitlines()) <= 2, f"stderr: {done.stderr!r}")


def target_exits_during_the_look(build, _):
    with harness.Target([build.programs / "leak_steady", 1], build.environment("glibc")) as target:
        target.wait_for("ready")
        look = subprocess.Popen([str(build.offheap), "explain", str(target.pid), "--for", "3s"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        target.process.kill()
        out, err = look.communicate(timeout=20)
    require(look.returncode in (0, UNREADABLE), f"left with {look.returncode}: {err}")
    require(look.returncode == 0 or "exit" in err or "ended" in err, f"does not say that the target ended: {out}{err}")


def fail_on(build, _):
    with harness.Target([build.programs / "checkerboard", 1], build.environment("glibc")) as target:
        target.wait_for("ready")
        harness.run_offheap(build, ["explain", target.pid, "--fail-on", "fragmentation:10M"], expect=1)
        harness.run_offheap(build, ["explain", target.pid, "--fail-on", "leak:1M,any:100G"], expect=0)


def snapshot_and_diff(build, directory):
    old, new = pathlib.Path(directory) / "old", pathlib.Path(directory) / "new"
    with harness.Target([build.programs / "leak_steady", 5], build.environment("glibc")) as target:
        target.wait_for("ready")
        time.sleep(1)
        harness.run_offheap(build, ["snapshot", target.pid, "-o", old])
        time.sleep(2)
        harness.run_offheap(build, ["snapshot", target.pid, "-o", new])
    done = harness.run_offheap(build, ["diff", old, new])
    require("leak_session" in done.stdout, f"the difference does not name the leak: {done.stdout}")


def run_command(build, _):
    """`offheap run` is exec: the pid, the output and the exit code are the program's own."""
    done = harness.run_offheap(build, ["run", "--backend", "jemalloc", "--", "sh", "-c", "echo $OFFHEAP_BACKEND; exit 7"],
                               expect=7)
    require(done.stdout == "jemalloc\n", f"stdout: {done.stdout!r}")
    expect_error(build, ["run", "--", "/no/such/program"], None, ["/no/such/program"])


def contract_native(build, _):
    """Every key of the contract, for a process with each kind of allocator and one without the shim."""
    for backend in ("none", "next", "glibc", "jemalloc", "tcmalloc"):
        with harness.Target([build.programs / "leak_steady", 1], build.environment(backend)) as target:
            target.wait_for("ready")
            time.sleep(1)
            target.ask("hold", "held")
            report = harness.explain(build, target.pid)
        contract.check_contract(report, arenas=backend in ("none", "next", "glibc"))
        harness.check_sums(report)
        require(report["rss_bytes"] > 0 and report["ledger"] and report["threads"], "an empty report")
        require((report["target"]["shim"] is None) == (backend == "none"), f"target.shim: {report['target']['shim']}")
        require(bool(report["sites"]) == (backend != "none"), f"{len(report['sites'])} sites under {backend}")
        require(all((thread["allocated_bytes"] is None) == (backend == "none") for thread in report["threads"]),
                f"threads' counts under {backend}: {report['threads']}")


def contract_jvm(build, _):
    if shutil.which("java") is None:
        raise harness.Skip("there is no `java` on this machine")
    command = ["java", "-Xmx64m", "-XX:+UseSerialGC", "-cp", build.classes, "DeflatersNeverEnded"]
    with harness.Target(command, build.environment("glibc")) as target:
        target.wait_for("ready")
        report = harness.explain(build, target.pid)
        doctor = harness.explain(build, target.pid, "--no-pause")
    for seen in (report, doctor):
        contract.check_contract(seen, arenas=True)
        harness.check_sums(seen)
    jvm = report["target"]["jvm"]
    require(jvm and jvm["version"] and jvm["gc"] == "Serial", f"target.jvm: {jvm}")
    require(report["sites"], "a JVM under the shim without sites")


def contract_recording(build, directory):
    _, path = recording_of(build, directory)
    report = harness.explain(build, path)
    contract.check_contract(report, arenas=False)
    require(report["target"]["shim"] and report["sites"], "a recording without shim or sites")
    require(report["rss_bytes"] is None and not report["ledger"], "a recording alone cannot know RSS")


def record_directory(build, directory):
    """--record is taken from where `offheap` stands, must be there, and must be writable."""
    records = pathlib.Path(directory) / "records"
    records.mkdir()
    done = subprocess.run([str(build.offheap), "run", "--record", "records", "--", "sh", "-c", "cd /; exec sleep 0"],
                          cwd=directory, capture_output=True, text=True, timeout=20, check=False)
    require(done.returncode == 0, f"left with {done.returncode}: {done.stderr}")
    require(list(records.iterdir()), f"nothing was recorded in {records}: {done.stderr}")
    expect_error(build, ["run", "--record", pathlib.Path(directory) / "missing", "--", "true"], USAGE, ["missing", "mkdir"])
    expect_error(build, ["run", "--record", "/proc/self", "--", "true"], USAGE, ["/proc/self"])


def known_backends(build, _):
    """`offheap run` refuses what the shim would complain of, and names the same backends."""
    done = subprocess.run(["true"], env=build.environment("bogus"), capture_output=True, text=True, timeout=20,
                          check=False)
    known = done.stderr.split("known are ")[1].split(", and")[0].split(", ")
    require(len(known) >= 4, f"the shim knows {known}")
    expect_error(build, ["run", "--backend", "bogus", "--", "true"], USAGE, ["bogus", *known])
    expect_error(build, ["run", "--backend", "/no/such/lib.so", "--", "true"], USAGE, ["/no/such/lib.so"])
    for name in known:
        harness.run_offheap(build, ["run", "--backend", name, "--", "true"])


TESTS = (contract_native, contract_jvm, contract_recording, record_directory, known_backends, kill_9, damaged_recording, hostile_recording, no_such_pid, no_permission, rights_given_up, usage, not_preloaded, static_program,
         unknown_backend_in_the_environment, target_exits_during_the_look, fail_on, snapshot_and_diff, run_command)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("test", nargs="?")
    options = parser.parse_args()
    if options.list:
        print("\n".join(test.__name__ for test in TESTS))
        return 0
    build = harness.Build(options.build)
    chosen = {test.__name__: test for test in TESTS}[options.test]

    def run():
        with tempfile.TemporaryDirectory(prefix="offheap-test-") as directory:
            chosen(build, directory)

    return harness.run_main(run)


if __name__ == "__main__":
    sys.exit(main())
