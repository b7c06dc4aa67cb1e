#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`offheap host` on a machine in trouble of one known kind at a time: what it says, and that it says it at all."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from host_harness import (Failure, MEMORY, MIB, PIDS, Skip, cgroup, end_group, enter, main, remove, require, row_of, run_offheap,
                          trouble, wait_until)


def finding(report, kind, word=""):
    found = [one for one in report["findings"] if one["kind"] == kind and word in one["text"] + one["next"]]
    require(found, f"no finding `{kind}` with {word!r}: {report['findings']}")
    return found[0]


def tasks(build):
    """Zombies by parent; D by wait channel, also of a thread whose leader sleeps; names that would steer a terminal."""
    name = "a) Z 1 \x1b[2J\n("
    with trouble(build, "name", name, "zombies", 150, "stuck", 6, "stuck_threads", 2, "threads", 10) as process:
        report = build.look()
        screen = build.screen()
        at_parent = [row for row in report["zombies"] if row["parent_pid"] == process.pid]
    require(len(at_parent) == 1 and at_parent[0]["count"] == 150, report["zombies"])
    require(at_parent[0]["parent_name"] == "a) Z 1 \\x1b[2J\\x0a"[:15 + 6] or "\\x1b" in at_parent[0]["parent_name"],
            at_parent[0])
    require(report["tasks"]["d_threads"] >= 8, report["tasks"])
    waiting = sum(row["count"] for row in report["stuck"] if row["wait_channel"])
    require(waiting >= 8, report["stuck"])
    zombies = finding(report, "zombies", str(process.pid))
    require("--init" in zombies["next"] and zombies["pid"] == process.pid, zombies)
    require(not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", screen), f"control characters on the screen: {screen!r}")
    lines = screen.splitlines()
    require(len(lines) <= 40 and max(map(len, lines)) <= 110, f"{len(lines)} lines of {max(map(len, lines))} columns")
    for word in ("VERDICT", "HOST", "STUCK", "ZOMBIES", "THREADS", "TREE", "FORK", "NEXT"):
        require(any(line.startswith(word) for line in lines), f"no {word}: {screen}")


def growth(build):
    """A process whose threads multiply is named, with how many came between the two looks."""
    with trouble(build, "grow", 40) as process:
        report = build.look("--for", "600ms")
    rows = [row for row in report["most_threads"] if row["pid"] == process.pid]
    require(rows and rows[0]["threads"] >= rows[0]["threads_before"] + 50, rows)
    require(finding(report, "threads", "more than")["pid"] == process.pid, report["findings"])


def hang(build):
    """A cgroup at its limit whose OOM killer is off: nothing is logged, its tasks hang, and a higher limit wakes them."""
    with cgroup(16 * MIB, memory__oom_control=1) as group, \
            trouble(build, "fill", 24, groups=(group,), wait=False) as process:
        def is_stuck():
            return "under_oom 1" in (group / "memory.oom_control").read_text()
        wait_until(is_stuck, "the cgroup did not come to its limit")
        report = build.look()
        row = row_of(report, group)
        require(row["under_oom"] and row["oom_kill_disabled"] and row["d_threads"] == 1, row)
        require(row["usage_bytes"] >= 0.95 * row["limit_bytes"] == 0.95 * 16 * MIB, row)
        finding(report, "oom-hang", group.name)
        require(any(one["wait_channel"] == "mem_cgroup_oom_synchronize" for one in report["stuck"]), report["stuck"])
        screen = build.screen()
        require("hangs" in screen and "memory.limit_in_bytes" in screen, screen)
        # What it says is to be done, done.
        (group / "memory.limit_in_bytes").write_text(str(64 * MIB))
        require(process.stdout.readline() == "ready\n", "a higher limit did not wake it")


def loop(build):
    """Killed, started anew, killed: a loop, with the counter and the log in agreement."""
    with cgroup(12 * MIB) as group:
        for _ in range(4):
            with trouble(build, "fill", 64, groups=(group,), wait=False) as process:
                require(process.wait(30) == -9, f"it was not killed but left with {process.returncode}")
        report = build.look()
        screen = build.screen()
    row = row_of(report, group)
    require(row["oom_kills"] == 4, row)
    path = row["path"]
    logged = [kill for kill in report["kills"] if kill["group_path"] == path]
    if report["host"]["log_kills"] is None:
        raise Skip(f"the kernel's log cannot be read here: {report['self']['notes']}")
    require(len(logged) == 4 and all(kill["limit_path"] == path and kill["name"] == "trouble" for kill in logged), logged)
    require(all(8 * MIB < kill["anon_bytes"] <= 12 * MIB for kill in logged), logged)
    found = finding(report, "kill-loop", path)
    require("4 kills" in found["text"], found)
    require("KILLS" in screen and "its own" in screen, screen)


def loop_of_gone_groups(build):
    """The same where each life has a cgroup of its own, which is gone when one looks."""
    for _ in range(3):
        with cgroup(8 * MIB) as group, trouble(build, "name", "reborn", "fill", 64, groups=(group,), wait=False) as process:
            process.wait(30)
    report = build.look()
    if report["host"]["log_kills"] is None:
        raise Skip("the kernel's log cannot be read here")
    found = re.search(r"reborn was killed (\d+) times", finding(report, "kill-loop", "reborn")["text"])
    require(found and int(found.group(1)) >= 3, report["findings"])


def watched(program, *options, groups=(), then=lambda: None):
    def before():
        enter(groups)()
        then()
    return subprocess.Popen([str(program), "host", "--watch", "200ms", "--for", "50ms", *options],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True, preexec_fn=before)


def read_reports(process, count):
    lines = [process.stdout.readline() for _ in range(count)]
    if not all(lines):
        raise Failure(f"it ended with {process.wait(10)}: {process.stderr.read()}")
    return lines


def started_before(build):
    """Started in a cgroup that then comes to its limit, where no other program could start: it goes on answering."""
    with cgroup(48 * MIB, memory__oom_control=1) as group:
        process = watched(build.offheap, "--json", groups=(group,))
        try:
            read_reports(process, 1)
            require(str(process.pid) in (group / "cgroup.procs").read_text().split(), "it has left while there was room")
            with trouble(build, "fill", 64, groups=(group,), wait=False):
                wait_until(lambda: "under_oom 1" in (group / "memory.oom_control").read_text(), "no limit was reached")
                reports = read_reports(process, 4)
                require("oom-hang" in reports[-1], f"it said {reports[-1][:300]!r}")
                require("went to the root cgroup" in reports[-1], "it does not say where it went")
        finally:
            end_group(process)


def held_inside(build):
    """The same for an ordinary user, who cannot leave the cgroup: it goes on, and does not call well what it cannot see."""
    def ordinary():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    with tempfile.TemporaryDirectory() as directory, cgroup(48 * MIB, memory__oom_control=1) as group:
        pathlib.Path(directory).chmod(0o755)
        program = shutil.copy(build.offheap, directory)
        process = watched(program, "--json", groups=(group,), then=ordinary)
        try:
            read_reports(process, 1)
            with trouble(build, "fill", 64, groups=(group,), wait=False):
                wait_until(lambda: "under_oom 1" in (group / "memory.oom_control").read_text(), "no limit was reached")
                reports = [json.loads(line) for line in read_reports(process, 4)]
            # How much the kernel refuses changes from look to look.
            for report in reports:
                if report["tasks"]["processes"] == 0:
                    finding(report, "blind")
                    require(any("had no memory to open" in note for note in report["self"]["notes"]), report["self"])
        finally:
            end_group(process)


def started_inside(build):
    """A fresh start in a cgroup at its limit, and in one where fork fails: both answer."""
    with tempfile.TemporaryDirectory() as directory, cgroup(40 * MIB) as full, cgroup(controller=PIDS, pids__max=1) as alone:
        kept = pathlib.Path(directory) / "cache"
        with kept.open("wb") as file:
            file.write(bytes(64 * MIB))
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # to be charged to who reads it next
        with trouble(build, "fill", 36, groups=(full,)):
            for _ in range(2):
                subprocess.run(["cat", kept], stdout=subprocess.DEVNULL, preexec_fn=enter((full,)), check=True)
            require(int((full / "memory.failcnt").read_text()) > 0, "the cgroup was never at its limit")
            done = subprocess.run([str(build.offheap), "host"], capture_output=True, text=True, timeout=30,
                                  preexec_fn=enter((full, alone)), check=False)
            require(done.returncode == 0 and "VERDICT" in done.stdout, f"{done.returncode}: {done.stdout}{done.stderr}")
            cannot = subprocess.run(["sh", "-c", "true & echo no"], capture_output=True, text=True, timeout=30,
                                    preexec_fn=enter((alone,)), check=False)
            require("no" not in cannot.stdout, f"fork was to fail there: {cannot}")


def vanishing(build):
    """A cgroup that goes between the two looks is said, and so is everything else."""
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(cgroup(16 * MIB))
        process = subprocess.Popen([str(build.offheap), "host", "--for", "1500ms"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.8)
        group.rmdir()
        screen = process.communicate(timeout=30)[0]
    require(process.returncode == 0 and "went while this looked at" in screen and "HOST" in screen, screen)
    # And at any moment: cgroups that come and go all the while.
    churn = subprocess.Popen([sys.executable, "-c", f"""
import pathlib, itertools
for i in itertools.count():
    group = pathlib.Path({str(MEMORY)!r}) / f"offheap-test-churn-{{i % 40}}"
    group.rmdir() if group.exists() else group.mkdir()
"""])
    try:
        for _ in range(4):
            require(build.look("--for", "20ms")["tasks"]["processes"] > 10, "no tasks")
    finally:
        churn.kill()
        churn.wait()
        for group in MEMORY.glob("offheap-test-churn-*"):
            remove(group)


def rights(build):
    """An ordinary user gets what may be read, and what may not is said."""
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    container = MEMORY / "docker" / ("0" * 60 + "beef")
    try:
        container.mkdir(parents=True)
    except OSError as problem:
        raise Skip(f"no cgroup can be made here: {problem}") from problem
    try:
        with tempfile.TemporaryDirectory() as directory, trouble(build, "zombies", 12, "stuck", 3) as process:
            pathlib.Path(directory).chmod(0o755)
            program = shutil.copy(build.offheap, directory)
            done = subprocess.run([program, "host", "--all"], capture_output=True, text=True, timeout=30, user=65534, group=65534,
                                  extra_groups=[], env={"DOCKER_HOST": "unix:///nowhere/docker.sock"}, check=False)
            require(done.returncode == 0, f"{done.returncode}: {done.stderr}")
            for words in (f"12 of parent {process.pid}", "CAP_SYSLOG", "shown to root alone", "its socket",
                          "000000000000", "the OOM killer may choose"):
                require(words in done.stdout, f"{words!r} is not said: {done.stdout}")
    finally:
        remove(container)


def many(build):
    """300 cgroups and 20,000 sleeping tasks: under a second, counts right."""
    if int(pathlib.Path("/proc/sys/kernel/pid_max").read_text()) < 25000:
        raise Skip("kernel.pid_max allows no 20,000 tasks")
    with contextlib.ExitStack() as stack:
        groups = [stack.enter_context(cgroup(256 * MIB)) for _ in range(300)]
        # 80 processes of 250 threads, in 80 of the cgroups.
        for group in groups[:80]:
            stack.enter_context(trouble(build, "threads", 249, groups=(group,)))
        report, taken = None, []
        for _ in range(3):
            begin = time.monotonic()
            report = build.look()
            taken.append(time.monotonic() - begin)
            if min(taken) < 1:
                break
        require(min(taken) < 1, f"it took {taken} s")
        require(report["tasks"]["threads"] >= 20000, report["tasks"])
        rows = [row_of(report, group) for group in groups]
        require(sum(row["threads"] for row in rows) == 20000 and all(row["limit_bytes"] == 256 * MIB for row in rows),
                f"{sum(row['threads'] for row in rows)} threads in the cgroups")
        print(f"{report['tasks']} in {min(taken):.2f} s, of them {report['self']['between_looks_ns'] / 1e9:.2f} s between the looks")


def refusals(build):
    """Bad words are refused with what to write instead."""
    for words in (["--for", "soon"], ["--watch", "often"]):
        done = run_offheap(build, ["host", *words], expect=2)
        require("500ms" in done.stderr, done.stderr)


TESTS = {test.__name__: test for test in (tasks, growth, hang, loop, loop_of_gone_groups, started_before, held_inside,
                                          started_inside, vanishing, rights, many, refusals)}

if __name__ == "__main__":
    sys.exit(main(TESTS))
