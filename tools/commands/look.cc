// SPDX-License-Identifier: Apache-2.0
#include "commands/look.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>

#include "base/format.h"
#include "commands/look_jvm.h"
#include "glibc_heap/glibc_heap.h"
#include "procfs/inner_tids.h"
#include "recording/reader.h"

namespace offheap {
namespace {

/// Base name of the module that holds a recorded address.
std::string_view module_of(const Snapshot& snapshot, Address address) {
  for (const RecordedModule& module : snapshot.modules) {
    if (module.range.contains(address)) {
      return std::string_view(module.path).substr(module.path.rfind('/') + 1);
    }
  }
  return {};
}

void claim_recorded(const Snapshot& snapshot, std::vector<Claim>& claims) {
  for (const Range& range : snapshot.backend_ranges) {
    claims.push_back({range, Owner::kBackendRanges, snapshot.backend_name});
  }
  std::map<std::uint32_t, Owner> owners;
  for (const RecordedMapping& mapping : snapshot.mappings) {
    auto [at, fresh] = owners.try_emplace(mapping.site, Owner::kDirectMmaps);
    if (fresh) at->second = owner_of_mapping_site(snapshot, mapping.site);
    claims.push_back({mapping.range, at->second, "mapped by the program"});
  }
}

/// In labelling order. `hotspot` is null when there is no JVM that can be read.
std::vector<Claim> collect_claims(const Look& look, const Hotspot* hotspot,
                                  const MemoryReader& memory) {
  std::vector<Claim> claims;
  if (look.jvm) claims = claims_of_jvm(*look.jvm);
  if (look.heap) {
    for (const ArenaReport& arena : look.heap->arenas) {
      for (const Range& segment : arena.segments) {
        claims.push_back({segment, Owner::kMallocArenas, fmt::format("arena {}", arena.index)});
      }
    }
  }
  std::map<std::uint32_t, std::string> names;
  for (const ThreadName& thread : look.threads) names[thread.tid] = thread.name;
  for (const ThreadStack& stack : look.stacks) {
    claims.push_back({stack.range, Owner::kThreadStacks,
                      stack.tid == 0 ? "dead threads, kept by glibc" : names[stack.tid]});
  }
  if (look.heap) {
    for (const MmappedChunk& chunk : look.heap->mmapped) {
      claims.push_back({chunk.range, Owner::kMallocMmapped, "mmapped blocks"});
    }
  }
  std::vector<Claim> recorded;
  if (look.snapshot) claim_recorded(*look.snapshot, recorded);
  // What the JVM mapped itself is its own, and for what it mapped that can still be inferred.
  const auto not_java = [](const Claim& claim) { return claim.owner != Owner::kJava; };
  if (hotspot != nullptr) {
    std::vector<Claim> taken = claims;
    std::copy_if(recorded.begin(), recorded.end(), std::back_inserter(taken), not_java);
    const auto inferred = infer_jvm_claims(*hotspot, look, memory, taken);
    claims.insert(claims.end(), inferred.begin(), inferred.end());
  }
  claims.insert(claims.end(), recorded.begin(), recorded.end());
  return claims;
}

/// What mmapped blocks cannot be in: scanned memory that has an owner already.
std::vector<Range> ranges_of_others(const Look& look) {
  std::vector<Range> ranges;
  for (const ThreadStack& stack : look.stacks) ranges.push_back(stack.range);
  if (look.jvm) {
    for (const JavaRange& range : look.jvm->ranges) ranges.push_back(range.range);
  }
  if (look.snapshot) {
    for (const Range& range : look.snapshot->backend_ranges) ranges.push_back(range);
  }
  return ranges;
}

/// Of every arena that changed between the stops in which it was copied.
void note_copies_in_parts(Look& look) {
  constexpr std::uint64_t kStep_ns = 100'000'000;
  for (const ArenaReport& arena : look.heap->arenas) {
    if (arena.consistent || arena.stop_count < 2) continue;
    look.notes.push_back(fmt::format(
        "arena {} changed between the {} stops in which it was copied, so its figures are estimates; "
        "--max-pause {}ms reads it in one stop",
        arena.index, arena.stop_count, (arena.pause_ns * 3 / 2 / kStep_ns + 1) * kStep_ns / 1'000'000));
  }
}

/// Only a failure that ends the whole look: an exit. Others leave a note.
std::optional<Error> read_heap(const Process& process, const MemoryReader& memory,
                               const LookOptions& options, Look& look) {
  const auto exclude = ranges_of_others(look);
  HeapReadOptions heap_options;
  heap_options.pause = options.pause;
  heap_options.most_pause_ns = options.most_pause_ns;
  heap_options.exclude = exclude;
  heap_options.threads = look.stacks;
  auto heap = read_glibc_heap(process, memory, look.mappings, heap_options);
  if (!heap && options.pause && !process.exited()) {
    // An estimate is worth more than nothing: a tracer, or thousands of threads on a busy machine.
    look.notes.push_back(
        fmt::format("the heap was read without a pause, as an estimate: {}", heap.error().what));
    heap_options.pause = false;
    heap = read_glibc_heap(process, memory, look.mappings, heap_options);
  }
  if (!heap && process.exited()) return process.exit_error();
  look.heap_unread = !heap;
  if (!heap) {
    look.notes.push_back(
        fmt::format("the heap was not read: {} ({})", heap.error().what, heap.error().remedy));
  } else if (heap->found) {
    look.heap = std::move(*heap);
    note_copies_in_parts(look);
    if (look.heap->swapped_bytes != 0)
      look.notes.push_back(
          fmt::format("{} of the heap are in swap and were not read, as that would bring them back: "
                      "arenas marked ? are estimates of what is resident",
                      format_bytes(look.heap->swapped_bytes)));
    if (look.heap->hugetlb_bytes != 0)
      look.notes.push_back(
          fmt::format("{} of the heap lie in pages of the hugetlb pool, which neither RSS nor the "
                      "container's charge counts",
                      format_bytes(look.heap->hugetlb_bytes)));
  }
  return {};
}

void read_parts(const Process& process, const MemoryReader& memory, bool may_stop, Look& look) {
  if (auto threads = process.read_threads()) look.threads = std::move(*threads);
  if (auto stacks = find_thread_stacks(process, memory, look.mappings, may_stop))
    look.stacks = std::move(*stacks);
  if (const auto tids = process.read_thread_ids()) look.inner_tids = read_inner_tids(process, *tids);
  if (find_recording(look.mappings)) {
    auto snapshot = read_live_recording(memory, look.mappings);
    if (snapshot) {
      look.snapshot = std::move(*snapshot);
    } else {
      look.recording_unreadable = true;
      look.notes.push_back(fmt::format("the recording was not read: {}", snapshot.error().what));
    }
  }
  if (auto cgroup = read_cgroup(process.pid())) look.cgroup = std::move(*cgroup);
}

}  // namespace

Owner owner_of_mapping_site(const Snapshot& snapshot, std::uint32_t site) {
  constexpr std::size_t kLeafFrames = 3;
  if (site >= snapshot.sites.size()) return Owner::kDirectMmaps;
  const std::vector<Address>& frames = snapshot.sites[site].frames;
  for (std::size_t i = 0; i < std::min(kLeafFrames, frames.size()); ++i) {
    const std::string_view module = module_of(snapshot, frames[i]);
    if (module == "libjvm.so") return Owner::kJava;
    if (!allocator_of_library(module).empty()) return Owner::kBackendRanges;
  }
  return Owner::kDirectMmaps;
}

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Result<Look> take_look(const Process& process, const LookOptions& options) {
  Look look;
  const auto memory = ProcessMemory::open(process);
  if (!memory) return memory.error();
  auto mappings = process.read_smaps();
  if (!mappings) return mappings.error();
  look.mappings = std::move(*mappings);
  look.time_ns = monotonic_ns();
  read_parts(process, *memory, options.pause, look);
  const auto hotspot = read_jvm(process, *memory, look);
  look.heap_unread = !options.heap;
  if (options.heap) {
    if (auto error = read_heap(process, *memory, options, look)) return *error;
  }
  LedgerInput input;
  input.mappings = look.mappings;
  input.claims = collect_claims(look, hotspot.get(), *memory);
  input.jvm_is_read = hotspot != nullptr;
  if (const Mapping* recording = find_recording(look.mappings)) input.recording_path = recording->path;
  if (auto mounts = process.read("mountinfo")) input.tmpfs_devices = parse_tmpfs_devices(*mounts);
  look.ledger = build_ledger(input, *memory);
  look.huge_zero_bytes = measure_huge_zeros(look.mappings, look.ledger, *memory);
  if (process.exited()) return process.exit_error();
  return look;
}

}  // namespace offheap
