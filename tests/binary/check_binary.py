#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gates on libshim.so as built: what it exports, needs, calls and asks of the loader.

The design's rules are checked on the file, not on the intention. Each gate is one function that returns
the violations; `check_binary.py GATE --shim libshim.so [--objects A.o B.o ...]` runs one. With --glibc VERSION
the file is the released one, which loads on that glibc and every later one.
"""

import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
NEEDED = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}
BEFORE_GLIBC_2_34 = {"libpthread.so.0", "libdl.so.2"}  # later these are empty, but still there
MOST_LOADED_BYTES = 3 << 20  # text and data in the file, without debug information


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def listed(name):
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def undefined_symbols(path, *options):
    lines = output_of("nm", "--undefined-only", *options, path).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line.strip()}


def exports(arguments):
    lines = output_of("nm", "-D", "--defined-only", arguments.shim).splitlines()
    exported = {line.split()[-1].split("@")[0] for line in lines}
    wanted = set(listed("exports.txt"))
    return ([f"not exported: {name}" for name in sorted(wanted - exported)] +
            [f"exported, but not in exports.txt: {name}" for name in sorted(exported - wanted)])


def needed(arguments):
    dynamic = output_of("readelf", "-dW", arguments.shim)
    libraries = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    allowed = NEEDED | (BEFORE_GLIBC_2_34 if arguments.glibc else set())
    return [f"needs {library}" for library in sorted(libraries - allowed)]


def versions(arguments):
    """Every symbol version that the file asks for is one that the oldest glibc has."""
    if not arguments.glibc:
        return []
    wanted = set(re.findall(r"Name: (GLIBC_\S+)", output_of("readelf", "-VW", arguments.shim)))
    oldest = [int(part) for part in arguments.glibc.split(".")]
    return [f"needs {version}" for version in sorted(wanted)
            if not re.fullmatch(r"GLIBC_[\d.]+", version)
            or [int(part) for part in version.removeprefix("GLIBC_").split(".")] > oldest]


def runtime(arguments):
    """No symbol of the C++ runtime may be left to the program, which may have none."""
    allowed = {"__cxa_finalize", "__cxa_atexit", "__cxa_thread_atexit_impl"}
    undefined = undefined_symbols(arguments.shim, "-D")
    return [f"left undefined: {name}" for name in sorted(undefined - allowed)
            if re.match(r"_Z|__cxa_|__gxx_|_Unwind_", name)]


def callees(arguments):
    rules = [[field.strip() for field in re.split(r"\s\|\s", line + " ")] for line in listed("callees.txt")]
    found = []
    for path in arguments.objects:
        file = pathlib.Path(path).name.split(".")[0]
        for symbol in sorted(undefined_symbols(path)):
            found += [f"{file} calls {symbol}: {why}" for pattern, allowed, why in rules
                      if re.search(pattern, symbol) and file not in allowed.split()]
    return found


def loader(arguments):
    dynamic = output_of("readelf", "-dW", arguments.shim)
    segments = output_of("readelf", "-lW", arguments.shim)
    stack = re.search(r"GNU_STACK.*", segments)
    conditions = {
        "TLS is not initial-exec (no STATIC_TLS flag)": "STATIC_TLS" in dynamic,
        "relocations are lazy (no BIND_NOW)": "BIND_NOW" in dynamic or re.search(r"Flags:.*\bNOW\b", dynamic),
        "no RELRO segment": "GNU_RELRO" in segments,
        "text relocations": "TEXTREL" not in dynamic,
        "the stack is executable": stack and "RWE" not in stack.group(),
        "it calls __tls_get_addr": "__tls_get_addr" not in undefined_symbols(arguments.shim, "-D"),
        "dlclose could unload it (no NODELETE)": "NODELETE" in dynamic,
    }
    return [violation for violation, holds in conditions.items() if not holds]


def size(arguments):
    loads = re.findall(r"^\s+LOAD\s+\S+\s+\S+\s+\S+\s+(\S+)\s+(\S+)", output_of("readelf", "-lW", arguments.shim), re.M)
    file_bytes = sum(int(in_file, 16) for in_file, _ in loads)
    memory_bytes = sum(int(in_memory, 16) for _, in_memory in loads)
    print(f"loaded from the file: {file_bytes:,} bytes; address space: {memory_bytes:,} bytes")
    return [f"more than {MOST_LOADED_BYTES:,} bytes"] if file_bytes > MOST_LOADED_BYTES else []


GATES = {gate.__name__: gate for gate in (exports, needed, versions, runtime, callees, loader, size)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gate", choices=GATES)
    parser.add_argument("--shim", required=True)
    parser.add_argument("--objects", nargs="*", default=[])
    parser.add_argument("--glibc", help="the oldest glibc that the file is released for")
    arguments = parser.parse_args()
    if arguments.glibc and not pathlib.Path(arguments.shim).exists():
        print(f"{arguments.shim} has not been built")
        sys.exit(77)
    if arguments.gate == "callees" and not arguments.objects:
        sys.exit("no objects to look at")
    violations = GATES[arguments.gate](arguments)
    sys.exit("\n".join(violations) if violations else 0)


if __name__ == "__main__":
    main()
