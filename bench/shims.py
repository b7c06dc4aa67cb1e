# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: how a program is run bare and shimmed, and how a table is printed."""

import os
import platform
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


def bare_environment(backend):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    if BARE[backend]:
        environment["LD_PRELOAD"] = BARE[backend]
    return environment


def shim_environment(backend, shim, **options):
    """Options are OFFHEAP_* without the prefix: shim_environment("glibc", shim, SAMPLE="512K")."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_PRELOAD": shim, "OFFHEAP_BACKEND": backend}
    environment.update({f"OFFHEAP_{name}": value for name, value in options.items()})
    return environment


def output_of(command, environment):
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


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
    return f"{date}, {os.cpu_count()} x {model}, {libc}, Linux {platform.release()}, load {load:.1f}"


def print_table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def median(values):
    return statistics.median(values)
