#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`offheap ab` on two servers under load: four entries, five runs each, as it prints them. The HTML pages and the rows
are kept beside the build's benchmarks."""

import argparse
import os
import pathlib
import shlex
import subprocess
import sys

import programs
import shims

ENTRIES = "glibc,glibc:arena_max=2,tcmalloc,jemalloc"


def redis(arguments, port):
    program = programs.RedisPipelined
    return (program.needs,
            ["--start", shlex.join(program.server_command(port)), "--ready", f"redis-cli -p {port} ping",
             "--parse", "redis-benchmark",
             "--load", shlex.join(program.load_command(port, int(400_000 * arguments.scale)))])


def jvm_service(arguments, port):
    program = programs.JvmService
    needs = (program.needs[0], ("wrk", "wrk"))
    classes = os.path.join(arguments.programs, "java")
    seconds = max(round(10 * arguments.scale), 1)
    return (needs,
            ["--start", shlex.join(program.server_command(classes, port)), "--ready", f"tcp:{port}", "--parse", "wrk",
             "--load", f"wrk -t 2 -c 8 -d {seconds}s --latency http://127.0.0.1:{port}/"])


SERVERS = {"redis-server, 16 in a pipeline": ("redis", redis), "JVM service, 8 connections": ("jvm", jvm_service)}


def compare(arguments, name, make):
    """What ab prints, and whether it did its work."""
    needs, server = make(arguments, programs.free_port())
    absent = shims.missing(*needs)
    if absent:
        return absent, True
    rows = arguments.keep / f"ab-{name}.jsonl"
    rows.unlink(missing_ok=True)
    command = [arguments.offheap, "ab", "--backends", ENTRIES, "--runs", arguments.runs,
               "--warm-up", arguments.warm_up, "--seed", 1, "--rows", rows,
               "--html", arguments.keep / f"ab-{name}.html", *server]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip(), done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offheap", required=True)
    parser.add_argument("--programs", required=True, type=pathlib.Path, help="the build's bench directory")
    parser.add_argument("--keep", type=pathlib.Path, help="where pages and rows go; default: that directory")
    parser.add_argument("--only", choices=[name for name, _ in SERVERS.values()])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1, help="of the load")
    arguments = parser.parse_args()
    arguments.programs = arguments.programs.resolve()
    arguments.keep = arguments.keep or arguments.programs
    well = True
    for title, (name, make) in SERVERS.items():
        if arguments.only not in (None, name):
            continue
        text, done = compare(arguments, name, make)
        well &= done
        print(f"### {title}\n\n```text\n{text}\n```\n", flush=True)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
