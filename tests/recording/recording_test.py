#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recordings where things go wrong: disks, directories, rights, names that others planted, two containers in
one directory, a kernel that kills, tables that overflow, readers that race the writer.

One function a test; `recording_test.py --build DIR NAME` runs one. Mounts and pid namespaces are made for
each test, by root.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time

TESTS_FOLDER = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS_FOLDER / "scenarios"))
sys.path.insert(0, str(TESTS_FOLDER / "host"))
from harness import Build, Skip, Target, explain, require, run_main, run_offheap  # noqa: E402
from host_harness import cgroup  # noqa: E402

UNREADABLE, INCOMPATIBLE = 3, 4
NOBODY = 65534
ENOSPC, EROFS, EACCES = 28, 30, 13
BACKENDS = ("glibc", "jemalloc", "tcmalloc")


def need_root():
    if os.geteuid() != 0:
        raise Skip("not root: no mounts, namespaces and other users")


def work_of(build):
    return build.directory / "tests" / "recording" / "recorded_work"


def recordings(directory):
    return sorted(pathlib.Path(directory).glob("*.offheap"))


@contextlib.contextmanager
def mounted(directory, *options):
    """A file system of the test's own at `directory`."""
    need_root()
    done = subprocess.run(["mount", *options, str(directory)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"no mounts here: {done.stderr.strip()}")
    try:
        yield pathlib.Path(directory)
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def tmpfs(directory, size):
    return mounted(directory, "-t", "tmpfs", "-o", f"size={size}", "offheap-test")


def environment_of(build, directory, backend="glibc"):
    return build.environment(backend, OFFHEAP_RECORD=directory, OFFHEAP_SAMPLE="1")


def run_recorded(build, directory, *arguments, backend="glibc", **options):
    """Runs the work to its end under OFFHEAP_RECORD; returns what it said on fd 2."""
    done = subprocess.run([str(work_of(build)), *arguments], env=environment_of(build, directory, backend),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, **options)
    require(done.returncode == 0, f"left with {done.returncode}: {done.stderr}")
    require('"ready"' in done.stdout, f"did not work: {done.stdout}{done.stderr}")
    return done.stderr


def check_refused(said, error):
    """One line says which directory could not be recorded into, and why."""
    lines = [line for line in said.splitlines() if line.startswith("libshim:")]
    require(len(lines) == 1 and f"errno {error}" in lines[0], f"one line with errno {error} expected: {said!r}")


def held(report):
    """What is alive, by sites: exact where each block is a sample, which OFFHEAP_SAMPLE=1 makes it."""
    return sum(site["live_bytes"] for site in report["sites"])


def check_held(report, truth):
    """The recording says what the program says that it holds, and what libc took at its start."""
    said, true = held(report), truth["live_bytes"]
    require(true <= said < true + 100_000, f"recorded {said} bytes, true {true}")


def full_disk(build, directory):
    """No room: said, nothing left behind, the program runs. Room that goes later: the recording has its own."""
    with tmpfs(directory, "12m"):
        with Target([work_of(build), "hold", 3_000_000], environment_of(build, directory)) as target:
            truth = target.wait_for("ready")
            first = recordings(directory)
            require(len(first) == 1, f"one recording expected: {first}")
            check_refused(run_recorded(build, directory, "hold", "1000000"), ENOSPC)
            require(recordings(directory) == first, f"left behind: {recordings(directory)}")
            with open(pathlib.Path(directory) / "filler", "wb", buffering=0) as filler:
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(bytes(1 << 20))
            require(target.process.poll() is None, "the program did not outlive the full disk")
        check_held(explain(build, first[0]), truth)
        done = run_offheap(build, ["snapshot", os.getpid(), "-o", pathlib.Path(directory) / "snapshot"], expect=2)
        require("No space left" in done.stderr, f"a snapshot on a full disk: {done.stderr}")
        require(not list(pathlib.Path(directory).glob("snapshot*")), "half a snapshot was left behind")


def read_only_directory(build, directory):
    with tmpfs(directory, "20m"):
        subprocess.run(["mount", "-o", "remount,ro", directory], check=True)
        check_refused(run_recorded(build, directory, "hold", "1000000"), EROFS)


def directory_of_another_user(build, directory):
    """A user who may not write there: said, and recorded in memory."""
    need_root()
    os.chmod(directory, 0o755)
    shim = pathlib.Path(directory) / "libshim.so"
    program = pathlib.Path(directory) / "recorded_work"
    shutil.copy2(build.shim, shim)
    shutil.copy2(work_of(build), program)
    environment = build.environment("glibc", OFFHEAP_RECORD=directory, LD_PRELOAD=shim)
    done = subprocess.run([str(program), "hold", "1000"], env=environment, stdin=subprocess.DEVNULL, timeout=20,
                          capture_output=True, text=True, user=NOBODY, group=NOBODY, extra_groups=[], check=False)
    require(done.returncode == 0, f"left with {done.returncode}: {done.stderr}")
    check_refused(done.stderr, EACCES)


def owners_only(build, directory):
    """Whatever the umask, nobody else may read it, and whoever may not is told whom to ask."""
    need_root()
    previous = os.umask(0)
    try:
        run_recorded(build, directory, "hold", "1000000")
    finally:
        os.umask(previous)
    path = recordings(directory)[0]
    mode = path.stat()
    require(stat.S_IMODE(mode.st_mode) == 0o600 and mode.st_uid == os.geteuid(), f"mode is {oct(mode.st_mode)}")
    os.chmod(directory, 0o755)
    copy = pathlib.Path(directory) / "offheap"
    shutil.copy2(build.offheap, copy)
    done = subprocess.run([str(copy), "explain", str(path)], user=NOBODY, group=NOBODY, extra_groups=[],
                          capture_output=True, text=True, timeout=20, check=False)
    require(done.returncode == UNREADABLE and "owner" in done.stderr, f"{done.returncode}: {done.stderr}")


def start_ticks():
    return pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]


