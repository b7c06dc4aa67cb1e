# SPDX-License-Identifier: Apache-2.0
"""The table of scenarios: what is run, under which backends, and what offheap must say of it.

One row a scenario and variant. `kinds` are the verdicts that may come first; `never` must not occur at
all. The truth about bytes is not here: the program prints it.
"""

import dataclasses

GLIBC = ("glibc",)
GLIBC_HEAP = ("none", "next", "glibc")  # a heap with glibc's chunk headers, with or without the shim
EMBEDDED = ("glibc", "jemalloc", "tcmalloc")
PRELOADED = ("next",) + EMBEDDED
FOREIGN = ("mimalloc",)  # another allocator, preloaded behind the shim
ALL = ("none",) + PRELOADED
NO_SHIM_JVMS = ("none@17", "none@25")  # without the shim, on each of these Java versions that the machine has

NOT_A_LEAK = ("leak",)


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    program: tuple            # argv; {programs}, {seed} are filled in
    kinds: tuple              # acceptable main verdicts
    backends: tuple = PRELOADED  # "none@25" is backend none on Java 25
    growing: bool = False     # works until "hold"; the verdict is asked while it works
    look_s: int = 3           # --for of that look
    warm_s: float = 2.0       # work before it
    never: tuple = ()
    java: tuple = ()          # JVM options; empty = a native program
    kinds_of: dict = dataclasses.field(default_factory=dict)  # backend -> kinds, where they differ
    checks: tuple = ()        # names of the extra checks in run_scenario.py


def program(name, *arguments):
    return ("{programs}/" + name, "{seed}", *arguments)


