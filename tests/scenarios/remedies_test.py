#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every block of docs/remedies.md on a JVM in a memory cgroup, and checks that no cause is without a remedy."""

import argparse
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import uuid

import harness
from harness import require
from readme_test import SOURCE, blocks, make_application, run_block

MEMORY = pathlib.Path("/sys/fs/cgroup/memory")


def check_complete(text):
    """Each verdict has a row, each kind of finding a heading."""
    verdicts = (SOURCE / "docs" / "verdicts.md").read_text().split("## Causes", 1)[1]
    kinds = re.findall(r"^### ([a-z-]+)$", verdicts, re.MULTILINE)
    require(len(kinds) >= 19, f"docs/verdicts.md has only {kinds}")
    missing = [kind for kind in kinds if f"| `{kind}` |" not in text]
    rules = "".join(path.read_text() for path in (SOURCE / "tools" / "host").glob("rules*.cc"))
    found = set(re.findall(r'\{\s*"([a-z-]+)",', rules)) | set(re.findall(r'\? "([a-z-]+-limit)" : "([a-z-]+-limit)"', rules)[0])
    require(len(found) >= 12, f"tools/host has only the findings {sorted(found)}")
    headings = " ".join(re.findall(r"^### (.*)$", text.split("## Findings of host", 1)[1], re.MULTILINE))
    missing += [kind for kind in sorted(found) if kind not in headings.replace(",", " ").split()]
    require(not missing, f"docs/remedies.md says nothing of {missing}")


@contextlib.contextmanager
def limited_jvm(directory):
    """The demo's shop in a cgroup of its own with a limit; yields its pid and the cgroup's directory."""
    group = MEMORY / f"offheap-test-{uuid.uuid4().hex[:12]}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(400 << 20))
    except OSError as problem:
        raise harness.Skip(f"no cgroup v1 with a limit can be made here: {problem}") from problem
    java = subprocess.Popen(["java", "-Xmx64m", "-jar", "app.jar"], cwd=directory, stdout=subprocess.DEVNULL,
                            preexec_fn=lambda: (group / "cgroup.procs").write_text("0"))
    try:
        time.sleep(2)
        yield java.pid, group
    finally:
        java.kill()
        java.wait()
        for _ in range(50):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    build = harness.Build(parser.parse_args().build)

    def run():
        text = (SOURCE / "docs" / "remedies.md").read_text()
        check_complete(text)
        with tempfile.TemporaryDirectory(prefix="offheap-remedies-") as name:
            directory = pathlib.Path(name)
            make_application(directory)
            with limited_jvm(directory) as (pid, group):
                for _, body in blocks(text):
                    output = run_block(build, directory, f"PID={pid}\nGROUP={group}\n{body}")
                    print(f"$ {body}{output[-800:]}")
                require(f"under_oom 0" in (group / "memory.oom_control").read_text(), "the cgroup hangs at its limit")

    return harness.run_main(run)


if __name__ == "__main__":
    sys.exit(main())
