# SPDX-License-Identifier: Apache-2.0
"""The workloads, as commands, and how to read what they print."""

import collections
import os
import re

import shims

Workload = collections.namedtuple("Workload", "title command needs")

JAVA = ("java", "openjdk-17-jdk-headless")


def commands(programs, pairs):
    """short name -> Workload, of such a size that W1 makes `pairs` pairs; the slower ones make fewer."""
    def program(name, *arguments):
        return [os.path.join(programs, name), *map(str, arguments)]

    def java(name, *arguments):
        return ["java", "-XX:+UseSerialGC", "-Xmx512m", "-cp", os.path.join(programs, "java"), name,
                *map(str, arguments)]

    few = max(pairs // 10, 10_000)
    return {
        "W1": Workload("pairs, one thread", program("pairs", pairs), ()),
        "W2": Workload("four threads, cross-thread frees", program("cross_thread", few), ()),
        "W3": Workload("pairs under 30 frames", program("pairs", pairs, 30), ()),
        "W4": Workload("leaks amid churn", program("leaks", max(pairs // 800_000, 1)), ()),
        "S1": Workload("server threads and their successors", program("successors", few), ()),
        "S2": Workload("producers and consumers", program("queue", few), ()),
        "S3": Workload("arenas left behind", program("arenas_left", 16, max(pairs // 1_000_000, 1), 256, 0), ()),
        "J1": Workload("JVM: zip", java("Zip", max(pairs // 5_000, 100)), (JAVA,)),
        "J2": Workload("JVM: direct buffers and Unsafe", java("DirectAndUnsafe", max(pairs // 50, 1_000)), (JAVA,)),
        "J3": Workload("JVM: zip in 32 threads", java("Zip", max(pairs // 160_000, 10), 32), (JAVA,)),
    }


def nanoseconds(output):
    """(minimum, median) of one run; a program that prints one number has one for both."""
    numbers = [float(word) for word in output.strip().splitlines()[-1].split() if word != "ns"]
    return numbers[0], numbers[-1]


def peak_mib(output):
    return int(re.search(r"^peak_kib (\d+)$", output, re.MULTILINE).group(1)) / 1024


def run(workload, environment):
    return shims.output_of(workload.command, environment)
