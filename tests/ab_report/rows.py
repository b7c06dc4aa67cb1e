# SPDX-License-Identifier: Apache-2.0
#
# Rows files with known effects: what a comparison of a service would record.
import json
import math
import random

MIB = 1024 * 1024


class Entry:
    """One entry: factors on the first entry's memory and time, and the outcomes of its rounds."""

    def __init__(self, name, memory=1.0, time=1.0, outcomes=None, environment=None):
        self.name, self.memory, self.time = name, memory, time
        self.outcomes = outcomes or {}
        self.environment = environment


def curve(peak, end, seconds, rng):
    """RSS that rises to a peak and falls to what is kept: [seconds, bytes, bytes of the tree]."""
    points = []
    for step in range(121):
        at = step / 120
        if at < 0.55:
            level = peak * (1 - math.exp(-5 * at / 0.55))
        else:
            level = end + (peak - end) * math.exp(-14 * (at - 0.55))
        level = int(level * (1 + rng.gauss(0, 0.004))) // 4096 * 4096
        points.append([round(at * seconds, 4), max(level, 4096), max(level, 4096)])
    return points


def row(entry, index, number, sequence, drift, rng):
    noise = lambda share: drift * math.exp(rng.gauss(0, share))
    seconds = 6.2 * entry.time * noise(0.01)
    peak, end = 812 * MIB * math.exp(rng.gauss(0, 0.006)), 604 * MIB * entry.memory * math.exp(rng.gauss(0, 0.008))
    peak *= 0.5 + 0.5 * entry.memory
    outcome, code, problem = entry.outcomes.get(number, ("done", None, ""))
    points = curve(peak, end, seconds, rng)
    if outcome != "done":
        points = points[:50]
    values = {"wall_seconds": seconds, "user_seconds": 4.8 * entry.time * noise(0.01),
              "system_seconds": 0.7 * noise(0.05), "throughput_per_second": 18200 / entry.time / noise(0.01),
              "latency_p50_seconds": 0.0011 * entry.time * noise(0.01),
              "latency_p99_seconds": 0.0062 * entry.time * noise(0.04),
              "peak_rss_bytes": max(p[1] for p in points), "mean_rss_bytes": sum(p[1] for p in points) / len(points),
              "end_rss_bytes": points[-1][1], "tree_peak_rss_bytes": max(p[1] for p in points),
              "tree_mean_rss_bytes": sum(p[1] for p in points) / len(points), "live_bytes": 240 * MIB,
              "lock_wait_seconds": 0.03 * noise(0.2), "minor_faults": int(212000 * noise(0.01)), "major_faults": 0,
              "voluntary_switches": int(5400 * noise(0.03))}
    return {"entry": index, "name": entry.name, "round": number, "sequence": sequence, "warm_up": False,
            "outcome": outcome, "code": code, "problem": problem, "values": values if outcome == "done" else {},
            "rss": points}


def rows_text(entries, rounds=5, seed=1, provenance=None):
    """The text of a rows file: every round runs every entry once."""
    rng = random.Random(seed)
    described = [{"name": e.name, "environment": e.environment} for e in entries if e.environment]
    header = {"schema": "offheap.ab-rows/1", "entries": [e.name for e in entries],
              "provenance": {**(provenance or {}), "entries": described}}
    lines = [header]
    for number in range(rounds):
        drift = math.exp(rng.gauss(0, 0.05))
        for index, entry in enumerate(entries):
            lines.append(row(entry, index, number, len(lines) - 1, drift, rng))
    return "".join(json.dumps(line) + "\n" for line in lines)
