#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other people's programs under the shim: whether each comes out as it does without it.

    run.py ROW [BACKEND...]   cells of one row: next, glibc, jemalloc, tcmalloc; all where none is named
    run.py --list             the rows
    run.py --all --output docs/programs.md

The oracle is differential. A row is first run bare. What comes out under the shim must be equal; under jemalloc and
tcmalloc, where it is not, that of a run with the bare allocator preloaded decides. Then every recording must be
readable, without losses and with counts that can be, and the shim must have said nothing.
"""

import argparse
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import program  # noqa: E402
import cells  # noqa: E402
import harness  # noqa: E402
import rows  # noqa: E402
import table  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--list", action="store_true", help="name, and whether it is in the quick selection")
    parser.add_argument("--packages", action="store_true", help="the Debian packages of all rows")
    parser.add_argument("--all", action="store_true", help="every row with every backend")
    parser.add_argument("--output", help="with --all, or --rows: the file that gets the table")
    parser.add_argument("--rows", help="comma-separated: these only; the other rows of --output stay")
    parser.add_argument("row", nargs="?")
    parser.add_argument("backend", nargs="*", help=f"{', '.join(program.BACKENDS)}, or all, which is the default")
    arguments = parser.parse_args()
    known = rows.load_all()
    if arguments.list:
        print("\n".join(f"{row.name} {'quick' if row.quick else 'long'}" for row in known.values()))
        return 0
    if arguments.packages:
        print("\n".join(sorted({package for row in known.values() for package in row.packages})))
        return 0
    program.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # a run that is ended cleans up too
    build = harness.Build(arguments.build)
    if arguments.all or arguments.rows:
        chosen = arguments.rows.split(",") if arguments.rows else list(known)
        return table.make(build, [known[name] for name in chosen], arguments.output)
    if arguments.row not in known:
        parser.error(f"no row {arguments.row}; --list names them")
    backends = program.BACKENDS if arguments.backend in ([], ["all"]) else arguments.backend
    if set(backends) - set(program.BACKENDS):
        parser.error(f"a backend is one of {', '.join(program.BACKENDS)}")
    return harness.run_main(lambda: cells.run(build, known[arguments.row], backends))


if __name__ == "__main__":
    sys.exit(main())
