// SPDX-License-Identifier: Apache-2.0
//
// Where figures come from: the machine, its kernel and settings that allocators depend on, the entries,
// what the environment brought along, and the request, so that a comparison can be run again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ab/entry.h"
#include "ab/row.h"

namespace offheap::ab {

/// CPUs that this process may use: the cgroup's quota rounded up, or its affinity.
unsigned available_cpus();

/// The machine's part of a provenance: date, kernel, cpu_model, cpu_count, cpu_quota (CPUs, or null),
/// memory_bytes, memory_limit_bytes (or null), thp, libc, page_bytes, inherited (variables of the
/// environment that allocators read).
///
/// Errors: never fails; what cannot be read is null.
Json describe_machine(const std::vector<std::string>& environment);

/// Each entry: {"name", "allocator": "jemalloc 5.3.0" or null, "environment": what is set for it, the
/// shim being where `shim` says}.
Json describe_entries(const std::vector<Entry>& entries, const std::vector<std::string>& allocators,
                      const std::string& shim);

}  // namespace offheap::ab
