#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs run.py --quick and checks that every table has its rows and that every figure could be one.

It does not judge speed: the machine may be busy. A program that is not installed has a row that says so; where CI is
set, only those may that CI does not install.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
NOT_IN_CI = "postgresql"

problems = []


def check(holds, what):
    if not holds:
        problems.append(what)


def tables_of(markdown):
    """title of the section -> its tables, each a list of rows, each a dict by the header's names"""
    result = {}
    for text in re.split(r"^## ", markdown, flags=re.MULTILINE)[1:]:
        tables = []
        for lines in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
            cells = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in lines.splitlines()]
            tables.append([dict(zip(cells[0], row)) for row in cells[2:]])
        result[text.splitlines()[0]] = tables
    return result


def numbers(text):
    return [float(number.replace(",", "")) for number in re.findall(r"[-+]?[0-9][0-9,]*(?:\.[0-9]+)?", text)]


def figures(row, column, low, high, count):
    """Whether the cell has `count` numbers between low and high."""
    found = numbers(row.get(column, ""))
    check(len(found) == count and all(low <= number <= high for number in found), f"{column}: {row}")


def is_absent(row):
    """A row of what is not installed is whole, unless CI would have installed it."""
    said = [cell for cell in row.values() if "not installed" in cell]
    check(not said or NOT_IN_CI in said[0] or not os.environ.get("CI"), f"CI lacks a package: {row}")
    return bool(said)


def check_workloads(tables):
    work, idle = tables
    check([row["work"][:2] for row in work] == "W1 W2 W3 W4 S1 S2 S3 J1 J2 J3".split(), f"workloads: {work}")
    for row in work:
        if not is_absent(row):
            figures(row, "bare", 1, 1e9, 2)
            figures(row, "under the shim", 1, 1e9, 2)
            figures(row, "ratio", 0.05, 50, 3)
    for row in idle:
        figures(row, "bare ms", 0.1, 10_000, 2)
        figures(row, "shim MiB", 0.5, 64, 1)
    check(len(idle) == 1, "idle rows")


def check_micro(tables):
    check(len(tables) == 3, "one table for each number of threads")
    for table in tables:
        check({row["bytes"] for row in table} >= {"16", "1000", "40000"}, f"sizes: {table}")
        for row in table:
            for backend in ("glibc", "jemalloc", "tcmalloc", "mimalloc"):
                if "not installed" not in row[backend]:
                    figures(row, backend, 0.05, 1e7, 4)


def check_services(tables):
    check(len(tables[0]) == 5, "programs")
    for row in tables[0]:
        if not is_absent(row):
            figures(row, "bare, best", 1, 1e8, 1)
            figures(row, "under the shim, best", 1, 1e8, 1)
            figures(row, "throughput", 0.02, 50, 3)
            figures(row, "server CPU a request", 0.02, 50, 3)


def check_peers(tables):
    cost, accuracy = tables
    check(len(cost) == len(accuracy) == 8, "tools")
    for row in cost:
        if "not given" not in row["W1"] and not is_absent(row):
            for work in ("W2", "W3", "W4", "J2"):
                check(re.fullmatch(r"[-+][0-9.]+ \(×[0-9.]+\)", row[work]), f"{work}: {row}")
    # In so short a run some 30 samples fall on a leak of 5 MB; a tool that counts every call is exact.
    for row in accuracy:
        if row["tool"] == "offheap":
            check(abs((numbers(row["session_cache, 100 MB"]) or [1000])[0]) < 50, f"the leak's bytes: {row}")
        if row["tool"] == "heaptrack" and not is_absent(row):
            check(numbers(row["session_cache, 100 MB"]) == [0, 0], f"the leak's bytes: {row}")


def check_explain(tables):
    check([row["ledger sums to RSS"] for row in tables[0]] == ["yes"] * 3, f"the ledger: {tables[0]}")


CHECKS = {"Workloads, and what idles": check_workloads, "Entry points": check_micro,
          "Programs under load": check_services, "Other tools": check_peers, "offheap explain": check_explain}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    arguments = parser.parse_args()
    command = [sys.executable, HERE / "run.py", "--quick", "--build", arguments.build]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(result.stdout)
    check(result.returncode == 0, f"run.py ended with {result.returncode}")
    check("failed:" not in result.stdout, "a row says failed")
    tables = tables_of(result.stdout)
    for title, check_tables in CHECKS.items():
        check(title in tables, f"no section {title}")
        if title in tables:
            check_tables(tables[title])
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    main()