def planted_names(build, directory):
    """Somebody else's files, links and pipes under the very name are neither followed nor written to."""
    victim = pathlib.Path(directory) / "victim"
    victim.write_text("precious")
    records = pathlib.Path(directory) / "records"
    records.mkdir()

    def plant():  # in the child, whose pid and start time the program will have
        name = f"recorded_work-{os.getpid()}-{start_ticks()}"
        os.symlink(victim, records / f"{name}.offheap")
        os.link(victim, records / f"{name}-2.offheap")
        os.mkfifo(records / f"{name}-3.offheap")
        os.symlink(pathlib.Path(directory) / "absent", records / f"{name}-4.offheap")

    program = subprocess.Popen([str(work_of(build)), "hold", "1000000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=environment_of(build, records), preexec_fn=plant)
    try:
        truth = json.loads(program.stdout.readline())
    finally:
        program.kill()
        program.wait()
    require(victim.read_text() == "precious", "what a planted link leads to was written to")
    require(not (pathlib.Path(directory) / "absent").exists(), "a planted link was followed")
    written = [path for path in recordings(records) if path.is_file() and not path.is_symlink() and
               path.stat().st_size > 1000]
    require(len(written) == 1 and written[0].name.endswith("-5.offheap"), f"recorded into {written}")
    check_held(explain(build, written[0]), truth)


def snapshot_in_a_shared_directory(build, directory):
    """A snapshot is its owner's only, goes through no link that others planted, and replaces no device."""
    folder = pathlib.Path(directory)
    victim = folder / "victim"
    victim.write_text("precious")
    for name in ("snapshot", "snapshot.partial"):
        os.symlink(victim, folder / name)
    previous = os.umask(0)
    try:
        run_offheap(build, ["snapshot", os.getpid(), "-o", folder / "snapshot"])
    finally:
        os.umask(previous)
    require(victim.read_text() == "precious", "what a planted link leads to was written to")
    mode = (folder / "snapshot").lstat().st_mode
    require(stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o600, f"mode is {oct(mode)}")
    said = run_offheap(build, ["snapshot", os.getpid(), "-o", "/dev/stdout"]).stdout
    require(json.loads(said[:said.rindex("}") + 1])["schema"], "no snapshot on standard output")
    run_offheap(build, ["snapshot", os.getpid(), "-o", "/dev/full"], expect=2)
    require(stat.S_ISCHR(os.stat("/dev/full").st_mode) and os.path.islink("/dev/stdout"), "a device was replaced")


def strange_files(build, directory):
    """What is no regular file is not read, and nothing waits for it."""
    folder = pathlib.Path(directory)
    run_recorded(build, folder, "hold", "1000")
    real = recordings(folder)[0]
    os.symlink(real, folder / "link.offheap")
    os.mkfifo(folder / "pipe.offheap")
    (folder / "empty.offheap").touch()
    with open(folder / "huge.offheap", "wb") as huge:
        huge.truncate(1 << 40)
    for name, code, word in (("link", UNREADABLE, "symbolic link"), ("pipe", UNREADABLE, "regular file"),
                             ("empty", INCOMPATIBLE, "recording"), ("huge", INCOMPATIBLE, "recording")):
        done = run_offheap(build, ["explain", folder / f"{name}.offheap"], expect=code, timeout_s=10)
        require(word in done.stderr, f"{name}: {done.stderr}")
    for path in ("/dev/zero", "/dev/full", directory):
        run_offheap(build, ["explain", path], expect=None, timeout_s=10)


def two_containers_one_directory(build, directory):
    """Containers with one directory and the same pids: each process has a recording, and it is its own."""
    need_root()
    sizes = [1_000_000 * (n + 1) for n in range(6)]
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", str(work_of(build)), "hold"]
    containers = []
    try:
        for size in sizes:
            containers.append(Target([*command, size], environment_of(build, directory)))
        truths = [container.wait_for("ready") for container in containers]
    finally:
        for container in containers:
            container.__exit__()
    require(all(truth["pid"] == 1 for truth in truths), f"pids are {[truth['pid'] for truth in truths]}")
    reports = sorted((explain(build, path) for path in recordings_named(directory, "recorded_work-1-")), key=held)
    require(len(reports) == len(sizes), f"{len(reports)} recordings of {len(sizes)} processes")
    for report, truth in zip(reports, truths):
        check_held(report, truth)


def recordings_named(directory, start):
    return [path for path in recordings(directory) if path.name.startswith(start)]


def process_of_another_user(build, directory):
    """A living process's recording is for its user and for root."""
    need_root()
    os.chmod(directory, 0o755)
    for path in (build.shim, build.offheap, work_of(build)):
        shutil.copy2(path, directory)
    environment = build.environment("glibc", OFFHEAP_SAMPLE="1", LD_PRELOAD=pathlib.Path(directory) / "libshim.so")
    process = subprocess.Popen([str(pathlib.Path(directory) / "recorded_work"), "hold", "5000000"], env=environment,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=NOBODY, group=NOBODY, extra_groups=[])
    try:
        truth = json.loads(process.stdout.readline())
        check_held(explain(build, process.pid), truth)
        other = subprocess.run([str(pathlib.Path(directory) / "offheap"), "explain", str(process.pid)], user=NOBODY - 1,
                               group=NOBODY - 1, extra_groups=[], capture_output=True, text=True, timeout=20, check=False)
        require(other.returncode == UNREADABLE and "CAP_SYS_PTRACE" in other.stderr,
                f"another user: {other.returncode} {other.stderr}")
        own = subprocess.run([str(pathlib.Path(directory) / "offheap"), "explain", "--json", str(process.pid)],
                             user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, timeout=20,
                             check=False)
        require(own.returncode == 0 and held(json.loads(own.stdout)) >= truth["live_bytes"],
                f"its own user: {own.returncode} {own.stderr}")
    finally:
        process.kill()
        process.wait()


def killed_in_a_cgroup(build, directory):
    """A real out-of-memory kill at a real limit: the file says what was taken, to the last block."""
    with tmpfs(directory, "80m"):  # from a disk the kernel would read the recording's pages over and over
        for backend in BACKENDS:
            records = pathlib.Path(directory) / backend
            records.mkdir()
            truth = pathlib.Path(directory) / f"truth-{backend}"
            truth.write_bytes(bytes(4096))
            with cgroup(limit_bytes=64 << 20) as group:
                environment = environment_of(build, records, backend)
                command = ["sh", "-c", f"echo $$ > {group}/cgroup.procs && exec {work_of(build)} until-killed {truth}"]
                done = subprocess.run(command, env=environment, timeout=60, check=False, capture_output=True)
            require(done.returncode == -9, f"{backend}: not killed but left with {done.returncode}: {done.stderr}")
            taken, _ = struct.unpack("<QQ", truth.read_bytes()[:16])
            said = held(explain(build, recordings_named(records, "recorded_work-")[0]))
            # A block is counted before the program can say so.
            require(taken > 20 << 20 and taken <= said < taken + 100_000, f"{backend}: recorded {said}, true {taken}")


def killed_at_any_moment(build, directory):
    """SIGKILL from before main on: there is no recording yet, one that is said to be empty, or one that is true to the
    last block."""
    generator = random.Random(20261129)
    for backend in BACKENDS:
        recorded = 0
        for turn in range(60):
            if turn >= 12 and recorded >= 3:
                break
            records = pathlib.Path(directory) / f"{backend}-{turn}"
            records.mkdir()
            truth = records / "truth"
            truth.write_bytes(bytes(4096))
            with subprocess.Popen([work_of(build), "until-killed", truth], env=environment_of(build, records, backend)) as process:
                time.sleep(generator.uniform(0, 0.04 * (1 + turn // 12)) * generator.random())  # later where programs start late
                process.kill()
            taken, _ = struct.unpack("<QQ", truth.read_bytes()[:16])
            found = recordings(records)
            require(found or taken == 0, f"{backend}: took {taken} bytes before there was a recording")
            for path in found:
                if not taken and not path.read_bytes()[:8].strip(b"\0"):
                    done = run_offheap(build, ["explain", path], expect=INCOMPATIBLE)
                    require("never begun" in done.stderr or "0 bytes" in done.stderr, f"{backend}: {done.stderr}")
                    continue
                report = explain(build, path)
                said = held(report)
                require(taken <= said < taken + 100_000, f"{backend}: recorded {said}, true {taken}")
                names = [thread["name"] for thread in report["threads"]]
                require(not taken or names == ["recorded_work"], f"{backend}: threads {names}")
                recorded += taken > 0
            shutil.rmtree(records)
        require(recorded >= 3, f"{backend}: only {recorded} programs had come to work")


def reader_races_writer(build, directory):
    """Copies made while threads come and go are read, whole, and say nothing impossible."""
    environment = build.environment("glibc", OFFHEAP_RECORD=directory, OFFHEAP_SAMPLE="2K")
    with Target([work_of(build), "churn"], environment) as target:
        target.wait_for("ready")
        path = recordings(directory)[0]
        copy = pathlib.Path(directory) / "copy"
        for _ in range(6):
            shutil.copyfile(path, copy)
            report = explain(build, copy)
            require(report["sites"] and report["threads"] is not None, "nothing in the copy")
            require(not any("damaged" in note for note in report["notes"]), f"called damaged: {report['notes']}")
            live = explain(build, target.pid, "--no-pause")
            require(not any("damaged" in note for note in live["notes"]), f"called damaged: {live['notes']}")
            require(live["malloc"]["live_bytes"] < 200 << 20, f"{live['malloc']['live_bytes']} bytes live")
        whole = path.read_bytes()
    for length in (0, 7, 8, 100, 4095, 4096, 40_000, len(whole) // 2, len(whole) - 1):
        copy.write_bytes(whole[:length])
        run_offheap(build, ["explain", copy], expect=INCOMPATIBLE)


def overflow_is_said(build, directory):
    """Each table that overflows is a loss that is counted and shown, to people and to machines."""
    plugins = pathlib.Path(directory) / "plugins"
    plugins.mkdir()
    plugin = build.directory / "tests" / "preload" / "plugin_small_frames.so"
    for n in range(520):
        shutil.copyfile(plugin, plugins / f"plugin_{n}.so")
    with Target([work_of(build), "overflow", plugins], build.environment("glibc", OFFHEAP_SAMPLE="1")) as target:
        target.wait_for("ready", timeout_s=60)
        losses = explain(build, target.pid, "--no-pause")["self"]["losses"]
        said = run_offheap(build, ["explain", target.pid, "--no-pause"]).stdout
    for table in ("live_sample_full", "site_full", "thread_full", "direct_mapping_full", "module_full"):
        require(losses[table] > 0, f"{table} is {losses[table]}: {losses}")
    unwrapped = " ".join(said.split())
    for words in ("samples lost", "samples without a site", "samples with the innermost frames only",
                  "beyond the table of threads", "mappings of the program lost", "modules lost"):
        require(words in unwrapped, f"explain does not say {words!r}:\n{said[-2500:]}")


TESTS = (full_disk, read_only_directory, directory_of_another_user, owners_only, planted_names, snapshot_in_a_shared_directory,
         strange_files,
         two_containers_one_directory, process_of_another_user, killed_in_a_cgroup,
         killed_at_any_moment, reader_races_writer, overflow_is_said)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("test", nargs="?")
    options = parser.parse_args()
    if options.list:
        print("\n".join(test.__name__ for test in TESTS))
        return 0
    chosen = {test.__name__: test for test in TESTS}[options.test]

    def run():
        with tempfile.TemporaryDirectory(prefix="offheap-test-") as directory:
            chosen(Build(options.build), directory)

    return run_main(run)


if __name__ == "__main__":
    sys.exit(main())
