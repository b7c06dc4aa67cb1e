#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time and memory of `offheap oom` on a large log: oomlog.py OFFHEAP [GIB].

The log is 99 parts ordinary syslog lines and one part reports of real kills (tests/data/oom). It is written
once, read three times; the best time and the peak resident size are printed.
"""

import json
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

DATA = pathlib.Path(__file__).resolve().parents[1] / "tests" / "data" / "oom"
WORDS = ("accepted publickey connection closed session opened processing request memory process started stopped "
         "service unit kernel usb device failed link state room common moment task").split()


def ordinary(random_, count):
    return "".join(
        f"Nov 28 12:{i // 60 % 60:02}:{i % 60:02} host {random_.choice(('sshd', 'app', 'systemd'))}"
        f"[{random_.randrange(1, 99999)}]: {' '.join(random_.choices(WORDS, k=random_.randrange(5, 15)))}\n"
        for i in range(count))


def write_log(path, size):
    random_ = random.Random(1)
    report = (DATA / "docker-6.18-docker-v1-anon.log").read_text()
    report = "".join(f"Nov 28 12:00:00 host kernel: {line}\n" for line in report.splitlines())
    lines = ordinary(random_, 20000)
    quiet = lines * max(1, 99 * len(report) // len(lines))
    written = kills = 0
    with open(path, "w", encoding="utf-8") as log:
        while written < size:
            # a pid and a clock of its own, so that no two are one kill told twice
            one = report.replace("27342", str(100000 + kills)).replace("[ 14", f"[{kills + 20}")
            written += log.write(quiet if len(quiet) > 98 * len(one) else quiet * (99 * len(one) // len(quiet)))
            written += log.write(one)
            kills += 1
    return written, kills


def main():
    offheap = sys.argv[1]
    size = int(float(sys.argv[2] if len(sys.argv) > 2 else 1) * (1 << 30))
    with tempfile.TemporaryDirectory(prefix="offheap-bench-") as directory:
        path = pathlib.Path(directory) / "syslog"
        written, kills = write_log(path, size)
        best = None
        cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(3):
            begin = time.monotonic()
            done = subprocess.run([offheap, "oom", "--json", str(path)], stdout=subprocess.PIPE, check=True)
            best = min(best or 1e9, time.monotonic() - begin)
        found = json.loads(done.stdout)
        assert len(found["kills"]) == kills, (len(found["kills"]), kills)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss
    each = (used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime) / 3
    print(f"{written / (1 << 30):.2f} GiB, {kills} kills: {best:.2f} s ({written / best / (1 << 30):.2f} GiB/s), {each:.2f} s of CPU, "
          f"peak {peak / 1024:.1f} MiB resident")


if __name__ == "__main__":
    main()
