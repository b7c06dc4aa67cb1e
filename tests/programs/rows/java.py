# SPDX-License-Identifier: Apache-2.0
"""Java with each collector, with the shim preloaded, and with a recording attached while it works."""

import pathlib
import re
import time

import harness
from program import wait_until
from rows import row

SCRIPTS = pathlib.Path(__file__).resolve().parent / "scripts"
COLLECTORS = {"serial": "-XX:+UseSerialGC", "parallel": "-XX:+UseParallelGC", "g1": "-XX:+UseG1GC", "z": "-XX:+UseZGC"}
VERSIONS = {"17": "openjdk-17-jdk-headless", "25": "openjdk-25-jdk-headless"}


def java_of(version):
    found = harness.jvms().get(version)
    if not found:
        raise harness.Absent(f"no Java {version} on this machine")
    return found


def version_of(version):
    def text():
        release = pathlib.Path(java_of(version)).resolve().parents[1] / "release"
        return "Java " + re.search(r'JAVA_VERSION="([^"]+)', release.read_text())[1] if release.is_file() else f"Java {version}"
    return text


def total_of(out):
    return re.search(r"total (\S+)", out)[1]


def add_collector(version, name, option):
    @row(f"java{version}-{name}", VERSIONS[version], "compiles and runs a program: 8 threads pack, direct buffers, processes, System.gc",
         version=version_of(version), quick=(version, name) == ("17", "g1"))
    def collector(program):
        status, out = program.run(java_of(version), option, "-Xmx256m", "-XX:+HeapDumpOnOutOfMemoryError", SCRIPTS / "Work.java")
        return {"status": status, "total": total_of(out)}


def offheap(program, *words):
    return program.run(program.build.offheap, *words, shimmed=False, check=True)[1]


def add_attach(version):
    @row(f"java{version}-attach", VERSIONS[version], "offheap attach, explain and --detach, twice, while the program works",
         version=version_of(version), preloaded=False)
    def attach(program):
        output = program.path("out.txt")
        process = program.start(java_of(version), "-Xmx256m", SCRIPTS / "Work.java", program.path("enough"), output=output)
        wait_until("ready", lambda: "ready" in output.read_text(), 60)
        if "ROW_BACKEND" in program.environment:
            for _ in range(2):
                offheap(program, "attach", process.pid)
                time.sleep(1)
                offheap(program, "explain", process.pid)
                offheap(program, "attach", process.pid, "--detach")
        program.write("enough", "")
        status = process.wait(90)
        return {"status": status, "total": total_of(output.read_text())}


for _version in VERSIONS:
    for _name, _option in COLLECTORS.items():
        add_collector(_version, _name, _option)
    add_attach(_version)
