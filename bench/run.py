#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All benchmarks of a build, as Markdown on standard output, and in a file that keeps them.

About three quarters of an hour on two cores; --quick takes one and is good for nothing but seeing that all of it runs.
The instruction table is the one to compare across machines. With --output, the sections that were measured replace
those of the file, each with its own date and machine, and the others stay.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

import shims

HERE = pathlib.Path(__file__).parent

# quick: options of the short version, None where a test of its own does the same.
Part = collections.namedtuple("Part", "title script options quick")


def parts(build, async_profiler, rounds, backend):
    programs = ["--programs", build / "bench"]
    shim = ["--shim", build / "libshim" / "libshim.so"]
    offheap = ["--offheap", build / "tools" / "offheap"]
    runs = ["--runs", rounds] if rounds else []
    rounds = ["--rounds", rounds] if rounds else []
    backend = ["--backend", backend] if backend else []
    profiler = ["--async-profiler", async_profiler] if async_profiler else []
    return {
        "instructions": Part("Instructions a call", "instructions.py",
                             [*shim, "--attach-shim", build / "libshim" / "attach" / "libshim-attach.so",
                              "--calls-program", build / "bench" / "calls"], None),
        "workloads": Part("Workloads, and what idles", "ratio.py", [*shim, *programs, *rounds, *backend],
                          ["--rounds", 1, "--idle-rounds", 5, "--pairs", 1_000_000, "--backend", "glibc"]),
        "micro": Part("Entry points", "micro.py", [*shim, *programs, *rounds],
                      ["--rounds", 1, "--seconds", 0.002, "--only", "malloc_free/|usable"]),
        "services": Part("Programs under load", "services.py", [*shim, *programs, *rounds, *backend],
                         ["--rounds", 1, "--seconds", 0, "--settle", 0, "--scale", 0.2, "--backend", "glibc"]),
        "ab": Part("offheap ab", "ab.py", [*offheap, *programs, *runs],
                   ["--runs", 1, "--warm-up", 0, "--scale", 0.02]),
        "peers": Part("Other tools", "peers.py", [*shim, *offheap, *programs, *profiler, *rounds],
                      ["--rounds", 1, "--pairs", 400_000, "--leak-percent", 5, "--accuracy-runs", 1]),
        "explain": Part("offheap explain", "explain.py", [*shim, *programs, *offheap], ["--megabytes", 100]),
    }


def section(part, quick):
    """(Markdown, whether the script did its work)"""
    command = [sys.executable, HERE / part.script, *part.options, *(part.quick if quick else [])]
    begin = shims.machine()
    result = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=False)
    text = f"## {part.title}\n\n{begin}\n\n{result.stdout.strip()}\n"
    if result.returncode != 0:
        text += f"\n{part.script} failed with {result.returncode}; what it had measured stands above.\n"
    return text, result.returncode == 0


PREFACE = """# Benchmarks

Written by `make bench`, that is [bench/run.py](../bench/run.py); [bench/README.md](../bench/README.md) says what
each table measures and how to read it. Nanoseconds and requests a second are those of a virtual machine whose
neighbours are heard: believe the ratios, which come from runs in turns, and their spread.
"""


def replace_sections(path, sections):
    """Sections are known by their titles."""
    kept = collections.OrderedDict()
    if path.exists():
        for text in re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            kept[text.splitlines()[0]] = text.strip() + "\n"
    for text in sections:
        kept[text.splitlines()[0]] = text
    path.write_text("\n".join([PREFACE, *kept.values()]), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build directory")
    parser.add_argument("--only", action="append", metavar="PART",
                        help="instructions, workloads, micro, services, ab, peers or explain; default: all")
    parser.add_argument("--output", type=pathlib.Path, help="the file whose sections are replaced")
    parser.add_argument("--rounds", type=int, help="pairs of runs in turns, instead of what each script has")
    parser.add_argument("--backend", help="of the workloads and services only this one: glibc, jemalloc or tcmalloc")
    parser.add_argument("--async-profiler", help="its directory, that holds bin/ and lib/")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    everything = parts(arguments.build.resolve(), arguments.async_profiler, arguments.rounds, arguments.backend)
    for name in arguments.only or []:
        if name not in everything:
            parser.error(f"--only {name}: there is {', '.join(everything)}")
    sections, failed = [], []
    for name in arguments.only or everything:
        part = everything[name]
        if arguments.quick and part.quick is None:
            continue
        text, well = section(part, arguments.quick)
        print(text, flush=True)
        sections.append(text)
        failed += [] if well else [part.script]
    if arguments.output:
        replace_sections(arguments.output, sections)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
