#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of tests/preload under the released shim in a root with another glibc.

usage: run_preload.py --root ROOT --build RELEASE_BUILD --backend BACKEND [PROGRAM...]

The oracle is that of tests/preload/run_program.py: the same program in the same root, under the bare
allocator alone. Shim and programs are copied into the root under the paths that they have outside. Each run
gets a mount namespace of its own with a /proc; nothing stays mounted. Exit 77 with the reason where the root
is missing or may not be entered.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

PRELOAD = pathlib.Path(__file__).resolve().parent.parent / "preload"
sys.path.insert(0, str(PRELOAD))
import run_program  # noqa: E402 (the path comes first)

# What a glibc could break: what the loader is asked for, forks and threads, sizes, stacks.
REPRESENTATIVE = (pathlib.Path(__file__).parent / "programs.txt").read_text(encoding="utf-8").split()

# Sizes differ from one release of these to the next, and the root's is another than the shim's.
OF_ONE_RELEASE = {"usable_size": ["next", "glibc"]}


def impossible(reason):
    print(reason, file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") else 77)


def check_root(root):
    if not (root / ".made").exists():
        impossible(f"{root} has not been made")
    entered = subprocess.run([*entering(root), "/bin/true"], capture_output=True, text=True)
    if entered.returncode != 0:
        impossible(f"{root} may not be entered: {entered.stderr}")


def entering(root):
    return ["unshare", "--mount", f"--root={root}", "--mount-proc"]


def copy_into(root, path):
    """Whole or not at all: another test may be running from it."""
    target = root / str(path).lstrip("/")
    source_status = path.stat()
    if target.exists() and target.stat().st_mtime_ns == source_status.st_mtime_ns:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
        shutil.copy2(path, part.name)
        os.rename(part.name, target)


def sources():
    return {path.stem: path for folder in ("programs", "exactness") for path in (PRELOAD / folder).iterdir()}


def backends_of(source):
    if source.stem in OF_ONE_RELEASE:
        return OF_ONE_RELEASE[source.stem]
    for line in source.read_text(encoding="utf-8").splitlines():
        if line.startswith("// backends: "):
            return line.split(": ")[1].split(" -- ")[0].split()
    return ["next", "glibc", "jemalloc", "tcmalloc"]


def run_in(root, program, environment):
    settings = [f"{name}={value}" for name, value in environment.items()]
    return run_program.run(entering(root)[0], [*entering(root)[1:], "/usr/bin/env", "-i", *settings, str(program)],
                           {"PATH": os.environ["PATH"]})


def failure(arguments, program, source):
    """What is wrong, or None."""
    directives = run_program.Directives(source)
    wanted = (0, directives.expected)
    if directives.expected is None:
        status, out, err = run_in(arguments.root, program,
                                  run_program.reference_environment(directives, arguments.backend))
        if status != 0:
            return f"the bare allocator fails: status {status}\n{out}{err}"
        wanted = (status, out)
    environment = run_program.shim_environment(directives, arguments.backend, str(arguments.shim))
    status, out, err = run_in(arguments.root, program, environment)
    if status != wanted[0]:
        return f"status {status} instead of {wanted[0]}\n{out}{err}"
    if out != wanted[1]:
        return f"{run_program.show_difference(wanted[1], out)}\n{err}"
    return run_program.check_stderr(err, directives.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="a build with OFFHEAP_SYSROOT")
    parser.add_argument("--backend", choices=run_program.BACKENDS, required=True)
    parser.add_argument("programs", nargs="*", default=REPRESENTATIVE)
    arguments = parser.parse_args()
    arguments.root = arguments.root.resolve()
    check_root(arguments.root)
    programs = arguments.build.resolve() / "tests" / "preload"
    arguments.shim = arguments.build.resolve() / "libshim" / "libshim.so"
    if not arguments.shim.exists():
        impossible(f"{arguments.shim} has not been built")
    for path in [arguments.shim, *programs.glob("*.so"), *(programs / name for name in arguments.programs)]:
        copy_into(arguments.root, path)
    known = sources()
    names = [name for name in arguments.programs if arguments.backend in backends_of(known[name])]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        failures = pool.map(lambda name: failure(arguments, programs / name, known[name]), names)
        failed = [f"{name}: {what}" for name, what in zip(names, failures) if what]
    print(f"{len(names)} programs, {len(failed)} failed")
    sys.exit("\n".join(failed) if failed else 0)


if __name__ == "__main__":
    main()
