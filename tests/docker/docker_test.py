#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""offheap and real containers: a JVM explained from the host, and a recording that outlives an OOM kill.

Skipped (exit 77) where Docker cannot run, with the reason; in CI that is a failure.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "scenarios"))

import harness  # noqa: E402
from harness import require, show  # noqa: E402

BASE = "offheap-base:bookworm"
MIB = 2**20


def docker(*arguments, check=True):
    done = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    require(not check or done.returncode == 0, f"docker {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout.strip()


class Host:
    """A Docker daemon and the base image, by docker/host.sh; stops only what it started."""

    def __init__(self, build):
        self.directory = build.directory / "docker"

    def _script(self, command):
        done = subprocess.run([str(SOURCE / "docker" / "host.sh"), command, str(self.directory)],
                              stdout=subprocess.PIPE, text=True, timeout=400, check=False,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if done.returncode == harness.SKIPPED:
            raise harness.Skip(done.stderr.strip())
        require(done.returncode == 0, f"host.sh {command} left with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def __enter__(self):
        address = self._script("start")
        if address:
            os.environ["DOCKER_HOST"] = address
        try:
            self._script("base")
        except BaseException:
            self._script("stop")
            raise
        return self

    def __exit__(self, *_):
        self._script("stop")


class Container:
    """One container of the base image with the build mounted read-only; removed at the end.

    The programs stand where they stand on the host: a recording has their paths, and is read there.
    """

    def __init__(self, build, command, memory, environment, mounts=()):
        self.name = f"offheap-test-{uuid.uuid4().hex[:12]}"
        arguments = ["run", "--detach", "--interactive", "--name", self.name, "--network", "none", "--memory", memory,
                     "--volume", f"{build.shim}:/opt/offheap/libshim.so:ro",
                     "--volume", f"{build.programs}:{build.programs}:ro", "--volume", f"{build.classes}:{build.classes}:ro"]
        for source, inside in mounts:
            arguments += ["--volume", f"{source}:{inside}"]
        for key, value in {"LD_PRELOAD": "/opt/offheap/libshim.so", **environment}.items():
            arguments += ["--env", f"{key}={value}"]
        docker(*arguments, BASE, *command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        docker("rm", "--force", self.name, check=False)

    def state(self):
        return json.loads(docker("inspect", "--format", "{{json .State}}", self.name))

    def wait_for_end(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            state = self.state()
            if not state["Running"]:
                return state
            time.sleep(0.5)
        raise harness.Failure(f"the container still runs after {timeout_s} s")


def jvm_in_a_container(build):
    """From the host: the leak's site, the container and its limit."""
    options = ["java", "-Xmx64m", "-XX:+UseSerialGC", "-cp", build.classes, "DeflatersNeverEnded"]
    with Container(build, options, "512m", {"OFFHEAP_BACKEND": "next"}) as container:
        time.sleep(6)
        state = container.state()
        require(state["Running"], f"the JVM ended: {docker('logs', container.name)}")
        report = harness.explain(build, state["Pid"], "--for", "4s")
        identity = docker("inspect", "--format", "{{.Id}}", container.name)
    harness.check_sums(report)
    main = harness.check_verdict(report, ("leak",), ())
    sites = harness.find_sites(report, "deflateInit2_")
    require(sites, f"no site names deflateInit2_: {json.dumps(report['sites'][:3])}")
    require(report["cgroup"] and report["cgroup"]["limit_bytes"] == 512 * MIB,
            f"the limit is {show(512 * MIB)}, the report says {report['cgroup']}")
    require(report["target"]["container"] and report["target"]["container"]["id"] == identity,
            f"the container is {identity}, the report says {report['target']['container']}")
    print(f"JVM in a container: {main['summary']}")


def recording_after_an_oom_kill(build):
    """A real OOM kill; the recording on the bind mount is whole and names the site."""
    # On tmpfs, as the README advises: a recording on a disk is page cache, which the kernel takes back and
    # reads again for as long as it finds some, so that a process at its limit dies slowly.
    records = pathlib.Path(tempfile.mkdtemp(prefix="offheap-records-", dir="/dev/shm"))
    try:
        explain_what_is_left(build, records)
    finally:
        shutil.rmtree(records)


def explain_what_is_left(build, records):
    limit = 96 * MIB
    with Container(build, [build.programs / "leak_steady", "1"], limit,
                   {"OFFHEAP_BACKEND": "glibc", "OFFHEAP_RECORD": "/records"}, [(records, "/records")]) as container:
        state = container.wait_for_end(60)
    require(state["OOMKilled"] and state["ExitCode"] == 137, f"not an OOM kill: {state}")
    files = [path for path in records.iterdir() if path.stat().st_size > 0]
    require(len(files) == 1, f"one recording expected in {records}, found {files}")
    report = harness.explain(build, files[0])
    sites = harness.find_sites(report, "leak_session")
    require(sites, f"no site names leak_session: {json.dumps(report['sites'][:3])}")
    live = sum(site["live_bytes"] for site in sites)
    # At the kill everything but some MiB of program, churn and recording was the leak.
    require(0.7 * limit <= live <= limit, f"killed at a limit of {show(limit)}, leak_session holds {show(live)}")
    require(report["verdicts"][0]["kind"] == "leak", f"verdicts: {harness.describe(report)}")
    print(f"after the OOM kill: {report['verdicts'][0]['summary']}")


def demo(build):
    """What `make demo` shows: a container, its growth, and the leak by name."""
    environment = {**os.environ, "OFFHEAP_DEMO_SECONDS": "10"}
    done = subprocess.run([str(SOURCE / "docker" / "demo.sh"), str(build.directory)], capture_output=True, text=True,
                          env=environment, stdin=subprocess.DEVNULL, timeout=300, check=False)
    require(done.returncode == 0, f"demo.sh left with {done.returncode}\n{done.stdout}\n{done.stderr}")
    for wanted in ("docker run", "leak", "deflateInit2_"):
        require(wanted in done.stdout, f"the demo does not show {wanted!r}:\n{done.stdout}\n{done.stderr}")
    print("the demo shows the leak")


def base(_build):
    """The image that every other test here starts from, made once: it has a Java."""
    require(docker("run", "--rm", "--network", "none", BASE, "java", "--version").startswith("openjdk 17"),
            f"{BASE} has no Java 17")


TESTS = {"base": base, "jvm": jvm_in_a_container, "oom": recording_after_an_oom_kill, "demo": demo}


def main(tests, description):
    """Runs those of `tests` that the command line names, or all, beside one daemon; returns the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", default="build")
    parser.add_argument("tests", nargs="*", choices=[[], *tests], default=[])
    options = parser.parse_args()
    build = harness.Build(options.build)

    def run():
        with Host(build):
            for name in options.tests or tests:
                tests[name](build)
                print(f"{name}: as it should be")

    return harness.run_main(run)


if __name__ == "__main__":
    sys.exit(main(TESTS, __doc__))
