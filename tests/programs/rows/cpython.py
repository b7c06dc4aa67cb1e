# SPDX-License-Identifier: Apache-2.0
"""CPython's own tests, by their names; what is skipped or fails bare must do so under the shim."""

import collections
import xml.etree.ElementTree

from program import need
from rows import row

PACKAGES = "libpython3.11-testsuite python3"


def run_tests(program, *names, matching=(), options=(), **more):
    python = need("/usr/bin/python3")
    program.path("work").mkdir()
    report = program.path("report.xml")
    patterns = [word for pattern in matching for word in ("-m", pattern)]
    status, _ = program.run(python, "-m", "test", "--junit-xml", report, "--tempdir", program.path("work"),
                            "--timeout", "400", *options, *patterns, *names, timeout=600, **more)
    results = collections.Counter()
    failed = []
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        kind = "skipped" if kinds == {"skipped"} else "failed" if kinds else "passed"
        results[kind] += 1
        if kind == "failed":
            failed.append(case.get("name"))
    return {"status": status, **results, "failures": sorted(failed)}


@row("cpython-threads", PACKAGES, "its tests of threads, queues, thread-local data, and futures in threads")
def threads(program):
    return run_tests(program, "test_thread", "test_threading", "test_threading_local", "test_queue", "test_threadedtempfile",
                     "test_threadsignals", "test_contextlib", "test_context")


@row("cpython-processes", PACKAGES, "its tests of fork, exec, subprocesses, signals and posix calls")
def processes(program):
    return run_tests(program, "test_subprocess", "test_fork1", "test_wait3", "test_wait4", "test_os", "test_posix",
                     "test_popen", "test_pty", "test_resource", "test_signal")


@row("cpython-multiprocessing", PACKAGES, "its tests of multiprocessing: fork, spawn, shared memory, main modules")
def multiprocessing(program):
    return run_tests(program, "test_multiprocessing_fork", "test_multiprocessing_spawn", "test_multiprocessing_forkserver",
                     "test_multiprocessing_main_handling",
                     options=["-j4"],  # they wait more than they work
                     matching=("*Process*", "*Pool.*map*", "*SharedMemory*", "*TestStartMethod*", "*Heap*", "*Queue*",
                               "*MainHandling*", "*Listener*", "*Flags*"))


@row("cpython-memory", PACKAGES, "its tests of memory, mappings, foreign calls and crashes, all of it from malloc")
def memory(program):
    """PYTHONMALLOC=malloc: no arenas of Python's own."""
    return run_tests(program, "test_ctypes", "test_gc", "test_mmap", "test_memoryview", "test_array", "test_zlib",
                     "test_lzma", "test_dict", "test_list", "test_json", "test_generators", "test_exceptions",
                     "test_faulthandler", PYTHONMALLOC="malloc")


@row("cpython-quick", PACKAGES, "its tests of fork, collection and mappings", quick=True)
def quick(program):
    return run_tests(program, "test_fork1", "test_gc", "test_mmap", PYTHONMALLOC="malloc")
