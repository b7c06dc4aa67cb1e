# SPDX-License-Identifier: Apache-2.0
"""The tools that peers.py compares: how each is switched on, and what it says of the leaks of workloads/leaks.

Each reads memory by site in its own way, with its own program; what is compared is its answer, so no profile format
is read here but the folded stacks that two of them print.
"""

import glob
import json
import os
import re
import subprocess

import shims

SITES = ("session_cache", "dns_entry", "log_tag")
SAMPLE_BYTES = 512 * 1024


def environment_of(library=None, **variables):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **variables}
    return {**environment, "LD_PRELOAD": library} if library else environment


def by_site(stacks):
    """site -> sum, of pairs of (frames as one text, number)"""
    return {site: sum(number for frames, number in stacks if site in frames) for site in SITES}


def folded(path):
    with open(path, encoding="utf-8") as lines:
        return [(frames, int(number)) for frames, _, number in (line.rpartition(" ") for line in lines)]


def said_by(*command):
    return shims.output_of(list(map(str, command)), environment_of())


class Peer:
    """slower: how many times fewer operations it is given; needs: what must be installed."""
    slower = 1
    needs = ()

    def baseline(self):
        """The environment of what it is compared with: the same allocator without it."""
        return environment_of()

    def sites(self, workload, directory):
        """(site -> bytes, what the program printed), of one run of leaks."""
        said = shims.output_of(workload.command, self.environment(directory))
        return self.read_sites(workload.command[0], directory), said


class Offheap(Peer):
    def __init__(self, arguments, backend):
        self.arguments = arguments
        self.backend = backend
        self.title = "offheap"
        self.over = backend
        self.cannot_tell = "a site that allocates little between two samples; a musl or static program's sites"

    def baseline(self):
        return shims.bare_environment(self.backend)

    def environment(self, directory):
        return shims.shim_environment(self.backend, self.arguments.shim)

    def sites(self, workload, directory):
        """Of the live process, as it stands at its end."""
        command = [*workload.command, "pause"]
        with subprocess.Popen(command, env=self.environment(directory), stdout=subprocess.PIPE, text=True) as target:
            try:
                said = ""
                while not said.splitlines() or not said.splitlines()[-1].startswith("ns "):
                    line = target.stdout.readline()
                    if not line:
                        raise RuntimeError("the workload ended early")
                    said += line
                report = json.loads(said_by(self.arguments.offheap, "explain", target.pid, "--json"))
            finally:
                target.kill()
        return by_site([(" ".join(frame["function"] for frame in site["frames"]), site["requested_bytes"])
                        for site in report["sites"]]), said


class Heaptrack(Peer):
    title = "heaptrack"
    over = "glibc"
    slower = 10
    preload = "/usr/lib/heaptrack/libheaptrack_preload.so"
    interpret = "/usr/lib/heaptrack/libexec/heaptrack_interpret"
    needs = ((preload, "libheaptrack"), ("heaptrack_print", "heaptrack"))
    cannot_tell = "what is resident, free or cached, arenas; Java frames; every call is an event, so it is slow"

    def environment(self, directory):
        return environment_of(self.preload, DUMP_HEAPTRACK_OUTPUT=os.path.join(directory, "raw"))

    def read_sites(self, program, directory):
        raw, data, stacks = (os.path.join(directory, name) for name in ("raw", "data", "folded"))
        with open(raw, "rb") as source, open(data, "wb") as target:
            subprocess.run([self.interpret], stdin=source, stdout=target, stderr=subprocess.DEVNULL, check=True)
        said_by("heaptrack_print", "-f", data, "-F", stacks, "--flamegraph-cost-type", "leaked")
        return by_site(folded(stacks))


def read_with_jeprof(program, profile):
    """jeprof reads gperftools' sampled heaps too, and corrects both for their sampling."""
    said = said_by("jeprof", "--text", "--show_bytes", "--cum", program, profile)
    lines = re.findall(r"^ *\d+ +\S+ +\S+ +(\d+) +\S+ (.*)$", said, re.MULTILINE)
    return {site: max((int(number) for number, name in lines if site in name), default=0) for site in SITES}


class JemallocProfile(Peer):
    title = "jemalloc's profiler"
    over = "jemalloc"
    needs = ((shims.BARE["jemalloc"], "libjemalloc2"), ("jeprof", "libjemalloc-dev"))
    cannot_tell = "anything of glibc, which it replaces; resident by site; Java frames"

    def baseline(self):
        return shims.bare_environment("jemalloc")

    def environment(self, directory):
        options = f"prof:true,lg_prof_sample:19,prof_final:true,prof_prefix:{directory}/jeprof"
        return {**self.baseline(), "MALLOC_CONF": options}

    def read_sites(self, program, directory):
        return read_with_jeprof(program, glob.glob(os.path.join(directory, "jeprof.*"))[0])


class TcmallocSampler(Peer):
    title = "tcmalloc's sampler"
    over = "tcmalloc"
    library = shims.LIBRARIES + "libtcmalloc.so.4"
    needs = ((library, "libgoogle-perftools4"), ("jeprof", "libjemalloc-dev"))
    cannot_tell = "anything of glibc, which it replaces; resident by site; Java frames; needs a call to write its heap"

    def __init__(self, arguments):
        self.writer = os.path.join(arguments.programs, "libheap_sample.so")

    def baseline(self):
        return environment_of(self.library)

    def environment(self, directory):
        return environment_of(f"{self.library} {self.writer}", TCMALLOC_SAMPLE_PARAMETER=str(SAMPLE_BYTES),
                              HEAP_SAMPLE_FILE=os.path.join(directory, "heap"))

    def read_sites(self, program, directory):
        return read_with_jeprof(program, os.path.join(directory, "heap"))


class AsyncProfiler(Peer):
    """Samples have no weight in its own report, so its count of samples is multiplied by the interval here."""
    over = "glibc"

    def __init__(self, arguments, title, options, cannot_tell):
        self.root = arguments.async_profiler
        self.title = title
        self.options = options
        self.cannot_tell = cannot_tell
        if self.root:
            self.library = os.path.join(self.root, "lib/libasyncProfiler.so")
            self.converter = os.path.join(self.root, "bin/jfrconv")
            self.needs = ((self.library, self.library), (self.converter, self.converter))
        self.reads_leaks = "nofree" not in options
        self.slower = 5 if self.reads_leaks else 1

    def environment(self, directory):
        recording = os.path.join(directory, "recording.jfr")
        command = f"start,nativemem={SAMPLE_BYTES},{self.options},file={recording}"
        return environment_of(self.library, ASPROF_COMMAND=command)

    def read_sites(self, program, directory):
        recording, stacks = (os.path.join(directory, name) for name in ("recording.jfr", "folded"))
        said_by(self.converter, "--nativemem", "--leak", "--tail", "0%", "-o", "collapsed", recording, stacks)
        return {site: count * SAMPLE_BYTES for site, count in by_site(folded(stacks)).items()}


def all_peers(arguments):
    return [*(Offheap(arguments, backend) for backend in shims.BARE),
            Heaptrack(), JemallocProfile(), TcmallocSampler(arguments),
            AsyncProfiler(arguments, "async-profiler, allocations only", "nofree,cstack=dwarf",
                          "what is still live; resident bytes; arenas"),
            AsyncProfiler(arguments, "async-profiler, leaks", "cstack=dwarf",
                          "bytes by site (samples carry no weight); resident bytes; arenas; records every free")]
