# SPDX-License-Identifier: Apache-2.0
"""Where a build keeps what these tests need, and one program that talks in JSON lines.

Uses the harness of the scenarios for the rest: Failure, Target, require.
"""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))

from harness import Absent, Build, Failure, Skip, Target, require, run_main, run_offheap, show  # noqa: E402,F401


class TrimBuild(Build):
    def __init__(self, directory):
        super().__init__(directory)
        self.folder = self.directory / "tests" / "trim"

    def program(self, name):
        path = self.folder / "programs" / name
        require(path.is_file(), f"{path} is missing: build the target trim_programs first")
        return path

    def call(self, pid, *words, expect=0):
        """The helper `caller` on a process: its JSON, or its error text when it is expected to fail."""
        done = subprocess.run([str(self.program("caller")), str(pid), *map(str, words)],
                              capture_output=True, text=True, timeout=60, check=False)
        require(done.returncode == expect,
                f"caller {pid} {' '.join(map(str, words))} left with {done.returncode}, expected {expect}: "
                f"{done.stderr}{done.stdout}")
        return json.loads(done.stdout) if expect == 0 else done.stderr
