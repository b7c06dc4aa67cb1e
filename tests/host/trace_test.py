#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `offheap host` asks of the kernel, seen by strace, while this machine is in trouble of every kind.

A process in reclaim can hold its mmap_lock for good; cmdline, environ, maps, smaps and their like wait for it, and
whoever reads them hangs with it. So no file of a process may be opened but those that the kernel answers without.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from host_harness import MIB, Skip, cgroup, main, require, trouble

OF_A_PROCESS = {"stat", "cgroup", "wchan", "stack", "status"}
OF_ITSELF = {"mountinfo", "cgroup", "oom_score_adj", "exe"}  # the last by libc, before main()
MAKES_PROCESSES = {"fork", "vfork", "clone", "clone3", "execve", "execveat"}
TAKES_MEMORY = {"mmap", "brk", "mremap", "shmat", "memfd_create"}
TAKES_A_PATH = {"open", "openat", "openat2", "readlink", "readlinkat", "stat", "lstat", "newfstatat", "statx", "access",
                "faccessat", "faccessat2", "name_to_handle_at", "getxattr"}
CALL = re.compile(r"^(?:\[pid +)?\d*\]? *(\w+)\((.*)\) += (-?\w+)")
PATH = re.compile(r'(?:^|, )(?:(?:AT_FDCWD|\d+)(?:<((?:\\.|[^>\\])*)>)?, )?"((?:\\.|[^"\\])*)"')


def calls(trace):
    """(name, arguments, result) of each system call."""
    found = [CALL.match(line) for line in trace.read_text(errors="replace").splitlines()]
    return [match.groups() for match in found if match]


def paths(made):
    """Every path that a call names, whole."""
    for name, arguments, _ in made:
        match = PATH.search(arguments) if name in TAKES_A_PATH else None
        if match:
            yield os.path.normpath(os.path.join(match.group(1) or "/", match.group(2)))


def forbidden(made):
    """The paths of processes' files that may make their reader wait."""
    bad = []
    for path in paths(made):
        match = re.match(r"^/proc/(\d+|self|thread-self)(?:/task(?:/\d+)?)?(?:/(.*))?$", path)
        if not match or match.group(2) is None:
            continue
        allowed = OF_ITSELF if match.group(1) == "self" else OF_A_PROCESS
        if match.group(2) not in allowed:
            bad.append(path)
    return bad


def traced(directory, *command, seconds=None, expect=0):
    if shutil.which("strace") is None:
        raise Skip("strace is not installed")
    trace = pathlib.Path(directory) / "trace"
    process = subprocess.Popen(["strace", "-f", "-y", "-s", "300", "-o", trace, *map(str, command)],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if seconds is not None:
        time.sleep(seconds)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        require(len(children) == 1, f"strace has the children {children}")
        os.kill(int(children[0]), signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    require(process.returncode == expect, f"{command} under strace left with {process.returncode}: {output[-2000:]}")
    return calls(trace), output


def check(made, looks):
    require(not forbidden(made), f"files that wait for a process were opened: {forbidden(made)[:5]}")
    names = [name for name, _, _ in made]
    require(sum(name in MAKES_PROCESSES for name in names) == 1, "more was started than offheap itself")
    locked = max(i for i, name in enumerate(names) if name == "mlockall")
    more = [call for call in made[locked:] if call[0] in TAKES_MEMORY]
    require(not more, f"memory was asked for after all of it was locked: {more[:5]}")
    proc_lists = [1 for name, arguments, _ in made[locked:] if name == "getdents64" and "</proc>" in arguments]
    require(len(proc_lists) >= 2 * looks, f"/proc was listed {len(proc_lists)} times in {looks} looks")
    read = {path.rsplit("/", 1)[-1] for path in paths(made) if re.match(r"^/proc/\d+/", path)}
    require(read >= OF_A_PROCESS, f"of the stuck processes only {sorted(read)} were read")


@contextlib.contextmanager
def every_trouble(build):
    """Zombies, threads in D, a thread in D below a leader that sleeps, and a cgroup whose tasks hang at its limit."""
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(cgroup(16 * MIB, memory__oom_control=1))
        stack.callback(lambda: (group / "memory.oom_control").write_text("0"))
        stack.enter_context(trouble(build, "fill", 32, groups=(group,), wait=False))
        stack.enter_context(trouble(build, "zombies", 30, "stuck", 5, "stuck_threads", 2, "threads", 70))
        yield


def test_control(build):
    """The check finds what it looks for: a program that reads what must not be read."""
    del build
    with tempfile.TemporaryDirectory() as directory:
        made, _ = traced(directory, "sh", "-c", f"cat /proc/{os.getpid()}/cmdline /proc/1/task/1/maps >/dev/null; ls -l /proc/1/exe; true")
    bad = forbidden(made)
    for path in (f"/proc/{os.getpid()}/cmdline", "/proc/1/task/1/maps", "/proc/1/exe"):
        require(path in bad, f"{path} was read, and not found among {bad}")


def test_once(build):
    with tempfile.TemporaryDirectory() as directory, every_trouble(build):
        made, screen = traced(directory, build.offheap, "host", "--all")
        check(made, 1)
        require("STUCK" in screen and "ZOMBIES" in screen, screen)
        check(traced(directory, build.offheap, "host", "--json")[0], 1)


def test_watch(build):
    with tempfile.TemporaryDirectory() as directory, every_trouble(build):
        check(traced(directory, build.offheap, "host", "--watch", "100ms", "--for", "50ms", seconds=3)[0], 3)


TESTS = {"control": test_control, "once": test_once, "watch": test_watch}

if __name__ == "__main__":
    sys.exit(main(TESTS))
