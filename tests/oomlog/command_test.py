#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line of `offheap oom`."""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "oom"
LOOP = DATA / "docker-6.18-kill-loop-restart-always.log"
ODD = DATA / "v1-6.18-1-odd-names.log"


def require(holds, what):
    if not holds:
        raise AssertionError(what)


class Tests:
    def __init__(self, offheap, directory):
        self.offheap = offheap
        self.directory = directory

    def run(self, *arguments, data=None):
        return subprocess.run([self.offheap, "oom", *map(str, arguments)], input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)

    def kills(self, *arguments, data=None):
        done = self.run("--json", *arguments, data=data)
        require(done.returncode == 0, done.stderr)
        return json.loads(done.stdout)

    def test_gzip_and_pipe_say_what_the_file_says(self):
        plain = self.kills(LOOP)["kills"]
        require(len(plain) == 7, plain)
        packed = self.directory / "kern.log.2.gz"
        packed.write_bytes(gzip.compress(LOOP.read_bytes()))
        require(self.kills(packed)["kills"] == plain, "gzip")
        require(self.kills("-", data=LOOP.read_bytes())["kills"] == plain, "standard input")

    def test_two_logs_that_tell_the_same_count_once(self):
        syslog = self.directory / "syslog"
        syslog.write_text("".join(f"Nov 28 12:00:00 host kernel: {line}\n" for line in LOOP.read_text().splitlines()))
        both = self.kills(LOOP, syslog)
        require(len(both["kills"]) == 7, len(both["kills"]))
        require(both["events_other"]["told_twice"] == 7, both["events_other"])
        require(both["kills"][0]["time"] == "Nov 28 12:00:00", "the other log's wall time is taken over")

    def test_loop_stands_first_and_fits_the_page(self):
        done = self.run(LOOP)
        text = done.stdout.decode()
        require(text.index("LOOPS") < text.index("pid 27665"), text)
        require("7 kills" in text and "heap" in text, text)
        for log in DATA.glob("*.log"):
            shown = self.run(log).stdout.decode()
            require(max(len(line) for line in shown.splitlines()) <= 100, f"{log.name} is wider than 100 columns")

    def test_names_cannot_drive_the_terminal(self):
        log = self.directory / "hostile"
        log.write_bytes(b"6,1,5000000,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,"
                        b"global_oom,task_memcg=/,task=a\\x1b[2J,pid=88,uid=9\n")
        text = self.run(log).stdout
        require(b"\x1b" not in text and b"pid 88" in text, text)

    def test_container_filter_and_fail_on(self):
        require(len(self.kills("--container", "962994b9ed58", LOOP, ODD)["kills"]) == 7, "by the beginning of an id")
        require(self.kills("--container", "nobody", LOOP)["kills"] == [], "nobody")
        require(self.run("--fail-on", "loops", LOOP).returncode == 1, "loops")
        require(self.run("--fail-on", "kills", "-", data=b"nothing here\n").returncode == 0, "no kills")
        require(self.run("--fail-on", "leaks", LOOP).returncode == 2, "an unknown finding")

    def test_what_is_no_log_is_refused_with_what_to_do(self):
        done = self.run(self.directory / "absent")
        require(done.returncode == 3 and b"absent" in done.stderr, done.stderr)
        for name, content, word in (("utf16", "Out of memory".encode("utf-16"), b"iconv"),
                                    ("zst", b"\x28\xb5\x2f\xfd" + b"x" * 99, b"zstd"),
                                    ("binary", bytes(4096), b"binary"),
                                    ("journal", b"LPKSHHRH" + bytes(99), b"journalctl")):
            path = self.directory / name
            path.write_bytes(content)
            done = self.run(path)
            require(done.returncode == 2 and word in done.stderr, (name, done))
        require(self.run(self.directory).returncode == 3, "a directory")

    def test_no_kill_is_said(self):
        require(b"nobody was killed" in self.run("-", data=b"all is well\n").stdout, "an empty list is said in words")

    def test_kmsg_is_read_or_the_missing_right_named(self):
        done = self.run("--kmsg", "--json")
        if done.returncode == 0:
            require(json.loads(done.stdout)["schema"] == "offheap.oom/1", done.stdout)
        else:
            require(done.returncode == 3 and b"CAP_SYSLOG" in done.stderr, done)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offheap", required=True)
    options = parser.parse_args()
    failed = 0
    for name in sorted(name for name in dir(Tests) if name.startswith("test_")):
        with tempfile.TemporaryDirectory(prefix="offheap-oom-") as directory:
            try:
                getattr(Tests(options.offheap, pathlib.Path(directory)), name)()
                print(f"ok {name}")
            except Exception as problem:  # each test is told, whatever ends it
                print(f"FAILED {name}: {problem!r}")
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
