#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls into running processes: what the target must not notice, and every refusal for real.

Each test starts real programs. `caller` calls one function of libc, or loads a library.
"""

import argparse
import errno
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from trim_harness import Absent, Skip, Target, TrimBuild, require, run_main, run_offheap

EINTR = 4
KEPT_ERRNO = 4711


def waiter(build, *words):
    target = Target([build.program("waiter"), *words], build.environment("none"))
    return target


def ready(target):
    said = target.wait_for("ready")
    time.sleep(0.1)  # from the line to the system call
    return said


def call_trim(build, target, system_call):
    said = build.call(target.pid, "call", "malloc_trim", 5000, 0)
    require(said["system_call"] == system_call,
            f"the thread was borrowed from {said['system_call']}, it waits in {system_call}")
    return said


def check_end(said, result, errno=KEPT_ERRNO):
    require(said["result"] == result, f"the wait ended with {said['result']}, expected {result}")
    require(said["errno"] == errno, f"errno is {said['errno']}, expected {errno}")


def read_is_restarted(build):
    for mode in ("read", "registers"):
        with waiter(build, mode) as target:
            ready(target)
            for _ in range(3):
                call_trim(build, target, "read")
            target.say("on")
            check_end(target.wait_for("result"), 3)


def sleep_keeps_its_end(build):
    with waiter(build, "nanosleep") as target:
        ready(target)
        said = build.call(target.pid, "call", "malloc_trim", 5000, 0)
        require("sleep" in said["system_call"], f"borrowed from {said['system_call']}")
        end = target.wait_for("result")
        check_end(end, 0)
        require(1.99 < end["elapsed_s"] < 3.5, f"a sleep of 2 s took {end['elapsed_s']} s")


def waits_are_restarted(build):
    for mode, result in (("poll", 1), ("wait4", 7), ("condition", 1)):
        words = (mode, "teller") if mode == "condition" else (mode,)
        with waiter(build, *words) as target:
            ready(target)
            build.call(target.pid, "call", "malloc_trim", 5000, 0)
            target.say("on")
            check_end(target.wait_for("result"), result)


def accept_is_restarted(build):
    with waiter(build, "accept") as target:
        port = target.wait_for("port")["port"]
        ready(target)
        call_trim(build, target, "accept")
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            check_end(target.wait_for("result"), 1)


def epoll_wait_is_told_as_by_any_stop(build):
    with waiter(build, "epoll_wait") as target:
        ready(target)
        call_trim(build, target, "epoll_wait")
        check_end(target.wait_for("result"), -1, EINTR)


def a_signal_ends_a_pause_all_the_same(build):
    with waiter(build, "pause") as target:
        ready(target)
        call_trim(build, target, "pause")
        time.sleep(0.1)
        os.kill(target.pid, signal.SIGUSR1)
        end = target.wait_for("result")
        check_end(end, -1, EINTR)
        require(end["handled"] == 1, f"the handler ran {end['handled']} times")


def a_signal_during_the_call_is_not_lost(build):
    with waiter(build, "pause") as target:
        ready(target)
        calling = subprocess.Popen([build.program("caller"), str(target.pid), "call", "usleep", "5000", "800000"],
                                   stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        os.kill(target.pid, signal.SIGUSR1)
        require(calling.wait(timeout=20) == 0, "the call failed")
        end = target.wait_for("result")
        check_end(end, -1, EINTR)
        require(end["handled"] == 1, f"the handler ran {end['handled']} times")


def blocked_signals_stay_blocked(build):
    with waiter(build, "read", "blocked") as target:
        ready(target)
        call_trim(build, target, "read")
        target.say("on")
        end = target.wait_for("result")
        check_end(end, 3)
        require(end["segv_blocked"] == 1 and end["usr1_blocked"] == 0, f"the signal mask has changed: {end}")


def busy_heaps_survive(build):
    """Twelve processes with four threads that allocate without pause."""
    for _ in range(12):
        with Target([build.program("churner")], build.environment("none")) as target:
            target.wait_for("ready")
            build.call(target.pid, "library", build.program("libloaded.so"), "loaded_entry", "abc")
            build.call(target.pid, "call", "malloc_trim", 20000, 0)
            target.say("on")
            end = target.wait_for("result", 60)
            require(end["result"] == 3 and end["damaged"] == 0 and end["made"] > 0, f"the program says {end}")


def a_library_is_loaded_and_entered(build):
    library = build.program("libloaded.so")
    with waiter(build, "read") as target:
        ready(target)
        said = build.call(target.pid, "library", library, "loaded_entry", "abcd")
        require(said["returned"] == 1005, f"the entry returned {said['returned']}, expected 1005")
        require(str(library) in pathlib.Path(f"/proc/{target.pid}/maps").read_text(), "the library is not mapped")
        again = build.call(target.pid, "library", library, "loaded_entry", "")
        require(again["returned"] == 1001, f"the second call returned {again['returned']}")
        text = build.call(target.pid, "library", "/nowhere/lib.so", "loaded_entry", "", expect=3)
        require("cannot open shared object file" in text, f"the loader's own words are missing: {text}")
        text = build.call(target.pid, "library", library, "no_entry", "", expect=3)
        require("no such function" in text, f"says {text}")
        target.say("on")
        check_end(target.wait_for("result"), 3)


def nothing_is_left_behind(build):
    with waiter(build, "read") as target:
        ready(target)
        call_trim(build, target, "read")
        before = pathlib.Path(f"/proc/{target.pid}/maps").read_text()
        call_trim(build, target, "read")
        require(before == pathlib.Path(f"/proc/{target.pid}/maps").read_text(), "the call left a mapping behind")


def a_late_call_finishes_by_itself(build):
    with waiter(build, "registers") as target:
        ready(target)
        text = build.call(target.pid, "call", "usleep", 200, 1200000, expect=3)
        require("did not return within 0.2 s" in text, f"says {text}")
        target.say("on")
        check_end(target.wait_for("result"), 3)


def a_killed_caller_does_no_harm(build):
    with waiter(build, "registers") as target:
        ready(target)
        calling = subprocess.Popen([build.program("caller"), str(target.pid), "call", "usleep", "5000", "1200000"])
        time.sleep(0.4)
        calling.kill()
        calling.wait()
        time.sleep(0.2)
        target.say("on")
        check_end(target.wait_for("result"), 3)


# --- refusals -------------------------------------------------------------------------------------------

def refused(build, target, *expected, command="trim"):
    done = run_offheap(build, [command, target.pid, "--inject"], expect=3)
    for text in expected:
        require(text in done.stderr, f"the refusal lacks {text!r}: {done.stderr}")


def threads_without_a_harmless_call_are_refused(build):
    with waiter(build, "spin") as target:
        ready(target)
        refused(build, target, "1 in running", "try again")
        os.kill(target.pid, signal.SIGUSR1)
        check_end(target.wait_for("result"), 1)
    with waiter(build, "lock") as target:
        ready(target)
        refused(build, target, "1 in futex (a lock)")


def a_stopped_target_is_refused(build):
    with waiter(build, "read") as target:
        ready(target)
        os.kill(target.pid, signal.SIGSTOP)
        time.sleep(0.1)
        refused(build, target, "is stopped", f"kill -CONT {target.pid}")
        os.kill(target.pid, signal.SIGCONT)
        target.say("on")
        check_end(target.wait_for("result"), 3)


def a_zombie_is_refused(build):
    child = subprocess.Popen(["true"])
    time.sleep(0.3)
    done = run_offheap(build, ["trim", child.pid, "--inject"], expect=3)
    require("exit" in done.stderr or "ended" in done.stderr, f"says {done.stderr}")
    child.wait()


def a_traced_target_is_refused(build):
    """A second caller, in a long call, is the tracer."""
    with waiter(build, "read") as target:
        ready(target)
        calling = subprocess.Popen([build.program("caller"), str(target.pid), "call", "usleep", "9000", "1500000"],
                                   stdout=subprocess.DEVNULL)
        time.sleep(0.4)
        text = build.call(target.pid, "call", "malloc_trim", 1000, 0, expect=3)
        require(f"already traced by pid {calling.pid}" in text, f"says {text}")
        require(calling.wait(timeout=20) == 0, "the first call failed")


def a_static_target_is_refused(build):
    with Target([build.program("static"), "read"], build.environment("none")) as target:
        ready(target)
        refused(build, target, "static")
        refused(build, target, "static", "offheap explain", command="attach")


def musl_is_refused(build):
    compiler = shutil.which("musl-gcc")
    if compiler is None:
        raise Skip("musl-gcc is not installed")
    source = pathlib.Path(__file__).resolve().parent / "programs" / "filtered.c"
    program = build.folder / "programs" / "musl_program"
    subprocess.run([compiler, "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu",
                    str(source), "-o", str(program)], check=True, capture_output=True)
    with Target([program, "none"], build.environment("none")) as target:
        ready(target)
        refused(build, target, "musl")
        refused(build, target, "musl", "offheap explain", command="attach")


def a_32_bit_target_is_refused(build):
    program = build.folder / "programs" / "small_32"
    source = "int main(void){volatile int on=1;while(on)__asm__ volatile(\"pause\");}"
    made = subprocess.run(["gcc", "-m32", "-static", "-nostdlib", "-ffreestanding", "-Wl,-e,main", "-x", "c", "-",
                           "-o", str(program)], input=source, text=True, capture_output=True, check=False)
    if made.returncode != 0:
        raise Skip("the compiler makes no 32-bit programs")
    try:
        target = Target([program], build.environment("none"))
    except OSError as problem:
        if problem.errno != errno.ENOEXEC:
            raise
        raise Absent("the kernel runs no 32-bit programs") from problem
    with target:
        time.sleep(0.2)
        require(target.process.poll() is None, f"the 32-bit program ended with {target.process.poll()}")
        refused(build, target, "32-bit")


def a_missing_right_is_named(build):
    if os.geteuid() != 0:
        raise Skip("needs root, to give rights up")
    with waiter(build, "read") as target:
        ready(target)
        done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", str(build.program("caller")),
                               str(target.pid), "call", "malloc_trim", "1000", "0"],
                              capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 127 or "Permission denied" in done.stderr:
            raise Skip(f"another user cannot run the program: {done.stderr}")
        require(done.returncode == 3 and "CAP_SYS_PTRACE" in done.stderr, f"says {done.returncode} {done.stderr}")


def what_forbids_it_is_named(build):
    """A process of our own that may not be traced; then the same on a machine that seems to have Yama."""
    if os.geteuid() != 0:
        raise Skip("needs root, to give a right up and for a mount namespace")
    without_right = ["setpriv", "--bounding-set=-sys_ptrace"]
    show_yama = 'mount --bind "$0" /proc/sys/kernel && exec "$@"'
    with Target([build.program("filtered"), "hidden"], build.environment("none")) as target, \
            tempfile.TemporaryDirectory() as kernel:
        ready(target)
        scope = pathlib.Path(kernel) / "yama" / "ptrace_scope"
        scope.parent.mkdir()
        scope.write_text("2\n", encoding="utf-8")
        caller = [str(build.program("caller")), str(target.pid), "call", "malloc_trim", "1000", "0"]
        for prefix, expected in (([], "not dumpable"),
                                 (["unshare", "--mount", "sh", "-c", show_yama, kernel], "Yama forbids it")):
            done = subprocess.run([*prefix, *without_right, *caller], capture_output=True, text=True, timeout=30, check=False)
            require(done.returncode == 3 and expected in done.stderr and "CAP_SYS_PTRACE" in done.stderr,
                    f"the refusal lacks {expected!r}: {done.returncode} {done.stderr}")
        target.ask("on", "alive")


def seccomp_is_looked_into(build):
    for mode, expected in (("strict", "strict seccomp"), ("deny", "denies mmap")):
        with Target([build.program("filtered"), mode], build.environment("none")) as target:
            ready(target)
            refused(build, target, expected)
            refused(build, target, expected, command="attach")
            target.ask("on", "alive")
    with Target([build.program("filtered"), "allow"], build.environment("none")) as target:
        ready(target)
        run_offheap(build, ["trim", target.pid, "--inject"])
        target.ask("on", "alive")


def an_unprepared_process_needs_the_option(build):
    with waiter(build, "read") as target:
        ready(target)
        done = run_offheap(build, ["trim", target.pid], expect=2)
        require("--inject" in done.stderr, f"says {done.stderr}")


TESTS = [read_is_restarted, sleep_keeps_its_end, waits_are_restarted, accept_is_restarted,
         epoll_wait_is_told_as_by_any_stop, a_signal_ends_a_pause_all_the_same,
         a_signal_during_the_call_is_not_lost, blocked_signals_stay_blocked, busy_heaps_survive,
         a_library_is_loaded_and_entered, nothing_is_left_behind, a_late_call_finishes_by_itself,
         a_killed_caller_does_no_harm, threads_without_a_harmless_call_are_refused, a_stopped_target_is_refused,
         a_zombie_is_refused, a_traced_target_is_refused, a_static_target_is_refused, musl_is_refused,
         a_32_bit_target_is_refused, a_missing_right_is_named, what_forbids_it_is_named, seccomp_is_looked_into,
         an_unprepared_process_needs_the_option]


def main(tests=None, description=__doc__):
    chosen_from = {test.__name__: test for test in (tests or TESTS)}
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", default="build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("test", nargs="?")
    options = parser.parse_args()
    if options.list:
        print("\n".join(chosen_from))
        return 0
    return run_main(lambda: chosen_from[options.test](TrimBuild(options.build)))


if __name__ == "__main__":
    sys.exit(main())
