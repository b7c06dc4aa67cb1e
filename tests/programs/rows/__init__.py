# SPDX-License-Identifier: Apache-2.0
"""The table: each module of this package adds its rows.

A row's function is given a program.Program, runs something under its environment and returns the outcome, a
dictionary of words and numbers that must be the same with the shim as without. What differs between two bare runs
does not belong in it.
"""

import dataclasses
import subprocess
import typing


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    packages: tuple  # Debian's, the one whose version is shown first
    what: str  # one line of docs/programs.md
    function: typing.Callable
    quick: bool = False  # part of `make test`
    version: typing.Callable | None = None  # where no package says it
    says: str = ""  # a pattern of what the shim may say here, and why it must be said stands at the row
    reads: bool = True  # whether recordings are expected
    counted: bool = True  # False: the program frees blocks that were made past the shim
    failures: str = ""  # of the outcome, a dictionary in which another allocator may have more than the shim over it
    preloaded: bool = True  # False: the row attaches by itself

    def version_text(self):
        if self.version:
            return self.version()
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", self.packages[0]], capture_output=True,
                              text=True, check=False)
        return f"{self.packages[0]} {done.stdout}"


ROWS = {}


def row(name, packages, what, **options):
    """Adds the decorated function to the table."""
    def add(function):
        ROWS[name] = Row(name, tuple(packages.split()), what, function, **options)
        return function
    return add


def load_all():
    from rows import browsers, cpython, databases, glibc_tests, java, languages, loading, tools, web  # noqa: F401
    return ROWS
