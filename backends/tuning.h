// SPDX-License-Identifier: Apache-2.0
//
// glibc's malloc parameters, from OFFHEAP_GLIBC_*.
//
//   OFFHEAP_GLIBC_ARENA_MAX=N|auto   mallopt(M_ARENA_MAX). `auto` is the cgroup's CPU quota, rounded
//   up:
//                                    glibc itself allows 8 arenas for each of the host's cores
//   OFFHEAP_GLIBC_TRIM_THRESHOLD=B   mallopt(M_TRIM_THRESHOLD); ends glibc's own adaption of it
//   OFFHEAP_GLIBC_MMAP_THRESHOLD=B   mallopt(M_MMAP_THRESHOLD); likewise. Old glibc takes 32 MiB at
//   most OFFHEAP_GLIBC_TCACHE_COUNT=N     refused: glibc reads it from GLIBC_TUNABLES alone, before any
//   library
//                                    has run; the complaint says which value to set
#pragma once

#include <stddef.h>

namespace backends {

/// Reads `path` whole into `out`, terminated. False: missing or unreadable.
using ReadFile = bool (*)(const char* path, char* out, size_t out_bytes);

/// CPUs that the process's cgroups allow, rounded up, and at least 1: the smallest quota on the way to
/// the root, cgroup v2 (cpu.max) or v1 (cpu.cfs_quota_us); 0 = no quota.
///
/// Alloc: none. Thread: any.
/// Source: Linux Documentation/admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst.
unsigned cgroup_cpus(ReadFile read_file);

/// The same of this process, or the CPUs that it may run on where there is no quota.
unsigned available_cpus();

}  // namespace backends
