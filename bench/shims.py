#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: how a program is run bare and shimmed, in turns, and how a table is printed."""

import os
import platform
import shutil
import statistics
import subprocess
import time

LIBRARIES = "/usr/lib/x86_64-linux-gnu/"

# backend -> the bare allocator's library, None for glibc itself
BARE = {
    "glibc": None,
    "jemalloc": LIBRARIES + "libjemalloc.so.2",
    "tcmalloc": LIBRARIES + "libtcmalloc_minimal.so.4",
}

# With an allocator that the shim does not carry, and takes by path.
BARE_AND_OTHERS = {**BARE, "mimalloc": LIBRARIES + "libmimalloc.so.2"}

PACKAGES = {"jemalloc": "libjemalloc2", "tcmalloc": "libtcmalloc-minimal4", "mimalloc": "libmimalloc2.0"}


def bare_environment(backend):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    if BARE_AND_OTHERS[backend]:
        environment["LD_PRELOAD"] = BARE_AND_OTHERS[backend]
    return environment


def shim_environment(backend, shim, **options):
    """Options are OFFHEAP_* without the prefix: shim_environment("glibc", shim, SAMPLE="512K")."""
    name = backend if backend in BARE else BARE_AND_OTHERS[backend]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_PRELOAD": shim, "OFFHEAP_BACKEND": name}
    environment.update({f"OFFHEAP_{name}": value for name, value in options.items()})
    return environment


def output_of(command, environment):
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def missing(*needs):
    """What to install, as a cell of a table, or None: needs are pairs of (command or file, Debian package)."""
    packages = [package for need, package in needs
                if not (os.path.exists(need) if need.startswith("/") else shutil.which(need))]
    return f"not installed: {', '.join(packages)}" if packages else None


def missing_allocator(backend):
    library = BARE_AND_OTHERS[backend]
    return missing((library, PACKAGES[backend])) if library else None


def failure(error):
    """One line of why a run gave no figure."""
    text = getattr(error, "stderr", None) or str(error)
    lines = [line for line in str(text).strip().splitlines() if line.strip()] or [type(error).__name__]
    return "failed: " + lines[-1].replace("|", "/")[:120]


def alternate(rounds, *actions):
    """Runs all `rounds` times in turns, after one run of the first that warms up file caches."""
    actions[0]()
    results = tuple([] for _ in actions)
    for _ in range(rounds):
        for action, result in zip(actions, results):
            result.append(action())
    return results


def spread(values, digits=2):
    """Median, and from least to most."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def machine():
    """One line: what ran the benchmark, and when."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    libc = " ".join(platform.libc_ver())
    load = os.getloadavg()[0]
    date = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{date}, {os.cpu_count()} x {model}, {libc}, Linux {platform.release().partition('-')[0]}, load {load:.1f}"


def print_table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print(flush=True)


def median(values):
    return statistics.median(values)
