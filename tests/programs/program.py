# SPDX-License-Identifier: Apache-2.0
"""One run of a program of the table, bare or under the shim: its folder, its environment, its processes.

Everything that a run starts, also what became a daemon, is a descendant of this process, and is killed when the
run is over, however it ended. Everything that it writes is in one temporary folder. Servers listen on loopback.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scenarios"))
import harness  # noqa: E402

LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
BARE_ALLOCATORS = {"jemalloc": LIBRARIES / "libjemalloc.so.2", "tcmalloc": LIBRARIES / "libtcmalloc_minimal.so.4"}
BACKENDS = ("next", "glibc", "jemalloc", "tcmalloc")
PR_SET_CHILD_SUBREAPER = 36
OWN_CHILDREN = threading.Lock()  # held while this process has a child that belongs to no run


def adopt_orphans():
    """Daemons of this process's descendants become its children, and can be found and killed."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            pass
    return found


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found


def kill_descendants(deadline_s=10):
    with OWN_CHILDREN:
        _kill_descendants(deadline_s)


def _kill_descendants(deadline_s):
    deadline = time.monotonic() + deadline_s
    while (left := descendants_of(os.getpid())) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def wait_until(what, condition, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not (said := condition()):
        harness.require(time.monotonic() < deadline, f"{what}: not within {timeout_s} s")
        time.sleep(0.05)
    return said


class Program:
    """What a row's function is given; `preloaded` is the value of LD_PRELOAD, and None in a bare run."""

    def __init__(self, build, preloaded, options):
        self.build = build
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="offheap-programs-"))
        self.directory.chmod(0o755)
        self.environment = {"PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                            "HOME": str(self.directory), "TMPDIR": str(self.directory), "USER": "root"}
        self.outside = dict(self.environment)
        if preloaded:
            self.environment["LD_PRELOAD"] = preloaded
        self.environment.update(options)
        self.errors = self.directory / "stderr.txt"
        self.deadline = time.monotonic() + 600

    def path(self, *parts):
        return self.directory.joinpath(*parts)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def _environment(self, shimmed, more):
        environment = dict(self.environment if shimmed else self.outside)
        environment.update({name: str(value) for name, value in more.items()})
        return environment

    def run(self, *command, shimmed=True, timeout=120, said=None, cwd=None, check=False, **more):
        """Runs to the end; status, and standard output as text. Standard error goes to one file of the run."""
        left = max(1, min(timeout, self.deadline - time.monotonic()))
        with open(self.errors, "ab") as errors:
            process = subprocess.Popen([str(word) for word in command], env=self._environment(shimmed, more),
                                       cwd=cwd or self.directory, stdout=subprocess.PIPE, stderr=errors,
                                       stdin=subprocess.PIPE if said is not None else subprocess.DEVNULL,
                                       text=True, errors="backslashreplace", start_new_session=True)
            try:
                out, _ = process.communicate(said, timeout=left)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGABRT)
                raise harness.Failure(f"`{' '.join(map(str, command))[:200]}` was not done in {left:.0f} s")
        if check:
            harness.require(process.returncode == 0, f"`{' '.join(map(str, command))[:300]}`: status "
                            f"{process.returncode}\n{out[-1500:]}\n{self.said_on_stderr()[-1500:]}")
        return process.returncode, out

    def outside_run(self, *command, **options):
        """The same without the shim, for what only prepares or asks; it has to succeed."""
        return self.run(*command, shimmed=False, check=True, **options)[1]

    def start(self, *command, cwd=None, output=None, **more):
        """Starts a server; it ends with the run."""
        with open(output or self.path("server.txt"), "ab") as out, open(self.errors, "ab") as errors:
            return subprocess.Popen([str(word) for word in command], env=self._environment(True, more),
                                    cwd=cwd or self.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                    start_new_session=True)

    def stop(self, process, number=signal.SIGTERM, timeout=40):
        """Asks a server to end and returns its status."""
        process.send_signal(number)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            raise harness.Failure(f"{process.args[0]} did not end within {timeout} s of signal {int(number)}")

    def said_on_stderr(self):
        return self.errors.read_text(errors="backslashreplace") if self.errors.exists() else ""

    def hidden_words(self):
        """What libshim said anywhere in the run: on standard error, or in a log of its folder."""
        said = []
        for path in [self.errors, *self.directory.rglob("*.log"), *self.directory.rglob("*.txt")]:
            if path.is_file() and path.stat().st_size < 1 << 24:
                said += [line for line in path.read_text(errors="replace").splitlines() if "libshim:" in line]
        return sorted(set(said))

    def remove(self):
        kill_descendants()
        shutil.rmtree(self.directory, ignore_errors=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_for_port(port, process=None, timeout_s=60):
    def ready():
        if process is not None and process.poll() is not None:
            raise harness.Failure(f"{process.args[0]} ended with {process.returncode} before it listened")
        return listens(port)
    wait_until(f"port {port}", ready, timeout_s)


def need(*names):
    """The paths of programs, or Absent."""
    found = []
    for name in names:
        path = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:/usr/games") or (
            name if os.path.exists(name) else None)
        if not path:
            raise harness.Absent(f"{name} is not installed")
        found.append(path)
    return found[0] if len(found) == 1 else found
