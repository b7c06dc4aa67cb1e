# SPDX-License-Identifier: Apache-2.0
"""Real programs under load: each starts a server in an environment, asks it, and gives its throughput.

The server has one half of the processors and the tool that asks it the other, where there are two or more.
A run has a server of its own on a port of its own. Its directory is one that every user may read, for some servers
run as a user of their own.
"""

import collections
import contextlib
import os
import re
import select
import shutil
import socket
import subprocess
import time

START_SECONDS = 60
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"

# requests: answered, a transaction or a round likewise; throughput: of them a second.
Load = collections.namedtuple("Load", "requests throughput")


def halves(processors):
    middle = (len(processors) + 1) // 2
    return processors[:middle], processors[middle:] or processors


SERVER_PROCESSORS, LOAD_PROCESSORS = halves(sorted(os.sched_getaffinity(0)))


def on(processors):
    return lambda: os.sched_setaffinity(0, processors)


def start_server(command, environment, directory, **options):
    return subprocess.Popen(command, env=environment, cwd=directory, preexec_fn=on(SERVER_PROCESSORS), **options)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def tool_output(command, **options):
    """What a load tool prints; it has none of the environment under test."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(list(map(str, command)), env=environment, check=True, capture_output=True, text=True,
                          preexec_fn=on(LOAD_PROCESSORS), **options).stdout


def cpu_seconds(pid):
    """Of a process and its children that ended. Source: proc_pid_stat(5), fields 14 to 17."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def until(ready, server, name):
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if server.poll() is not None:
            raise RuntimeError(f"{name} ended with {server.returncode} before it served")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} served nothing within {START_SECONDS} s")
        time.sleep(0.02)


