# SPDX-License-Identifier: Apache-2.0
"""glibc's own tests: programs of its source package, as many as build outside its tree."""

import atexit
import concurrent.futures
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

import harness
from program import need
from rows import row

PACKAGES = "glibc-source gcc binutils xz-utils"
WORKERS = 4  # most of the tests wait

# What the tests take from glibc's build: macros of its own headers, and where it would be installed.
PRELUDE = """
#include <features.h>
#include <limits.h>
#include <stddef.h>
#define __attribute_optimization_barrier__ __attribute__((noinline, noclone))
#define attribute_hidden
#define libc_hidden_proto(name)
#define libc_hidden_def(name)
#define TEST_COMPAT(library, from, to) 0
#define TIMEOUTFACTOR 1
#define INTERNAL_SIZE_T size_t
#define SIZE_SZ sizeof(size_t)
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define _STACK_GROWS_DOWN 1
#define DEFAULT_STACK_PERMS 7
""" + "".join(f'#define {name}_PATH "/tmp"\n' for name in (
    "SRCDIR OBJDIR OBJDIR_ELF_LDSO INSTDIR LIBDIR BINDIR SBINDIR SLIBDIR ROOTSBINDIR COMPLOCALEDIR SYSCONFDIR").split())

INTERNAL_HEADERS = ("include/array_length.h include/libc-diag.h include/allocate_once.h include/intprops.h "
                    "include/libc-pointer-arith.h include/alloc_buffer.h include/inline-hashtab.h "
                    "include/scratch_buffer.h sysdeps/generic/malloc-size.h sysdeps/generic/malloc-alignment.h").split()
EMPTY_HEADERS = ("libc-symbols.h", "shlib-compat.h", "sysdep.h", "stackinfo.h")
FLAGS = ("-O1 -w -D_GNU_SOURCE -DMODULE_NAME=testsuite -include inc/prelude.h -I. -Isupport -Iinc -fno-builtin-malloc "
         "-fno-builtin-free -fno-builtin-calloc -fno-builtin-realloc").split()

# Not run: what comes out otherwise from one bare run to the next, or cannot be asked of another allocator.
LEFT_OUT = {
    "tst-malloc-fork-deadlock": "tcmalloc alone deadlocks in it now and then: its fork handlers and stdio's locks",
    "tst-malloc-stats-cancellation": "reads the text of glibc's malloc_stats",
    "tst-key1": "takes every key that a process may have; the shim has one, as jemalloc and tcmalloc do",
    "tst-key4": "the same",
    "tst-tss-basic": "takes key 0 for one that nobody has made; it is the shim's, or jemalloc's",
    "tst-interpose": "links a malloc of its own, of which these are built without",
}


class Source:
    """The source tree, with the parts that tests stand on; removed when this process ends."""

    def __init__(self):
        archives = sorted(pathlib.Path("/usr/src/glibc").glob("glibc-*.tar.xz"))
        need(archives[-1] if archives else "/usr/src/glibc/glibc-*.tar.xz")
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="offheap-programs-glibc-"))
        self.root.chmod(0o755)
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)
        parts = ["malloc", "nptl", "sysdeps/pthread", "sysdeps/generic", "stdlib", "support", "include"]
        subprocess.run(["tar", "xJf", archives[-1], "-C", self.root, "--strip-components=1", "--wildcards", "*/test-skeleton.c",
                        *(f"*/{part}/*" for part in parts)], check=True)
        headers = self.root / "inc"
        headers.mkdir()
        (headers / "prelude.h").write_text(PRELUDE)
        for name in EMPTY_HEADERS:
            (headers / name).touch()
        for name in INTERNAL_HEADERS:
            shutil.copy(self.root / name, headers)
        self._make_support()

    def _gcc(self, *words):
        return subprocess.run([need("gcc"), *FLAGS, *words], cwd=self.root, capture_output=True, check=False).returncode == 0

    def _make_support(self):
        (self.root / "o").mkdir()
        sources = [path for path in sorted((self.root / "support").glob("*.c")) if not path.name.startswith(("tst-", "test-"))]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda path: self._gcc("-c", path, "-o", f"o/{path.stem}.o"), sources))
        subprocess.run(["ar", "rcs", "libsupport.a", *(f"o/{path.name}" for path in sorted((self.root / "o").iterdir()))],
                       cwd=self.root, check=True)

    @functools.cache
    def tests(self, *folders):
        """Paths of the tests in these folders that could be built."""
        sources = [path for folder in folders for path in sorted((self.root / folder).glob("tst-*.c"))
                   if not path.name.startswith(tuple(LEFT_OUT))]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            built = pool.map(lambda path: self._gcc(f"-I{path.parent}", path, "-o", path.with_suffix(""), "libsupport.a", "-lm",
                                                    "-rdynamic"), sources)
            return [path.with_suffix("") for path, done in zip(sources, built) if done]


@functools.cache
def source():
    return Source()


def run_tests(program, *folders, patience=4):
    """How many passed, and the status of each that did not; `patience` times what glibc allows each for."""
    tests = source().tests(*folders)
    harness.require(tests, f"no test of glibc's could be built in {' and '.join(folders)}")
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        statuses = list(pool.map(lambda test: program.run(test, timeout=500, TIMEOUTFACTOR=patience)[0], tests))
    return {"passed": statuses.count(0), "failures": {test.name: status for test, status in zip(tests, statuses) if status != 0}}


@row("glibc-malloc", PACKAGES, "glibc's own tests of malloc: those that build outside its tree", failures="failures")
def malloc(program):
    """tst-mallocfork2 forks in a signal handler, which glibc survives; others are waited for."""
    return run_tests(program, "malloc", patience=1)


@row("glibc-threads", PACKAGES, "glibc's own tests of threads, cancellation, fork and thread-local data, likewise", failures="failures")
def threads(program):
    return run_tests(program, "nptl", "sysdeps/pthread")


@row("glibc-stdlib", PACKAGES, "glibc's own tests of its standard library, likewise", failures="failures")
def stdlib(program):
    return run_tests(program, "stdlib")
