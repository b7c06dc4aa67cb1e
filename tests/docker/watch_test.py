#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""offheap watch and real containers that are OOM-killed while it runs: one incident each, with its cause.

A leaking JVM, a tmpfs, a child process and a restart loop die; one that only fills its page cache lives, and is no
incident.
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
import time
import uuid

from docker_test import BASE, MIB, SOURCE, Container, docker, main
import harness
from harness import require, show
from watching import Store, Watch, eater, incidents, last_explained

LIMIT = 128 * MIB
TMPFS = 'open F, ">/scratch/big"; $| = 1; while (1) { syswrite F, "x" x 1048576; select undef, undef, undef, 0.02 }'
CACHE = 'open F, ">/var/file" or die; print F "x" x 1048576 for 1 .. 300; close F'


@contextlib.contextmanager
def running(*command, options=()):
    """A container of the base image; yields its name."""
    name = f"offheap-test-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, "--network", "none", "--memory", str(LIMIT), *options, BASE, *command)
    try:
        yield name
    finally:
        docker("rm", "--force", name, check=False)


def identity(name):
    return docker("inspect", "--format", "{{.Id}}", name)


def check(document, name, kinds):
    """What every incident must say; `kinds` of the verdict."""
    require(document["limit_bytes"] == LIMIT, f"the limit is {document['limit_bytes']}")
    require(document["container"] and document["container"]["name"] == name,
            f"the container is {name}, the incident says {document['container']}")
    require(document["kernel_report"], f"no kernel report: {document['kernel_report_missing']}")
    verdict = document["verdict"]
    require(verdict["kind"] in kinds, f"verdict {verdict['kind']}: {verdict['summary']}, expected {kinds}")
    held = max((snapshot["usage_bytes"] for snapshot in document["snapshots"]), default=0)
    require(held >= 0.85 * LIMIT, f"the last snapshot holds {show(held)} of {show(LIMIT)}")
    print(f"{document['victim']['name']}: {verdict['kind']} {show(verdict['bytes'])}, {verdict['summary']}; "
          f"last snapshot {show(held)}")


def jvm(build):
    records = pathlib.Path(tempfile.mkdtemp(prefix="offheap-records-", dir="/dev/shm"))
    options = ["java", "-Xmx24m", "-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=16m", "-cp", build.classes,
               "DeflatersNeverEnded"]
    try:
        with Store() as store, Watch(build, store) as watch:
            with Container(build, options, str(LIMIT), {"OFFHEAP_BACKEND": "next", "OFFHEAP_RECORD": "/records"},
                           [(records, "/records")]) as container:
                end = container.wait_for_end(120)
                require(end["OOMKilled"], f"not an OOM kill: {end}")
                document = watch.wait_for_incident(identity(container.name))
            said = watch.said()
    finally:
        shutil.rmtree(records)
    check(document, container.name, ("leak",))
    require(document["victim"]["name"] == "java" and document["victim"]["namespace_pid"] == 1, f"{document['victim']}")
    require(document["recording"], f"no recording: {document['recording_missing']}\n{said}")
    require(harness.find_sites(document["recording"], "deflateInit2_"),
            f"the recording does not name the site: {json.dumps(document['recording']['sites'][:3])}")
    snapshot, explanation = last_explained(document)
    require(snapshot["usage_bytes"] >= 0.85 * LIMIT,
            f"the JVM is explained last at {show(snapshot['usage_bytes'])} of {show(LIMIT)}")
    harness.check_sums(explanation)


def tmpfs(build):
    with Store() as store, Watch(build, store) as watch:
        with running("perl", "-e", TMPFS, options=("--tmpfs", "/scratch")) as name:
            document = watch.wait_for_incident(identity(name))
    check(document, name, ("tmpfs",))


def page_cache(build):
    with Store() as store, Watch(build, store) as watch:
        with running("perl", "-e", CACHE) as name:
            require(docker("wait", name) == "0", f"the writer did not end well: {docker('logs', name)}")
            # Its usage passed every level, and nobody died of it.
            watch.wait_for_line(identity(name))
            time.sleep(3)
            found = incidents(build, store, identity(name))
    require(not found, f"page cache is no incident: {found}")


def child(build):
    with Store() as store, Watch(build, store) as watch:
        with running("sh", "-c", f"perl -e '{eater(40)}' & wait; sleep 600") as name:
            document = watch.wait_for_incident(identity(name))
    check(document, name, ("other-process",))
    victim = document["victim"]
    require(victim["name"] == "perl" and victim["namespace_pid"] > 1, f"the victim is {victim}")


def loop(build):
    with Store() as store, Watch(build, store) as watch:
        with running("perl", "-e", eater(100), options=("--restart", "always")) as name:
            document = watch.wait_for_incident(identity(name), timeout_s=90, kills=3)
            found = incidents(build, store, identity(name))
    require(len(found) == 1, f"one loop is {len(found)} incidents: {found}")
    require(document["loop"] and document["loop"]["kills"] >= 3, f"loop: {document['loop']}")
    require(0.2e9 < document["loop"]["period_ns"] < 60e9, f"loop: {document['loop']}")
    require(len({kill["pid"] for kill in document["kills"]}) >= 3, f"kills: {document['kills']}")
    print(f"a loop of {document['kill_count']} kills, one each {document['loop']['period_ns'] / 1e9:.1f} s")


def documented_command(build, store, name):
    """The `docker run` of docs/watch.md, with this build, this store, this daemon and the base image."""
    text = (SOURCE / "docs" / "watch.md").read_text()
    lines = text[text.index("    docker run -d"):].split("\n\n")[0].replace("\\\n", " ")
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    replaced = {"offheap-watch": name, "debian:12": BASE, "always": "no",
                "/var/lib/offheap:/var/lib/offheap": f"{store.parent}:/var/lib/offheap",
                "/var/run/docker.sock:/var/run/docker.sock": f"{address}:/var/run/docker.sock",
                "/usr/local/bin/offheap:/offheap:ro": f"{build.offheap}:/offheap:ro"}
    words = [replaced.pop(word, word) for word in shlex.split(lines)]
    require(not replaced, f"docs/watch.md no longer has {list(replaced)}")
    return words[1:]


def in_container(build):
    """The agent in a container of its own, by the documented command: nothing is missing in its incident."""
    agent = f"offheap-test-{uuid.uuid4().hex[:12]}"
    with Store() as store:
        store.directory = store.parent / "watch"
        docker(*documented_command(build, store, agent))
        try:
            with running("sh", "-c", f"perl -e '{eater(40)}' & wait; sleep 600") as name:
                deadline = time.monotonic() + 60
                while not (found := list(store.directory.glob("incident.*"))):
                    require(time.monotonic() < deadline, f"no incident; the agent said:\n{docker('logs', agent)}")
                    time.sleep(0.3)
            check(json.loads(found[0].read_text()), name, ("other-process",))
        finally:
            docker("rm", "--force", agent, check=False)


TESTS = {"jvm": jvm, "tmpfs": tmpfs, "page-cache": page_cache, "child": child, "loop": loop,
         "in-container": in_container}


if __name__ == "__main__":
    sys.exit(main(TESTS, __doc__))