def connects(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Redis:
    """redis-server in memory only. Pipelined, so that it waits for its own work rather than for the network."""
    title = "redis-server, SET and GET of 512 bytes, 16 in a pipeline"
    needs = (("redis-server", "redis-server"), ("redis-benchmark", "redis-tools"))

    def __init__(self, arguments):
        self.requests = int(300_000 * arguments.scale)

    def start(self, environment, directory):
        self.port = free_port()
        # Debian's redis-server is linked with jemalloc; glibc comes first only if it is told to.
        environment = {"LD_PRELOAD": LIBC, **environment}
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--dir", directory]
        server = start_server(command, environment, directory, stdout=subprocess.DEVNULL)
        until(lambda: connects(self.port), server, "redis-server")
        return server

    def load(self, requests=None):
        command = ["redis-benchmark", "-p", self.port, "-t", "set,get", "-n", requests or self.requests, "-c", 50,
                   "-d", 512, "-r", 100_000, "-P", 16, "--csv"]
        # One command after the other, the same number of each.
        rates = [float(rate) for rate in re.findall(r'^"(?:SET|GET)","([0-9.]+)"', tool_output(command), re.MULTILINE)]
        return Load(len(rates) * (requests or self.requests), len(rates) / sum(1 / rate for rate in rates))

    def warm_up(self):
        self.load(max(self.requests // 5, 1000))


class JvmService:
    """workloads/Service.java: a page packed for every request, by a Deflater of its own."""
    title = "JVM service (workloads/Service.java), 8 connections"
    needs = (("java", "openjdk-17-jdk-headless"), ("wrk", "wrk"))

    def __init__(self, arguments):
        self.java_classes = os.path.join(arguments.programs, "java")
        self.seconds = max(round(4 * arguments.scale), 1)

    def start(self, environment, directory):
        command = ["java", "-XX:+UseSerialGC", "-Xmx256m", "-cp", self.java_classes, "Service", "0"]
        server = start_server(command, environment, directory, stdout=subprocess.PIPE, text=True)
        said = server.stdout.readline() if select.select([server.stdout], [], [], START_SECONDS)[0] else ""
        if not said.startswith("listening on port "):
            server.kill()
            raise RuntimeError("the JVM service said nothing of its port")
        self.port = int(said.split()[-1])
        return server

    def load(self, seconds=None):
        command = ["wrk", "-t", 2, "-c", 8, "-d", f"{seconds or self.seconds}s", f"http://127.0.0.1:{self.port}/"]
        said = tool_output(command)
        return Load(int(re.search(r"^ +(\d+) requests in", said, re.MULTILINE).group(1)),
                    float(re.search(r"^Requests/sec: +([0-9.]+)$", said, re.MULTILINE).group(1)))

    def warm_up(self):
        self.load(max(self.seconds * 3 // 4, 1))


class Postgres:
    """A cluster of its own that does not wait for the disk; every connection is a process."""
    title = "PostgreSQL, pgbench -S, 4 connections"
    binaries = "/usr/lib/postgresql/15/bin/"
    needs = ((binaries + "postgres", "postgresql-15"), (binaries + "pgbench", "postgresql-15"))

    def __init__(self, arguments):
        self.seconds = max(round(4 * arguments.scale), 1)
        self.user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}

    def start(self, environment, directory):
        self.directory = directory
        data = os.path.join(directory, "data")
        if not os.path.exists(data):
            if self.user:
                shutil.chown(directory, **self.user)
            self.tool("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
        command = [self.binaries + "postgres", "-D", data, "-k", directory, "-c", "listen_addresses=",
                   "-c", "fsync=off", "-c", "logging_collector=off", "-c", "log_min_messages=fatal"]
        server = start_server(command, environment, directory, stderr=subprocess.DEVNULL, **self.user)
        socket_path = os.path.join(directory, ".s.PGSQL.5432")
        until(lambda: os.path.exists(socket_path) and self.answers(), server, "postgres")
        if not os.path.exists(os.path.join(directory, "filled")):
            self.tool("pgbench", "-h", directory, "-U", "postgres", "-i", "-q", "-s", 2, "postgres")
            open(os.path.join(directory, "filled"), "w", encoding="utf-8").close()
        return server

    def tool(self, name, *options):
        return tool_output([self.binaries + name, *options], cwd=self.directory, **self.user)

    def answers(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.tool("pg_isready", "-h", self.directory)
            return True
        return False

    def load(self, seconds=None):
        said = self.tool("pgbench", "-h", self.directory, "-U", "postgres", "-n", "-S", "-c", 4, "-j", 2, "-T",
                         seconds or self.seconds, "postgres")
        time.sleep(0.3)  # until the postmaster has reaped the connections' processes, whose CPU time is then its own
        return Load(int(re.search(r"actually processed: (\d+)", said).group(1)),
                    float(re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE).group(1)))

    def warm_up(self):
        self.load(1)


class Python:
    """No server: one interpreter whose objects are malloc's, which Python's own allocator would hide."""
    title = "python3, PYTHONMALLOC=malloc, JSON there and back"
    needs = (("python3", "python3"),)
    work = """
import json, sys
document = {str(i): [i, i / 3, "text" * (i % 7), {"key": i}] for i in range(200)}
for line in sys.stdin:
    for _ in range(int(line)):
        json.loads(json.dumps(document))
    print("done", flush=True)
"""

    def __init__(self, arguments):
        self.rounds = int(2500 * arguments.scale)

    def start(self, environment, directory):
        self.server = start_server(["python3", "-c", self.work], {**environment, "PYTHONMALLOC": "malloc"}, directory,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self.server

    def load(self, rounds=None):
        begin = time.perf_counter()
        self.server.stdin.write(f"{rounds or self.rounds}\n")
        self.server.stdin.flush()
        assert self.server.stdout.readline() == "done\n"
        return Load(rounds or self.rounds, (rounds or self.rounds) / (time.perf_counter() - begin))

    def warm_up(self):
        self.load(max(self.rounds // 10, 1))


PROGRAMS = {"redis": Redis, "jvm": JvmService, "postgres": Postgres, "python": Python}
