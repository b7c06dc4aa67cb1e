# SPDX-License-Identifier: Apache-2.0
"""The contract of `explain --json` (offheap.explain/1): keys may be added, but none renamed or left out.

A shape is a type, a tuple of types, a dict of keys, a list with the shape of each element, or
`OrNull(shape)`. JSON's integers are int, never float.
"""

from harness import RESIDENT_PARTS, require

NUMBER = (int, float)


class OrNull:
    def __init__(self, shape):
        self.shape = shape


PARTS = {part: int for part in RESIDENT_PARTS}
ARENA = {**PARTS, "index": int, "system_bytes": int, "rss_bytes": int, "threads": [int]}
EXPLAIN = {
    "schema": str,
    "target": {"pid": int, "command": str, "container": OrNull({"id": str, "runtime": str}),
               "jvm": OrNull({"version": OrNull(str), "gc": OrNull(str)}), "libc": str, "allocator": str,
               "shim": OrNull({"backend": str, "sample_bytes": int})},
    "rss_bytes": OrNull(int),  # null for a recording alone
    "ledger": [{"owner": str, "rss_bytes": int}],
    "malloc": OrNull({**PARTS, "rss_bytes": int, "arenas": [ARENA]}),
    "threads": [{"tid": int, "name": str, "allocated_bytes": OrNull(int), "freed_bytes": OrNull(int)}],
    "sites": [{"live_bytes": int, "requested_bytes": int, "live_bytes_low": int, "live_bytes_high": int,
               "growth_bytes_per_second": OrNull(NUMBER),
               "frames": [{"function": str, "module": str, "kind": str}]}],
    "cgroup": OrNull({"version": int, "limit_bytes": OrNull(int), "usage_bytes": int, "failcnt": int,
                      "oom_kills": int}),
    "verdicts": [{"kind": str, "bytes": int, "confidence": NUMBER, "summary": str, "remedy": str,
                  "predicted_saving_bytes": int}],
    "self": {"pause_ns": int, "checks": [{"name": str, "ok": bool}]},
}


def check_shape(value, shape, path="report"):
    if isinstance(shape, OrNull):
        if value is not None:
            check_shape(value, shape.shape, path)
    elif isinstance(shape, dict):
        require(isinstance(value, dict), f"{path} is {type(value).__name__}, expected an object")
        for key, inner in shape.items():
            require(key in value, f"{path} has no {key!r}")
            check_shape(value[key], inner, f"{path}.{key}")
    elif isinstance(shape, list):
        require(isinstance(value, list), f"{path} is {type(value).__name__}, expected an array")
        for i, element in enumerate(value):
            check_shape(element, shape[0], f"{path}[{i}]")
    else:
        require(isinstance(value, shape) and (shape is bool or not isinstance(value, bool)),
                f"{path} is {value!r}, expected {shape}")


def check_values(report):
    """What the keys promise among each other."""
    for i, site in enumerate(report["sites"]):
        require(site["live_bytes_low"] <= site["live_bytes"] <= site["live_bytes_high"], f"sites[{i}]: {site}")
        for frame in site["frames"]:
            require(frame["kind"] in ("native", "java"), f"frame of kind {frame['kind']!r}")
    require(report["verdicts"], "no verdict")
    for verdict in report["verdicts"]:
        require(0 <= verdict["confidence"] <= 1, f"confidence {verdict['confidence']}")


def check_arena_sums(malloc):
    """Arenas and blocks with mappings of their own are all of malloc; a block's header is metadata."""
    def over_arenas(key):
        return sum(arena[key] for arena in malloc["arenas"])
    mmapped = malloc["mmapped"]["rss_bytes"]
    require(over_arenas("rss_bytes") + mmapped == malloc["rss_bytes"], "arenas and mmapped blocks are not malloc's RSS")
    for part in ("cached_bytes", "trimmable_bytes", "pinned_bytes", "top_bytes"):
        require(over_arenas(part) == malloc[part], f"{part}: {over_arenas(part)} over arenas, {malloc[part]} in all")
    both = malloc["live_bytes"] + malloc["metadata_bytes"]
    require(over_arenas("live_bytes") + over_arenas("metadata_bytes") + mmapped == both, "live and metadata differ")


def check_contract(report, arenas):
    check_shape(report, EXPLAIN)
    check_values(report)
    if arenas:
        require(report["malloc"] and report["malloc"]["arenas"], "a glibc heap without arenas")
        check_arena_sums(report["malloc"])
