#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times `offheap explain --json` on a big glibc heap, and says how long it stopped the target."""

import argparse
import json
import os
import subprocess
import time

import shims


def explained(offheap, pid, *options):
    """(seconds, report)"""
    begin = time.perf_counter()
    out = shims.output_of([offheap, "explain", str(pid), "--json", *options], {"PATH": os.environ["PATH"]})
    return time.perf_counter() - begin, json.loads(out)


def measure(arguments, environment, *options):
    command = [os.path.join(arguments.programs, "big_heap"), str(arguments.megabytes)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as target:
        try:
            assert target.stdout.readline() == "filled\n"
            looks = [explained(arguments.offheap, target.pid, *options) for _ in range(3)]
        finally:
            target.kill()
    seconds, report = min(looks, key=lambda look: look[0])
    owners = sum(entry["rss_bytes"] for entry in report["ledger"])
    return (f"{report['rss_bytes'] / 2**20:.0f}", f"{seconds:.2f}", f"{report['self']['pause_ns'] / 1e6:.1f}",
            "yes" if owners == report["rss_bytes"] else f"no: {owners - report['rss_bytes']:+d}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shim", required=True)
    parser.add_argument("--offheap", required=True)
    parser.add_argument("--programs", required=True, help="the build's bench directory")
    parser.add_argument("--megabytes", type=int, default=1024)
    arguments = parser.parse_args()
    bare, shimmed = shims.bare_environment("glibc"), shims.shim_environment("glibc", arguments.shim)
    rows = [("not preloaded", *measure(arguments, bare)),
            ("under the shim", *measure(arguments, shimmed)),
            ("under the shim, --no-pause", *measure(arguments, shimmed, "--no-pause"))]
    print(f"offheap explain on {arguments.megabytes} MB of small glibc blocks, best of three.\n")
    shims.print_table(("target", "RSS MiB", "seconds", "pause ms", "ledger sums to RSS"), rows)


if __name__ == "__main__":
    main()
