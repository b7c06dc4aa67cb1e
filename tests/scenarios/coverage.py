#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the printed 95 % intervals hold the truth? 100 seeded runs of coverage_leak, three sites each.

Of the 300 looks at least 95 % must find the true bytes inside the printed interval (--least for backends
whose exact size-class totals are not known, so that their intervals are no wider than they must be: 92 % is
what 300 looks at a true 95 % hardly ever fall below), no single site less than 90 %, and no interval of a
site of 50 MB or more may be wider than +-10 %.
"""

import argparse
import concurrent.futures
import sys

import harness
from harness import require, show

WIDE_SITE_BYTES = 50_000_000
WIDEST = 0.10
LEAST_OF_ONE_SITE = 0.90


def look(build, backend, seed):
    """One run: for each site its truth, interval and estimate."""
    command = [build.programs / "coverage_leak", seed]
    with harness.Target(command, build.environment(backend)) as target:
        truth = target.wait_for("ready")
        report = harness.explain(build, target.pid)
    seen = []
    for site in truth["sites"]:
        found = harness.find_sites(report, site["function"])
        require(len(found) == 1, f"seed {seed}: {site['function']} is {len(found)} sites, expected one")
        seen.append((site, found[0]))
    return seed, seen


def judge(results, least):
    runs = len(results)
    inside, widest = {}, 0.0
    for seed, seen in results:
        for truth, site in seen:
            name = truth["function"]
            hit = site["live_bytes_low"] <= truth["live_bytes"] <= site["live_bytes_high"]
            inside[name] = inside.get(name, 0) + hit
            if not hit:
                print(f"seed {seed}: {name} holds {show(truth['live_bytes'])}, outside "
                      f"{show(site['live_bytes_low'])} .. {show(site['live_bytes_high'])}")
            if truth["live_bytes"] >= WIDE_SITE_BYTES:
                widest = max(widest, harness.interval_width(site))
    for name, hits in inside.items():
        print(f"{name}: {hits} of {runs} runs inside the 95 % interval")
    print(f"widest interval of a site of {WIDE_SITE_BYTES / 1e6:.0f} MB or more: +-{100 * widest:.1f} %")
    share = sum(inside.values()) / (runs * len(inside))
    require(share >= least, f"{100 * share:.1f} % of all looks inside the 95 % interval, at least {100 * least:.0f} % wanted")
    for name, hits in inside.items():
        require(hits >= LEAST_OF_ONE_SITE * runs, f"{name}: {hits} of {runs} runs inside the 95 % interval")
    require(widest <= WIDEST, f"an interval is +-{100 * widest:.1f} % wide, allowed {100 * WIDEST:.0f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--backend", default="glibc")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--least", type=float, default=0.95)
    options = parser.parse_args()
    build = harness.Build(options.build)

    def run():
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            judge(list(pool.map(lambda seed: look(build, options.backend, seed), range(1, options.runs + 1))), options.least)

    return harness.run_main(run)


if __name__ == "__main__":
    sys.exit(main())
