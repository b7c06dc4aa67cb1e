#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""offheap watch on plain memory cgroups: real kills, restarts of the agent, a bad store, and its cost."""

import argparse
import contextlib
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time

import harness
from harness import require, show
from watching import MIB, Store, Watch, eater, group, incidents, last_explained, may_make_groups, run_in

LIMIT = 96 * MIB


def kill_is_told(build):
    """A preloaded leak: the kernel's report, the snapshots, the recording and the verdict in one incident."""
    with Store() as store, Watch(build, store) as watch, group(LIMIT) as directory:
        process = run_in(directory, [build.programs / "leak_steady", "1"], build.environment("glibc"))
        require(process.wait(120) == -9, "the program was not killed")
        document = watch.wait_for_incident(directory.name)
    require(document["limit_bytes"] == LIMIT, f"the limit is {document['limit_bytes']}")
    victim = document["victim"]
    require((victim["pid"], victim["name"]) == (process.pid, "leak_steady"), f"victim {victim}, killed {process.pid}")
    require(document["kernel_report"]["pid"] == process.pid, f"kernel report: {document['kernel_report']}")
    require(document["verdict"]["kind"] == "leak", f"verdict {document['verdict']}")
    snapshot, _ = last_explained(document)
    require(snapshot["usage_bytes"] >= 0.85 * LIMIT,
            f"the last snapshot holds {show(snapshot['usage_bytes'])} of {show(LIMIT)}")
    sites = harness.find_sites(document["recording"], "leak_session")
    require(sites, f"the recording does not name leak_session: {document['recording_missing']}")
    require(document["growth"] and document["growth"]["rss_growth_bytes"] > 0, f"growth: {document['growth']}")
    print(f"told: {document['verdict']['summary']}")


def rights_and_bound(build):
    """The store is its owner's only, stays within --disk, and is held by one agent."""
    with Store() as store, Watch(build, store, "--disk", "1M") as watch:
        second = harness.run_offheap(build, ["watch", "--store", store.directory], expect=2)
        require(f"pid {watch.process.pid}" in second.stderr, f"the holder is not named: {second.stderr}")
        for _ in range(3):
            with group(LIMIT) as directory:
                run_in(directory, ["perl", "-e", eater(200)]).wait(60)
                watch.wait_for_incident(directory.name)
        mode = stat.S_IMODE(store.directory.stat().st_mode)
        require(mode == 0o700, f"the store's mode is {mode:o}")
        modes = {stat.S_IMODE(path.stat().st_mode) for path in store.directory.iterdir()}
        require(modes == {0o600}, f"modes in the store: {modes}")
        total = sum(path.stat().st_size for path in store.directory.iterdir())
        require(total <= MIB + 65536, f"the store holds {show(total)}, allowed 1 MiB")


def kill_while_down(build):
    """Found in the kernel's log at the next start, joined with the snapshots that were there."""
    with Store() as store, group(LIMIT) as directory:
        with Watch(build, store) as watch:
            process = run_in(directory, ["perl", "-e", f'push @b, "x" x 1048576 for 1 .. 76; <STDIN>; {eater(200)}'])
            watch.wait_for_line(f"/{directory.name}: snapshot: ")  # other groups may be in trouble too
        process.stdin.write(b"\n")
        process.stdin.flush()
        require(process.wait(60) == -9, "the program was not killed")
        require(not incidents(build, store, directory.name), "an incident without a kill")
        with Watch(build, store) as watch:
            document = watch.wait_for_incident(directory.name)
        with Watch(build, store):
            time.sleep(2)
        require(len(incidents(build, store, directory.name)) == 1, "the same kill was told twice")
    require(document["kill_count"] == 1, f"kills: {document['kills']}")
    require(document["victim"]["pid"] == process.pid and document["victim"]["start_ticks"], f"{document['victim']}")
    require(any(snapshot["processes"] for snapshot in document["snapshots"]), "the snapshots were not joined")


def bad_store(build):
    """A store that cannot be written is said; following goes on."""
    with Store() as store:
        store.directory = pathlib.Path("/proc/offheap-store")
        with Watch(build, store) as watch, group(LIMIT) as directory:
            run_in(directory, ["perl", "-e", eater(200)]).wait(60)
            watch.wait_for_line(f"killed in /{directory.name}")
            require("nothing will be kept" in watch.said(), watch.said())


def full_disk(build):
    """No room for a snapshot: said, and the agent lives on."""
    with Store() as store:
        store.directory.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", store.directory], check=False)
        if mounted.returncode != 0:
            raise harness.Skip("no tmpfs can be mounted")
        try:
            with Watch(build, store) as watch, group(LIMIT) as directory:
                run_in(directory, ["perl", "-e", eater(100)]).wait(60)
                watch.wait_for_line("cannot be written")
                watch.wait_for_line("incident")
        finally:
            subprocess.run(["umount", store.directory], check=True)


