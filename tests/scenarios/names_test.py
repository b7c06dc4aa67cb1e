#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names that a target chose so that they would drive the reader's terminal: of its program, threads, arguments,
libraries, functions, cgroup, Java classes and Java threads. No command prints one as it is, in text or in JSON."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import harness
from harness import require

# ESC [, DEL, the C1 control CSI as UTF-8 and as a bare byte, a line end, an override of the direction of writing.
ODD = b"\x1b[31m\x7f\xc2\x9b\x9b\n\xe2\x80\xae"
ODD_PROGRAM = b"o\x1b[31m\x7f\xc2\x9b\x9b"  # a thread's name has 15 bytes at most
ODD_FUNCTION = b"f\x1b[31m\x7f\xc2\x9b\xe2\x80\xae"


def harmful(text):
    """The first character that a terminal may act on, or None."""
    for character in text:
        point = ord(character)
        if (point < 0x20 and character != "\n") or 0x7f <= point < 0xa0 or 0x202a <= point <= 0x202e:
            return f"U+{point:04X} in {text[max(0, text.index(character) - 40):][:80]!r}"
    return None


def check(build, *arguments):
    """Runs a command and checks every byte of it; returns what it printed."""
    done = subprocess.run([os.fsencode(str(part)) if not isinstance(part, bytes) else part
                           for part in (build.offheap, *arguments)], capture_output=True, timeout=60, check=False)
    for stream in (done.stdout, done.stderr):
        try:
            problem = harmful(stream.decode())
        except UnicodeDecodeError as error:
            problem = str(error)
        require(problem is None, f"{' '.join(map(str, arguments))}: {problem}")
    require(done.returncode == 0, f"{arguments} left with {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout.decode()


def check_commands(build, pid, directory):
    """Every command that looks at a process, for people and for machines."""
    saved = directory / "snapshot.json"
    for command in (["explain", pid], ["explain", pid, "--for", "1s"], ["doctor", pid],
                    ["peek", pid, "--arena", "0"], ["trim", pid], ["host"], ["snapshot", pid, "-o", saved],
                    ["diff", saved, saved]):
        check(build, *command)
        if command[0] != "snapshot":
            json.loads(check(build, *command, "--json"))
    problem = harmful(saved.read_text())
    require(problem is None, f"the file of snapshot: {problem}")


@contextlib.contextmanager
def odd_group(pid):
    """The process in a memory cgroup with an odd name, where cgroups can be made."""
    for mount in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        group = os.path.join(mount.encode(), b"offheap" + ODD.replace(b"\n", b"") + str(pid).encode())
        try:
            os.mkdir(group)
            with open(os.path.join(group, b"cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(pid))
        except OSError:
            continue
        try:
            yield
        finally:
            with open(os.path.join(mount.encode(), b"cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(pid))
            os.rmdir(group)
        return
    print("no cgroup with an odd name: none can be made here")
    yield


def native(build, directory):
    program = os.path.join(os.fsencode(directory), ODD_PROGRAM)
    library = os.path.join(os.fsencode(directory), b"lib" + ODD + b".so")
    shutil.copy(build.programs / "leak_dlopen", program)
    subprocess.run(["objcopy", "--redefine-sym", b"plugin_cache_entry=" + ODD_FUNCTION,
                    build.programs / "libleak_plugin.so", library], check=True)
    command = [os.fsdecode(program), "1", os.fsdecode(library)]
    with harness.Target(command, build.environment("glibc", OFFHEAP_SAMPLE="1")) as target:
        target.wait_for("ready")
        time.sleep(0.5)  # until some blocks of the library live
        target.ask("hold", "held")
        with odd_group(target.pid):
            check_commands(build, target.pid, directory)
        names = {frame["function"] for site in harness.explain(build, target.pid)["sites"] for frame in site["frames"]}
        require(ODD_FUNCTION.decode() in names, f"the function's name is not there: {sorted(names)[:20]}")


def java(build, directory):
    for version, program in harness.jvms().items():
        command = [program, "-Xmx64m", "-XX:+UseSerialGC", "-cp", str(build.classes), "OddNames"]
        with harness.Target(command, build.environment("glibc")) as target:
            target.wait_for("ready")
            check_commands(build, target.pid, directory)
            report = harness.explain(build, target.pid)
        names = {frame["function"] for site in report["sites"] for frame in site["frames"]}
        require(any("Keeper\x1bc\x9b" in name for name in names), f"Java {version}: no such class: {sorted(names)[:20]}")
        threads = {thread["name"] for thread in report["threads"]}
        require(any(name.startswith("odd\x1b") for name in threads), f"Java {version}: no such thread: {threads}")
        return
    raise harness.Skip("no Java here")


def run():
    build = harness.Build(sys.argv[sys.argv.index("--build") + 1])
    with tempfile.TemporaryDirectory(prefix="offheap-names-") as directory:
        for test in (native, java):
            test(build, pathlib.Path(directory))
            print(f"{test.__name__}: nothing but text is printed")


if __name__ == "__main__":
    sys.exit(harness.run_main(run))