SCENARIOS = (
    # Leaks: the site is named and its bytes stand inside the interval, whatever the backend.
    Scenario("leak_steady", program("leak_steady"), ("leak",), PRELOADED + FOREIGN, growing=True, checks=("sites", "growth")),
    # From outside alone each look counts: on a busy machine short windows make a steady leak look like a falling one.
    Scenario("leak_without_shim", program("leak_steady"), ("leak",), ("none",), growing=True, look_s=6,
             checks=("needs_shim",)),
    Scenario("leak_steady_cpp", program("leak_steady_cpp"), ("leak",), growing=True, checks=("sites", "growth")),
    Scenario("leak_slow", program("leak_slow"), ("leak",), EMBEDDED, growing=True, look_s=4, warm_s=3,
             checks=("sites",)),
    Scenario("leak_dlopen", program("leak_dlopen", "{programs}/libleak_plugin.so"), ("leak",), EMBEDDED,
             growing=True, checks=("sites",)),
    Scenario("leak_dlclosed", program("leak_dlopen", "{programs}/libleak_plugin.so", "unload"), ("leak",), GLIBC,
             growing=True, checks=("sites",)),
    Scenario("leak_realloc", program("leak_realloc"), ("leak",), EMBEDDED, growing=True, checks=("sites",)),
    Scenario("leak_across_threads", program("leak_across_threads"), ("leak",), EMBEDDED, growing=True,
             checks=("sites",)),
    Scenario("leak_large_blocks", program("leak_large_blocks"), ("leak",), EMBEDDED, growing=True, checks=("sites",)),
    Scenario("leak_mmap", program("leak_mmap"), ("mmap-growth",), ("glibc", "jemalloc"), growing=True,
             never=NOT_A_LEAK, checks=("sites",)),
    Scenario("leak_untouched", program("leak_untouched"), ("leak",), EMBEDDED, growing=True,
             checks=("sites", "untouched")),
    Scenario("thread_stacks", program("thread_stacks"), ("thread-stacks",), ("none", "glibc", "jemalloc"),
             growing=True, never=NOT_A_LEAK, checks=("stacks",)),

    # The same bytes, not a leak.
    Scenario("burst_pinned_ends", program("burst_pinned_ends"), ("fragmentation", "retention"), ALL,
             never=NOT_A_LEAK, checks=("freed",)),
    Scenario("burst_retained", program("burst_retained"), ("retention",), ALL, never=NOT_A_LEAK + ("fragmentation",)),
    Scenario("checkerboard", program("checkerboard"), ("fragmentation",), ALL, never=NOT_A_LEAK, checks=("freed",)),
    # Nothing has run since the frees, the allocator's own count included: then `undecided` is an answer.
    Scenario("checkerboard_abrupt", program("checkerboard", "abrupt"), ("fragmentation", "undecided"),
             ("jemalloc", "tcmalloc"), never=("leak", "retention", "healthy"), checks=("says_what_to_run",)),
    Scenario("free_not_returnable", program("checkerboard", "sparse"), ("fragmentation",), ALL, never=NOT_A_LEAK,
             checks=("freed",)),
    Scenario("free_order_pinned", program("free_order", "pinned"), ("retention", "fragmentation"), GLIBC_HEAP,
             never=NOT_A_LEAK, checks=("freed", "pinning")),
    Scenario("free_order_returned", program("free_order", "returned"), ("healthy",), GLIBC_HEAP, never=NOT_A_LEAK),
    Scenario("idle_jemalloc", program("burst_idle"), ("retention",), ("jemalloc",), never=NOT_A_LEAK,
             checks=("freed",)),
    Scenario("tcache_threads", program("tcache_threads"), ("retention", "healthy"), ALL, never=NOT_A_LEAK,
             checks=("cached",)),
    Scenario("sweep", program("sweep"), ("healthy", "retention", "undecided"), ("none",) + EMBEDDED, growing=True,
             look_s=4, warm_s=1, never=NOT_A_LEAK + ("fragmentation",)),
    Scenario("step", program("step"), ("healthy", "undecided"), EMBEDDED, growing=True, warm_s=0, never=NOT_A_LEAK),
    Scenario("reserved", program("reserved"), ("healthy",), ALL, never=NOT_A_LEAK),
    Scenario("mapped_files", program("mapped_files"), ("mapped-files",), ("none",), never=NOT_A_LEAK,
             checks=("mapped",)),
    Scenario("healthy_churn", program("healthy_churn"), ("healthy",), ALL, growing=True, warm_s=1,
             never=NOT_A_LEAK),
    Scenario("healthy_cache", program("healthy_cache"), ("healthy",), ALL, growing=True, warm_s=1,
             never=NOT_A_LEAK, checks=("sites",)),

    # JVMs as anybody starts them: no preload, no agent, no flag that offheap needs.
    Scenario("java_direct_buffers", ("DirectBuffersKept",), ("direct-buffers",), NO_SHIM_JVMS, growing=True,
             java=("-Xmx64m", "-XX:MaxDirectMemorySize=1g"), checks=("direct",)),
    # The loaders kept take malloc's memory too, so a leak may well stand second.
    Scenario("java_metaspace", ("LoadersKept",), ("java-metaspace",), NO_SHIM_JVMS, growing=True, look_s=4,
             java=("-Xmx64m",), checks=("metaspace",)),
    Scenario("java_code_cache", ("LoadersKept", "run"), ("java-code-cache",), NO_SHIM_JVMS, growing=True, look_s=4,
             java=("-Xmx64m", "-Xcomp", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=200m",
                                     "-XX:CompileCommand=quiet", "-XX:CompileCommand=compileonly,LoadersKept$Work::*"),
             checks=("code_cache",)),
    Scenario("java_threads", ("ThreadsKept",), ("thread-stacks",), NO_SHIM_JVMS, growing=True, never=NOT_A_LEAK,
             java=("-Xmx64m",), checks=("java_threads",)),
    Scenario("java_heap", ("HeapGrows",), ("java-heap",), NO_SHIM_JVMS, growing=True, never=NOT_A_LEAK,
             java=("-Xmx256m", "-XX:+UseG1GC"), checks=("java_heap",)),
    Scenario("java_healthy", ("HealthyService",), ("healthy",), NO_SHIM_JVMS, growing=True,
             never=NOT_A_LEAK + ("java-heap", "java-metaspace", "java-code-cache"), java=("-Xmx64m",)),
    Scenario("java_deflaters_unseen", ("DeflatersNeverEnded",), ("leak",), NO_SHIM_JVMS, growing=True, look_s=4,
             warm_s=3, java=("-Xmx64m", "-XX:+UseSerialGC"), checks=("needs_attach",)),

    # JVMs under the shim.
    Scenario("java_deflaters", ("DeflatersNeverEnded",), ("leak",), EMBEDDED, growing=True, look_s=4, warm_s=3,
             java=("-Xmx64m", "-XX:+UseSerialGC"), checks=("deflaters",)),
    Scenario("java_arenas", ("ArenasLeftBehind",), ("retention", "fragmentation"), ("none", "next", "glibc"),
             never=NOT_A_LEAK, java=("-Xmx64m", "-XX:+UseSerialGC"), checks=("freed",)),
    Scenario("java_held_until_collection", ("HeldUntilCollection",),
             ("healthy", "retention", "undecided", "direct-buffers"), GLIBC, growing=True, look_s=4, warm_s=0,
             never=NOT_A_LEAK, java=("-Xmx64m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=80m")),
)


def find(name):
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise KeyError(name)