def no_rights(build):
    """As nobody: what cannot be read is said in the log and in the incident, the rest is there."""
    nobody = 65534
    with Store() as store, group(LIMIT) as directory:
        store.parent.chmod(0o755)
        store.directory.mkdir()
        os.chown(store.directory, nobody, nobody)
        program = shutil.copy(build.offheap, store.parent)
        drop = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--bounding-set=-all"]
        with Watch(build, store, "--interval", "100ms", command=[*drop, program]) as watch:
            process = run_in(directory, ["perl", "-e", eater(60)])
            require(process.wait(60) == -9, "the program was not killed")
            document = watch.wait_for_incident(directory.name)
            said = watch.said()
    if pathlib.Path("/proc/sys/kernel/dmesg_restrict").read_text().strip() == "1":
        require("/dev/kmsg" in said and "CAP_SYSLOG" in said, said)
        require("/dev/kmsg" in document["kernel_report_missing"], f"{document['kernel_report_missing']}")
    require(document["limit_bytes"] == LIMIT and document["victim"]["pid"] == process.pid, f"{document['victim']}")
    processes = document["snapshots"][-1]["processes"]
    require(processes and processes[0]["pid"] == process.pid, f"the figures are missing: {processes}")
    require(all(one["error"] for one in processes), f"no error is said: {processes}")


def vanishing(build):
    """Groups that come and go while they are read do no harm."""
    # Other tests have groups too, hundreds of them.
    names = f"offheap-vanishing-{os.getpid()}"
    with Store() as store, Watch(build, store, "--interval", "50ms", "--containers", f"/{names}-*") as watch:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            with contextlib.ExitStack() as stack:
                for i in range(10):
                    stack.enter_context(group(LIMIT, f"{names}-{i}"))
        require(watch.process.poll() is None, watch.said())
        # It lets go of a group a little after that is gone.
        deadline = time.monotonic() + 20
        while (descriptors := len(os.listdir(f"/proc/{watch.process.pid}/fd"))) >= 100 and time.monotonic() < deadline:
            time.sleep(0.1)
    require(descriptors < 100, f"{descriptors} descriptors are open")


def cpu_ns(pid):
    """What the agent's one thread ran: proc(5), schedstat. Whoever else runs does not count."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def cpu_share(pid, seconds):
    before, began = cpu_ns(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_ns(pid) - before) / 1e9 / (time.monotonic() - began)


def cost(build):
    """300 groups, over a time in which they are listed once. Best of three: caches are shared with the busy."""
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(group(64 * MIB))
        store = stack.enter_context(Store())
        watch = stack.enter_context(Watch(build, store))
        time.sleep(2)
        shares = []
        while len(shares) < 3 and min(shares, default=1) >= 0.005:
            shares.append(cpu_share(watch.process.pid, 10.5))
        status = pathlib.Path(f"/proc/{watch.process.pid}/status").read_text()
        rss = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    require(min(shares) < 0.005, f"{100 * min(shares):.2f} % of a core, allowed 0.5 %")
    require(rss < 40 * MIB, f"RSS {show(rss)}, allowed 40 MiB")
    print(f"300 groups: {100 * min(shares):.2f} % of a core, {show(rss)}")


def recording_and_kernel_log(build):
    """`explain RECORDING` of a dead process, joined with a kernel log that is named."""
    records = pathlib.Path(tempfile.mkdtemp(prefix="offheap-records-", dir="/dev/shm"))
    try:
        with group(LIMIT) as directory:
            environment = build.environment("glibc", OFFHEAP_RECORD=records)
            process = run_in(directory, [build.programs / "leak_steady", "1"], environment)
            require(process.wait(120) == -9, "the program was not killed")
        log = records / "kernel.log"
        log.write_text(subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout)
        recording = next(path for path in records.iterdir() if f"{process.pid}" in path.name)
        for options in (["--kernel-log", log], []):
            report = harness.explain(build, recording, *options)
            require(report["kernel_report"] and report["kernel_report"]["pid"] == process.pid,
                    f"{options}: {report['kernel_report_join']}")
            require(report["kernel_report"]["limit_kb"] * 1024 == LIMIT, f"{report['kernel_report']}")
            require("pid and start time" in report["kernel_report_join"], report["kernel_report_join"])
        require(report["recorded"]["timeline"], "no timeline")
        require(any(arena["allocated_bytes"] for arena in report["recorded"]["arenas"]), "no arenas")
        text = harness.run_offheap(build, ["explain", recording, "--kernel-log", log]).stdout
        for word in ("TIMELINE", "ARENAS", "KERNEL", "leak_session"):
            require(word in text, f"{word} is missing:\n{text}")
    finally:
        shutil.rmtree(records)


TESTS = {"kill": kill_is_told, "rights": rights_and_bound, "down": kill_while_down, "bad-store": bad_store,
         "full-disk": full_disk, "no-rights": no_rights, "vanishing": vanishing, "cost": cost,
         "recording": recording_and_kernel_log}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("tests", nargs="*", choices=[[], *TESTS], default=[])
    options = parser.parse_args()
    build = harness.Build(options.build)

    def run():
        may_make_groups()
        for name in options.tests or TESTS:
            TESTS[name](build)
            print(f"{name}: as it should be", flush=True)

    return harness.run_main(run)


if __name__ == "__main__":
    sys.exit(main())
