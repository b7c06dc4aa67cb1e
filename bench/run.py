#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All benchmarks of a build, as Markdown on standard output.

About five minutes on two cores; --quick takes one and is good for nothing but seeing that all of it runs.
The instruction table is the one to compare across machines.
"""

import argparse
import pathlib
import subprocess
import sys

import shims

HERE = pathlib.Path(__file__).parent


def run(script, *options):
    subprocess.run([sys.executable, HERE / script, *options], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build directory")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    programs = build / "bench"
    shim = ["--shim", build / "libshim" / "libshim.so"]
    print(shims.machine() + "\n")
    print("Instructions a malloc+free pair, by callgrind; counters and sampling on.\n", flush=True)
    run("instructions.py", *shim, "--pairs-program", programs / "pairs")
    quick = ["--rounds", "2", "--pairs", "1000000"] if arguments.quick else []
    run("ratio.py", *shim, "--programs", programs, *quick)
    run("micro.py", *shim, "--programs", programs)
    megabytes = "100" if arguments.quick else "1024"
    run("explain.py", *shim, "--programs", programs, "--offheap", build / "tools" / "offheap", "--megabytes", megabytes)


if __name__ == "__main__":
    main()
