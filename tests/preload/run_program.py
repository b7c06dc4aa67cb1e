#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one program under the shim with one backend, and compares it with the bare allocator.

The oracle is differential: standard output and exit status under the shim must equal those of the same
program under the backend alone. Comments at the top of a program say what is different about it:

    // env: NAME=VALUE                    set for both runs; may repeat
    // expect: TEXT                       standard output is this line; no reference run, since the
                                          program is about the shim itself
    // as-glibc: BACKENDS -- REASON       the bare allocator cannot do this; glibc's answer is expected
    // stderr: TEXT                       the shim says one line on fd 2, and it contains this
    // backends: BACKENDS -- REASON       registered for these only (read by CMakeLists.txt)
    // glibc: VERSION -- REASON           not built against an older glibc (read by CMakeLists.txt)

A program whose reference run fails is a failed test too, and so is any word of the shim on fd 2 that was
not asked for.
"""

import argparse
import os
import re
import signal
import subprocess
import sys

LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
JEMALLOC = LIBRARIES + "libjemalloc.so.2"
TCMALLOC = LIBRARIES + "libtcmalloc_minimal.so.4"
MIMALLOC = LIBRARIES + "libmimalloc.so.2.0"
STRESS = "OFFHEAP_STRESS_SECONDS"  # the one variable that is passed on, to stress/
TIMEOUT_SECONDS = 120 + int(os.environ.get(STRESS, "0"))

# backend -> (value of OFFHEAP_BACKEND or None, preloaded behind the shim or None, the bare allocator or None)
BACKENDS = {
    "next": (None, None, None),
    "glibc": ("glibc", None, None),
    "jemalloc": ("jemalloc", None, JEMALLOC),
    "tcmalloc": ("tcmalloc", None, TCMALLOC),
    "path-mimalloc": (MIMALLOC, None, MIMALLOC),
    "glibc-mimalloc": ("glibc", MIMALLOC, None),
    "next-mimalloc": (None, MIMALLOC, MIMALLOC),
    "next-jemalloc": (None, JEMALLOC, JEMALLOC),
}


class Directives:
    """What the comments at the top of a program's source say."""

    def __init__(self, source):
        self.environment = {}
        self.expected = None
        self.as_glibc = []
        self.stderr = None
        for line in open(source, encoding="utf-8"):
            match = re.match(r"// (env|expect|as-glibc|stderr): (.*)", line)
            if match:
                self._add(*match.groups())

    def _add(self, key, value):
        if key == "env":
            name, setting = value.split("=", 1)
            self.environment[name] = setting
        elif key == "expect":
            self.expected = value + "\n"
        elif key == "as-glibc":
            self.as_glibc = value.split(" -- ")[0].split()
        elif key == "stderr":
            self.stderr = value


def run(program, arguments, environment):
    """(exit status, stdout, stderr); the status is "timeout" when it had to be killed."""
    process = subprocess.Popen([program, *arguments], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="backslashreplace", start_new_session=True)
    try:
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return "timeout", out, err


def base_environment(directives):
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    if STRESS in os.environ:
        environment[STRESS] = os.environ[STRESS]
    environment.update(directives.environment)
    return environment


def reference_environment(directives, backend):
    environment = base_environment(directives)
    bare = None if backend in directives.as_glibc else BACKENDS[backend][2]
    if bare:
        environment["LD_PRELOAD"] = bare
    return environment


def shim_environment(directives, backend, shim):
    environment = base_environment(directives)
    option, behind, _ = BACKENDS[backend]
    if option:
        environment.setdefault("OFFHEAP_BACKEND", option)
    environment["LD_PRELOAD"] = f"{shim} {behind}" if behind else shim
    return environment


def expected_result(arguments, directives):
    if directives.expected is not None:
        return 0, directives.expected
    environment = reference_environment(directives, arguments.backend)
    status, out, err = run(arguments.program, arguments.arguments, environment)
    if status != 0:
        sys.exit(f"the bare allocator fails: status {status}\n{out}{err}")
    return status, out


def check_stderr(err, wanted):
    said = [line for line in err.splitlines() if line.startswith("libshim:")]
    if wanted is None and said:
        return f"the shim says what it was not asked to: {said}"
    if wanted is not None and (len(said) != 1 or wanted not in said[0]):
        return f"the shim should say one line with '{wanted}', but says {said}"
    return None


def show_difference(expected, got):
    for index, (left, right) in enumerate(zip(expected.splitlines(), got.splitlines())):
        if left != right:
            return f"line {index + 1}: expected '{left}', got '{right}'"
    return f"expected {len(expected.splitlines())} lines, got {len(got.splitlines())}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True, help="the program's source, for its directives")
    parser.add_argument("--shim", required=True)
    parser.add_argument("--backend", required=True, choices=BACKENDS)
    parser.add_argument("program")
    parser.add_argument("arguments", nargs="*")
    arguments = parser.parse_args()
    directives = Directives(arguments.source)
    wanted_status, wanted_out = expected_result(arguments, directives)
    environment = shim_environment(directives, arguments.backend, arguments.shim)
    status, out, err = run(arguments.program, arguments.arguments, environment)
    if status != wanted_status:
        sys.exit(f"status {status} instead of {wanted_status}\n{out}{err}")
    if out != wanted_out:
        sys.exit(f"{show_difference(wanted_out, out)}\n{err}")
    complaint = check_stderr(err, directives.stderr)
    if complaint:
        sys.exit(complaint)


if __name__ == "__main__":
    main()
