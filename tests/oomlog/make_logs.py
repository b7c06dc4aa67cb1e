#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the logs of tests/data/oom: real kills in memory cgroups (version 1, as root), and what is true of them.

The truth is what this script did (pids, names, groups, limits) and, for sizes, what the kill line says in its
plainest form. Run it again on another kernel to add that kernel's logs: make_logs.py PREFIX.
"""

import ctypes
import json
import mmap
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "oom"
MEMORY = pathlib.Path("/sys/fs/cgroup/memory")
LIBC = ctypes.CDLL(None)


def set_name(name):
    LIBC.prctl(15, name.encode() + b"\0", 0, 0, 0)


class Group:
    def __init__(self, path, limit=None):
        self.path = path
        self.directory = MEMORY / path.lstrip("/")
        self.directory.mkdir(exist_ok=True)
        if limit:
            (self.directory / "memory.limit_in_bytes").write_text(str(limit))
        self.limit = limit

    def enter(self):
        (self.directory / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        (self.directory / "memory.force_empty").write_text("0")
        for _ in range(50):
            try:
                self.directory.rmdir()
                return
            except OSError:
                time.sleep(0.1)


def child(group, name, adj, act):
    pid = os.fork()
    if pid == 0:
        try:
            group.enter()
            set_name(name)
            pathlib.Path("/proc/self/oom_score_adj").write_text(str(adj))
            act()
        finally:
            os._exit(1)
    return pid


def fill(mebibytes, hold=0.0):
    area = mmap.mmap(-1, mebibytes << 20)
    for at in range(0, mebibytes << 20, 4096):
        area[at] = 1
    time.sleep(hold)


def plain():
    group = Group("/oomlog_plain", 32 << 20)
    pid = child(group, "hog", 0, lambda: fill(200))
    os.waitpid(pid, 0)
    return [group], [(pid, "hog", group, group, 0)]


def odd_names():
    group = Group("/oomlog_odd", 32 << 20)
    kills = []
    for name, adj in (("a) b, pid=1 (x", 7), ("пожар", 5), ("[kworker/0:0]", 0), ("1 2 3", 300)):
        pid = child(group, name, adj, lambda: fill(200))
        os.waitpid(pid, 0)
        kills.append((pid, name, group, group, adj))
        time.sleep(0.1)
    return [group], kills


def tmpfs():
    group = Group("/oomlog_tmpfs", 48 << 20)

    def act():
        fd = LIBC.memfd_create(b"blob", 0)
        block = b"x" * (1 << 20)
        for _ in range(100):
            os.write(fd, block)

    pid = child(group, "writer", 0, act)
    os.waitpid(pid, 0)
    return [group], [(pid, "writer", group, group, 0)]


def children():
    group = Group("/oomlog_workers", 96 << 20)
    pids = [child(group, "worker", 0, lambda: fill(8, 30)) for _ in range(12)]
    dead, status = os.waitpid(-1, 0)
    for pid in pids:
        if pid != dead:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == 9
    return [group], None


def threads():
    group = Group("/oomlog_threads", 48 << 20)

    def act():
        threading.stack_size(32768)
        for _ in range(20000):
            try:
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            except RuntimeError:
                fill(200)

    pid = child(group, "spawner", 0, act)
    os.waitpid(pid, 0)
    return [group], [(pid, "spawner", group, group, 0)]


def parent_limit():
    parent = Group("/oomlog_parent", 64 << 20)
    (parent.directory / "memory.use_hierarchy").write_text("1")
    first = Group("/oomlog_parent/one")
    second = Group("/oomlog_parent/two")
    big = child(first, "big sleeper", 0, lambda: fill(40, 60))
    time.sleep(1)
    asker = child(second, "small asker", 0, lambda: fill(40, 3))
    os.waitpid(big, 0)
    os.waitpid(asker, 0)
    return [first, second, parent], [(big, "big sleeper", first, parent, 0)]


SCENARIOS = [(plain, []), (odd_names, ["--raw-kmsg"]), (tmpfs, ["-T"]), (children, ["-x"]), (threads, []),
             (parent_limit, ["--time-format=iso"])]


def kmsg_records(after):
    """[(sequence, raw record)] after a sequence number."""
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    records = []
    while True:
        try:
            record = os.read(fd, 16384)
        except BlockingIOError:
            break
        except BrokenPipeError:
            continue
        sequence = int(record.split(b",")[1])
        if sequence > after:
            records.append((sequence, record))
    os.close(fd)
    return records


KILLED = re.compile(r"Memory cgroup out of memory: Killed process (\d+) .*\) total-vm:(\d+)kB, anon-rss:(\d+)kB, "
                    r"file-rss:(\d+)kB, shmem-rss:(\d+)kB, UID:(\d+) pgtables:(\d+)kB oom_score_adj:(-?\d+)$", re.M)


def truth_of(text, kills, groups):
    lines = {int(m[1]): m for m in KILLED.finditer(text)}
    if kills is None:
        kills = [(pid, "worker", groups[0], groups[0], 0) for pid in lines]
    assert sorted(lines) == sorted(kill[0] for kill in kills), (sorted(lines), kills)
    result = []
    for pid, name, group, limit, adj in kills:
        m = lines[pid]
        assert int(m[8]) == adj
        result.append({
            "pid": pid, "name": name, "constraint": "memcg", "memcg": group.path, "oom_memcg": limit.path,
            "container_id": None, "pod_uid": None, "anon_rss_kb": int(m[3]), "file_rss_kb": int(m[4]),
            "shmem_rss_kb": int(m[5]), "total_vm_kb": int(m[2]), "oom_score_adj": adj,
            "limit_kb": limit.limit >> 10, "uid": os.getuid(), "page_kb": mmap.PAGESIZE >> 10, "reaped": None,
            "kill_line": None, "pgtables_kb": int(m[7])})
    return {"source": "own kill, tests/oomlog/make_logs.py", "kernel": os.uname().release, "kills": result,
            "events_other": {}}


def make(prefix, index, scenario, options):
    for _ in range(5):
        before = kmsg_records(-1)[-1][0]
        groups, kills = scenario()
        time.sleep(0.3)
        records = kmsg_records(before)
        for group in groups:
            group.remove()
        headers = sum(b"invoked oom-killer" in record for _, record in records)
        if headers == (len(kills) if kills else 1):
            break
        print(f"{scenario.__name__}: {headers} reports in the log, others' among them: again")
        time.sleep(6)  # the kernel prints ten reports in five seconds at most
    else:
        raise SystemExit(f"{scenario.__name__}: the log is never ours alone")
    raw = b"".join(record for _, record in records)
    plain_text = "\n".join(line.split(";", 1)[1] for line in raw.decode("utf-8", "replace").splitlines()
                           if re.match(r"\d+,", line))
    path = DATA / f"{prefix}-{index}-{scenario.__name__.replace('_', '-')}.log"
    if options == ["--raw-kmsg"]:
        path.write_bytes(raw)
    else:
        lines = len(plain_text.splitlines())
        done = subprocess.run(["dmesg", *options], stdout=subprocess.PIPE, check=True)
        path.write_bytes(b"\n".join(done.stdout.rstrip(b"\n").split(b"\n")[-lines:]) + b"\n")
    path.with_suffix(".json").write_text(json.dumps(truth_of(plain_text, kills, groups), indent=1, ensure_ascii=False) + "\n")
    print(path.name)


def main():
    prefix = sys.argv[1] if len(sys.argv) > 1 else "v1-" + ".".join(os.uname().release.split(".")[:2])
    DATA.mkdir(parents=True, exist_ok=True)
    for index, (scenario, options) in enumerate(SCENARIOS):
        make(prefix, index, scenario, options)


if __name__ == "__main__":
    main()
