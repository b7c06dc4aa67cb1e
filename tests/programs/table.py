# SPDX-License-Identifier: Apache-2.0
"""Writes docs/programs.md from what the rows came to."""

import datetime
import fcntl
import os
import pathlib
import platform

import harness
import program
from cells import Cells

HEAD = """# Other people's programs under the shim

Each row runs somebody else's program, its own tests or a load on it, without the shim and then with it, once a
backend. *same*: status and results are those of the bare run. *as bare jemalloc*: not those, but those of the program
with Debian's jemalloc preloaded; *but 3 of its 4 failures*: one test fails there that passes under the shim. In
every cell the recordings were read (of a run that left many, the first three of each name, thirty of those that it
left at its end, and thirty of the rest), none had lost a count, and the shim said nothing that it was not asked for.
What was found on the way, and mended: [trust.md](trust.md).

Made by `tests/programs/run.py --all --output docs/programs.md`, or row by row with `--rows`, on {machine}, {date}. One cell again:

    tests/programs/run.py ROW BACKEND      BACKEND: next, glibc, jemalloc, tcmalloc, all

`make programs` installs what the rows need and runs them all; rows of `run.py --list` that are missing here have not
been run to the end.

| row | version | what was run | bare | {backends} |
|---|---|---|---|{rule}|
"""


def machine():
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release().split('-')[0]}, glibc {platform.libc_ver()[1]}"


def short(outcome):
    """The outcome in one cell: values as they are where they are short, long texts cut, long lists counted."""
    parts = []
    for key, value in outcome.items():
        text = " ".join(str(value).split())
        if isinstance(value, (list, tuple, dict)) and len(text) > 24:
            text = f"{len(value)} results"
        if value not in ([], {}, ""):
            parts.append(f"{key} {text[:24]}".rstrip())
    return ", ".join(parts).replace("|", "\\|")


def run_row(build, row, failed):
    """The line of one row; appends what failed."""
    cells = Cells(build, row)
    words = []
    for backend in program.BACKENDS:
        try:
            words.append(cells.cell(backend))
        except harness.Absent as absent:
            words.append(f"not run: {absent}")
        except Exception as failure:  # a row that breaks in any way is a failed cell, and the rest is run
            words.append("FAILED")
            failed.append(f"{row.name} {backend}: {failure}"[:1500])
        print(f"{row.name} {backend}: {words[-1]}", flush=True)
    try:
        outcome = short(cells.bare())
    except Exception as failure:  # said above, once a backend
        outcome = str(failure)[:80]
    return f"| {row.name} | {row.version_text()} | {row.what} | {outcome} | {' | '.join(words)} |"


def put_row(output, name, line):
    """Replaces one row of the file, or adds it; several runs may write to one file."""
    path = pathlib.Path(output)
    with open(f"{path}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = [row for row in (path.read_text().splitlines() if path.exists() else []) if row.startswith("| ")]
        kept = {row.split(" | ")[0][2:]: row for row in rows if not row.startswith("| row ")}
        kept[name] = line
        head = HEAD.format(machine=machine(), date=datetime.date.today().isoformat(),
                           backends=" | ".join(program.BACKENDS), rule="|".join("---" for _ in program.BACKENDS))
        path.write_text(head + "\n".join(kept[name] for name in sorted(kept)) + "\n")
        os.unlink(lock.name)


def make(build, chosen, output):
    """Runs the rows and puts them into the file where one is named; 1 when a cell failed."""
    failed = []
    for row in chosen:
        line = run_row(build, row, failed)
        if output:
            put_row(output, row.name, line)
    print(f"{len(chosen)} rows, {len(failed)} cells failed", *failed, sep="\n")
    return 1 if failed else 0
