// SPDX-License-Identifier: Apache-2.0
//
// What `offheap explain` has to say, before it has a form: commands/ fills it, text.h and json.h print
// it. Names in it come from the target and are hostile: printing sanitises them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/cgroup.h"
#include "cgroup/charge.h"
#include "glibc_heap/heap_report.h"
#include "hotspot/hotspot_report.h"
#include "ledger/ledger.h"
#include "ledger/malloc_totals.h"
#include "libshim/recording_layout.h"
#include "verdict/verdict.h"

namespace offheap {

struct Frame {
  std::string function;  ///< demangled; "0x7f..." when no name is known
  std::string module;    ///< file name of the ELF file
  /// "java"; "mark" for what stands between frames.
  std::string kind = "native";
  /// Java: index of the bytecode, where known.
  std::optional<std::uint32_t> bci = std::nullopt;
};

struct SiteLine {
  Bytes live_bytes = 0;
  Bytes requested_bytes = 0;
  Bytes live_bytes_low = 0;
  Bytes live_bytes_high = 0;
  double growth_bytes_per_second = 0;
  double growth_low = 0;
  double growth_high = 0;
  bool growth_known = false;
  std::uint64_t live_count = 0;
  std::uint64_t sample_count = 0;
  bool mapping = false;
  bool truncated = false;
  std::string allocated_by;   ///< "direct-buffer", "unsafe", "jni"; empty = not known to be any
  std::vector<Frame> frames;  ///< leaf first
};

struct ThreadLine {
  std::uint32_t tid = 0;
  std::string name;
  std::optional<Bytes> allocated_bytes;  ///< none without the shim
  std::optional<Bytes> freed_bytes;
  std::optional<Bytes> stack_rss_bytes;  ///< none of a process that is gone
};

struct TargetLine {
  int pid = 0;
  std::string command;
  std::optional<Container> container;
  bool jvm = false;
  std::string jvm_version;
  std::string jvm_gc;
  std::string libc;
  std::string allocator;
  bool has_shim = false;
  bool shim_unreadable = false;  ///< preloaded, but its recording was not read
  std::string shim_backend;
  Bytes sample_bytes = 0;
  std::uint64_t age_ns = 0;
};

struct OwnerGrowth {
  Owner owner = Owner::kUnknown;
  std::int64_t bytes = 0;
};

/// What changed between the first and the last look of --for.
struct WatchLine {
  std::uint64_t watched_ns = 0;
  std::int64_t rss_growth_bytes = 0;
  std::vector<OwnerGrowth> owners;
};

struct SelfCheck {
  std::string name;
  bool ok = false;
};

struct SelfLine {
  std::uint64_t pause_ns = 0;        ///< the longest stop
  std::uint64_t total_pause_ns = 0;  ///< of one look
  bool estimate = false;             ///< the heap was read without a pause
  std::vector<SelfCheck> checks;
  recording::Losses losses{};
  recording::SelfCost cost{};
};

struct Explanation {
  TargetLine target;
  bool rss_known = true;  ///< false for a recording alone
  Ledger ledger;
  std::optional<HeapReport> heap;
  std::optional<MallocTotals> malloc;
  std::optional<HotspotReport> java;
  std::optional<recording::BackendStatistics> backend;
  std::vector<std::vector<std::uint32_t>> arena_threads;  ///< by position in heap->arenas
  std::vector<ThreadLine> threads;
  std::vector<SiteLine> sites;  ///< largest first, cut to what was asked for
  std::size_t site_count = 0;   ///< before the cut
  std::optional<Cgroup> cgroup;
  std::optional<GroupMemory> group;
  std::optional<WatchLine> watch;
  std::vector<Verdict> verdicts;
  std::vector<std::string> notes;  ///< what could not be read, and what would change that
  SelfLine self;
};

}  // namespace offheap
