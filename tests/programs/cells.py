# SPDX-License-Identifier: Apache-2.0
"""A row's cells: the bare outcome, taken once, and each backend's beside it."""

import re
import shutil
import sys
import time

import harness
import program
import recordings


def differences(bare, outcome):
    """What came out instead, in a few words."""
    return ", ".join(f"{key} {str(outcome.get(key))[:24]}" for key in sorted(set(bare) | set(outcome))
                     if bare.get(key) != outcome.get(key))


class Cells:
    """One row's runs."""

    def __init__(self, build, row):
        self.build, self.row, self._bare = build, row, {}

    def bare(self, allocator=None):
        """The outcome without the shim, with another allocator preloaded where one is named."""
        if allocator not in self._bare:
            library = str(program.BARE_ALLOCATORS[allocator]) if allocator else None
            self._bare[allocator] = self._run(library, {})[0]
        return self._bare[allocator]

    def cell(self, backend):
        """In a word what the outcome under the shim equals; a Failure when that is nothing."""
        bare = self.bare()
        outcome = self._shimmed(backend)
        if outcome == bare:
            return "same"
        expected, name = bare, "bare"
        if backend in program.BARE_ALLOCATORS:
            expected, name = self.bare(backend), f"bare {backend}"
            if outcome == expected:
                return f"as {name}: {differences(bare, outcome)}"
            if self.row.failures and outcome[self.row.failures].items() <= expected[self.row.failures].items():
                return f"as {name}, but {len(outcome[self.row.failures])} of its {len(expected[self.row.failures])} failures"
        raise harness.Failure("\n".join(f"{key}: {name} {expected.get(key)!r}"[:1500] + f", under the shim {outcome.get(key)!r}"[:1500]
                                        for key in sorted(set(outcome) | set(expected)) if outcome.get(key) != expected.get(key)))

    def _run(self, preloaded, options):
        """The outcome of one run, and what libshim said in it."""
        run = program.Program(self.build, preloaded, options)
        try:
            return self.row.function(run), run.hidden_words()
        except Exception:
            sys.stderr.write(run.said_on_stderr()[-3000:])
            raise
        finally:
            run.remove()

    def _shimmed(self, backend):
        """The outcome under the shim, after everything else about the run was found right."""
        with recordings.Recordings(self.build, self.row.counted) as taken:
            shim = taken.directory / "libshim.so"  # where users other than the caller can read it
            shutil.copy(self.build.shim, shim)
            options = {"OFFHEAP_RECORD": str(taken.directory), "OFFHEAP_BACKEND": backend}
            if not self.row.preloaded:
                options = {"ROW_BACKEND": backend}
            outcome, words = self._run(str(shim) if self.row.preloaded else None, options)
            taken.finish()
        unasked = [line for line in words if not (self.row.says and re.search(self.row.says, line))]
        harness.require(not unasked, f"the shim said: {unasked[:5]}")
        harness.require(not taken.faults, "\n".join(taken.faults[:10]))
        if self.row.reads and self.row.preloaded:
            harness.require(taken.read and taken.allocated_bytes, "no recording, or nothing in it: the shim did not run")
        print(f"    {recordings.summary(taken)}")
        return outcome


def run(build, row, backends):
    """Runs one row and says how each cell came out; the first failure ends it."""
    cells = Cells(build, row)
    start = time.monotonic()
    print(f"{row.name} bare: {cells.bare()} ({time.monotonic() - start:.1f} s)", flush=True)
    for backend in backends:
        start = time.monotonic()
        print(f"{row.name} {backend}: {cells.cell(backend)} ({time.monotonic() - start:.1f} s)", flush=True)
