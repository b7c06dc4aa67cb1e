#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every command of the root README.

Each ```sh block is run by bash in an empty directory, with this build's files where the README says they
are: `offheap` on PATH, /opt/offheap/libshim.so, and an app.jar that is the demo's shop. A block after
`<!-- make -->` holds make targets, which must exist; the suite that runs this test has run them.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
from harness import require

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def blocks(text):
    """(marker or "", body) of each ```sh block."""
    pattern = re.compile(r"(?:<!-- (\w+) -->\n)?```sh\n(.*?)```", re.DOTALL)
    return [(match.group(1) or "", match.group(2)) for match in pattern.finditer(text)]


def make_application(directory):
    if shutil.which("javac") is None or shutil.which("jar") is None:
        raise harness.Skip("there is no Java compiler on this machine")
    subprocess.run(["javac", "-d", directory / "classes", SOURCE / "docker" / "demo" / "Shop.java"], check=True)
    subprocess.run(["jar", "--create", "--file", directory / "app.jar", "--main-class", "Shop",
                    "-C", directory / "classes", "."], check=True)


def run_block(build, directory, body):
    body = body.replace("/opt/offheap/libshim.so", str(build.shim))
    # jobs started with & end with the block
    script = "set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + body
    environment = build.environment("none", PATH=f"{build.offheap.parent}:{os.environ['PATH']}")
    process = subprocess.Popen(["bash", "-c", script], cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=90)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    require(process.returncode == 0, f"the README's block left with {process.returncode}:\n{body}\n{output}")
    return output


def check_make(body):
    for line in body.splitlines():
        words = line.split("#")[0].split()
        require(not words or words[0] == "make", f"not a make command: {line}")
        if words:
            subprocess.run(["make", "-n", *words[1:]], cwd=SOURCE, check=True, capture_output=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    options = parser.parse_args()
    build = harness.Build(options.build)

    def run():
        found = blocks((SOURCE / "README.md").read_text())
        require(len(found) >= 3, f"the README has {len(found)} blocks of commands, three or more expected")
        with tempfile.TemporaryDirectory(prefix="offheap-readme-") as name:
            directory = pathlib.Path(name)
            make_application(directory)
            for marker, body in found:
                if marker == "make":
                    check_make(body)
                else:
                    print(run_block(build, directory, body)[-1500:])

    return harness.run_main(run)


if __name__ == "__main__":
    sys.exit(main())
