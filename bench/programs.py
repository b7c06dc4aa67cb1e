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
    """Of a process, to the nanosecond, and of its children that ended, in ticks. Source: clock_getcpuclockid(3), whose
    formula the kernel's include/linux/posix-timers_types.h has; proc_pid_stat(5), fields 16 and 17."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        children = stat.read().rpartition(")")[2].split()[13:15]
    return time.clock_gettime(~pid << 3 | 2) + sum(map(int, children)) / os.sysconf("SC_CLK_TCK")


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
    """redis-server in memory only, asked as most clients ask: a request, an answer."""
    title = "redis-server, SET and GET of 512 bytes"
    pipeline = 1
    requests_a_window = 3_000
    needs = (("redis-server", "redis-server"), ("redis-benchmark", "redis-tools"))

    def __init__(self, arguments):
        self.requests = max(int(self.requests_a_window * arguments.scale), 100)

    def start(self, environment, directory):
        self.port = free_port()
        # Debian's redis-server is linked with jemalloc; glibc comes first only if it is told to.
        environment = {"LD_PRELOAD": LIBC, **environment}
        server = start_server([*self.server_command(self.port), "--dir", directory], environment, directory,
                              stdout=subprocess.DEVNULL)
        until(lambda: connects(self.port), server, "redis-server")
        return server

    @staticmethod
    def server_command(port):
        return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    @classmethod
    def load_command(cls, port, requests):
        return ["redis-benchmark", "-p", str(port), "-t", "set,get", "-n", str(requests), "-c", "50", "-d", "512",
                "-r", "100000", "-P", str(cls.pipeline), "--csv"]

    def load(self, requests=None):
        command = self.load_command(self.port, requests or self.requests)
        # One command after the other, the same number of each.
        rates = [float(rate) for rate in re.findall(r'^"(?:SET|GET)","([0-9.]+)"', tool_output(command), re.MULTILINE)]
        return Load(len(rates) * (requests or self.requests), len(rates) / sum(1 / rate for rate in rates))

    def warm_up(self):
        self.load(5 * self.requests)


class RedisPipelined(Redis):
    """Sixteen requests a packet: the network costs little, so allocating shows as nowhere else."""
    title = "redis-server, the same, 16 in a pipeline"
    pipeline = 16
    requests_a_window = 9_000


class JvmService:
    """workloads/Service.java: a page packed for every request, by a Deflater of its own."""
    title = "JVM service (workloads/Service.java), 8 connections"
    needs = (("java", "openjdk-17-jdk-headless"), ("ab", "apache2-utils"))

    def __init__(self, arguments):
        self.java_classes = os.path.join(arguments.programs, "java")
        self.requests = max(int(400 * arguments.scale), 50)

    def start(self, environment, directory):
        server = start_server(self.server_command(self.java_classes, 0), environment, directory, stdout=subprocess.PIPE, text=True)
        said = server.stdout.readline() if select.select([server.stdout], [], [], START_SECONDS)[0] else ""
        if not said.startswith("listening on port "):
            server.kill()
            raise RuntimeError("the JVM service said nothing of its port")
        self.port = int(said.split()[-1])
        return server

    @staticmethod
    def server_command(java_classes, port):
        return ["java", "-XX:+UseSerialGC", "-Xmx256m", "-cp", java_classes, "Service", str(port)]

    def load(self, requests=None):
        # ab, since wrk's shortest load is a second.
        said = tool_output(["ab", "-k", "-q", "-c", "8", "-n", requests or self.requests,
                            f"http://127.0.0.1:{self.port}/"])
        figures = {name: re.search(rf"^{name}: +([0-9.]+)", said, re.MULTILINE).group(1)
                   for name in ("Complete requests", "Failed requests", "Requests per second")}
        if figures["Failed requests"] != "0":
            raise RuntimeError(f"the JVM service failed {figures['Failed requests']} requests")
        return Load(int(figures["Complete requests"]), float(figures["Requests per second"]))

    def warm_up(self):
        self.load(50 * self.requests)


class Postgres:
    """A cluster of its own that does not wait for the disk; every connection is a process."""
    title = "PostgreSQL, pgbench -S, 4 new connections for 2000 transactions"
    binaries = "/usr/lib/postgresql/15/bin/"
    needs = ((binaries + "postgres", "postgresql-15"), (binaries + "pgbench", "postgresql-15"))

    def __init__(self, arguments):
        self.transactions = max(int(500 * arguments.scale), 100)
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

    def load(self):
        said = self.tool("pgbench", "-h", self.directory, "-U", "postgres", "-n", "-S", "-c", 4, "-j", 2, "-t",
                         self.transactions, "postgres")
        time.sleep(0.1)  # until the postmaster has reaped the connections' processes, whose CPU time is then its own
        return Load(int(re.search(r"actually processed: (\d+)", said).group(1)),
                    float(re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE).group(1)))

    def warm_up(self):
        self.load()


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
        self.rounds = max(int(100 * arguments.scale), 1)

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
        self.load()


PROGRAMS = {"redis": Redis, "redis-pipelined": RedisPipelined, "jvm": JvmService, "postgres": Postgres, "python": Python}
