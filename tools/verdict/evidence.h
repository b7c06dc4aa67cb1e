// SPDX-License-Identifier: Apache-2.0
//
// Everything that a verdict may rest on, as plain data. commands/ gathers it from a target or a
// recording; judge() reads nothing else, so every rule can be tested from a table.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/cgroup.h"
#include "cgroup/charge.h"
#include "glibc_heap/heap_report.h"
#include "ledger/ledger.h"
#include "ledger/malloc_totals.h"
#include "libshim/recording_layout.h"
#include "verdict/java_evidence.h"
#include "verdict/trend.h"

namespace offheap {

/// One allocation site, or one site of the program's own mmaps.
struct SiteEvidence {
  Bytes live_bytes = 0;      ///< usable, estimated; exact for mappings
  Bytes live_low_bytes = 0;  ///< 95 % interval
  Bytes live_high_bytes = 0;
  Bytes requested_bytes = 0;
  double growth_bytes_per_second = 0;
  double growth_low = 0;  ///< 95 % interval
  double growth_high = 0;
  /// Live bytes by when they were born: four equal windows of the observed time, oldest first.
  std::array<Bytes, 4> born_bytes{};
  bool mapping = false;
  std::string place;  ///< one line for summaries: "leaky_cache() < main"
};

/// A pinning block with what is known of it.
struct PinEvidence {
  std::uint32_t arena = 0;
  PinningBlock block;
  std::string place;  ///< "allocated by f() < g()", from a sampled block at or near it; empty when none
                      ///< lies near
};

struct Evidence {
  Ledger ledger;
  bool rss_known = true;  ///< false for a recording alone: the ledger is empty
  std::optional<HeapReport> heap;
  bool heap_unread = false;  ///< whether there is a glibc heap is not known
  std::optional<MallocTotals> malloc;
  std::optional<recording::BackendStatistics> backend;
  std::string allocator;  ///< "glibc 2.36", "jemalloc 5.3.0"; empty when unknown
  bool has_shim = false;
  bool program_has_own_malloc = false;  ///< the recording is bypassed
  std::vector<SiteEvidence> sites;
  std::vector<PinEvidence> pins;
  std::vector<TrendPoint> live_points;  ///< bytes handed out and not freed, over time
  std::vector<TrendPoint> rss_points;
  std::vector<TrendPoint> direct_points;  ///< the program's own anonymous mappings
  std::vector<TrendPoint> stack_points;   ///< thread-stacks over the looks of --for
  std::optional<JavaEvidence> java;       ///< none without a JVM whose structures can be read
  std::optional<Cgroup> cgroup;
  std::optional<GroupMemory> group;  ///< the cgroup's processes and its charge, part by part
  std::uint64_t thread_count = 0;
  std::uint64_t thread_count_before = 0;  ///< at the first look; 0 without --for
  std::uint64_t process_age_ns = 0;
  Bytes live_requested_bytes = 0;  ///< estimated over all live blocks, 0 when unknown
  /// Bytes of huge pages whose 4 KiB parts hold nothing but zeros, by owner, scaled up from a sample:
  /// memory that is resident only because its neighbour was touched. Java heap is not looked at.
  std::array<Bytes, kOwnerCount> huge_zero_bytes{};
  std::string target;  ///< for commands in the output: a pid or a path
};

}  // namespace offheap
