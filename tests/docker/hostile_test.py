#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A container whose root turns against whoever explains it from the host: files of its image become links to
files of the host, pipes, devices and files without end. None of them is followed out, waited for or read whole."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import docker_test
from docker_test import docker
import harness
from harness import require

LIBRARY = "/w/libleak_plugin.so"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
MOST_SECONDS = 10


class HostFiles:
    """What the container must not be shown: its own library with a function named otherwise, and a C library."""

    def __init__(self, build):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="offheap-host-"))
        self.library = self.directory / "libleak_plugin.so"
        # The same build id: only where it lies tells it from the one that was loaded.
        subprocess.run(["objcopy", "--redefine-sym", "plugin_cache_entry=name_of_the_host",
                        build.programs / "libleak_plugin.so", self.library], check=True)
        self.libc = self.directory / "libc.so.6"
        self.libc.write_text("GNU C Library stable release version 9.99.\n")
        self.directory.chmod(0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory)


def explain(build, pid):
    began = time.monotonic()
    report = harness.explain(build, pid)
    took = time.monotonic() - began
    require(took < MOST_SECONDS, f"explain took {took:.1f} s")
    return report


def names(report):
    return {frame["function"] for site in report["sites"] for frame in site["frames"]}


def ways_out(host):
    """What the container does to the file of the library that it has loaded, by name."""
    up = "../" * 12
    return {
        "an absolute link": f"ln -sf {host.library} {LIBRARY}",
        "a link upward": f"ln -sf {up}{str(host.library)[1:]} {LIBRARY}",
        "a link through /proc": f"ln -sf /proc/1/cwd{host.library} {LIBRARY}",
        "a folder that is a link": f"mv /w /w2 && ln -s {host.directory} /w",
        "a pipe": f"rm /w && mv /w2 /w && rm {LIBRARY} && mkfifo {LIBRARY}",
        "a device": f"rm {LIBRARY} && mknod {LIBRARY} c 1 5",
        "a file of 64 GiB": f"rm {LIBRARY} && cp /real.so {LIBRARY} && truncate -s 64G {LIBRARY}",
    }


def files_of_a_hostile_image(build):
    prepare = f"mkdir /w && cp {build.programs}/libleak_plugin.so /real.so && cp /real.so {LIBRARY}"
    start = f"{prepare} && exec {build.programs}/leak_dlopen 1 {LIBRARY}"
    with HostFiles(build) as host, docker_test.Container(
            build, ["sh", "-c", start], "512m", {"OFFHEAP_BACKEND": "glibc", "OFFHEAP_ONLY": "leak_dlopen"}) as container:
        inside = lambda command: docker("exec", "--env", "LD_PRELOAD=", container.name, "sh", "-c", command)
        time.sleep(2)
        inside("echo hold > /proc/1/fd/0")
        pid = container.state()["Pid"]
        require("plugin_cache_entry" in names(explain(build, pid)), "the library's name is known at first")
        inside(f"ln -sf /real.so {LIBRARY}")
        require("plugin_cache_entry" in names(explain(build, pid)), "a link within the image is followed within it")
        for way, command in ways_out(host).items():
            inside(command)
            found = names(explain(build, pid))
            require("name_of_the_host" not in found, f"{way}: a file of the host was read")
            require(any(name.startswith("libleak_plugin.so+0x") for name in found), f"{way}: {sorted(found)}")
            harness.run_offheap(build, ["doctor", pid], expect=None, timeout_s=MOST_SECONDS)
            harness.run_offheap(build, ["peek", pid, "--arena", "0"], timeout_s=MOST_SECONDS)
        # Last, as no program starts in there afterwards.
        inside(f"ln -sf {host.libc} {LIBC}")
        libc = explain(build, pid)["target"]["libc"]
        require(libc == "glibc", f"the C library's version was read from the host: {libc}")


if __name__ == "__main__":
    sys.exit(docker_test.main({"files": files_of_a_hostile_image}, __doc__))
