// SPDX-License-Identifier: Apache-2.0
//
// A recording as the outside sees it: copied, bounds-checked, converted to usable bytes, and free of
// anything that the target could still change. reader.h produces it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "libshim/recording_layout.h"

namespace offheap {

struct RecordedThread {
  std::uint32_t tid = 0;
  std::string name;
  Bytes allocated_bytes = 0;  ///< usable bytes, exact
  Bytes freed_bytes = 0;
};

/// Allocated and freed through the shim in one glibc arena, by all threads that ever ran.
struct RecordedArena {
  Address address = 0;  ///< 0 = main arena
  enum class Kind { kMain, kMmappedChunks, kUnnamed, kSecondary } kind = Kind::kMain;
  Bytes allocated_bytes = 0;
  Bytes freed_bytes = 0;
  std::vector<std::uint32_t> threads;  ///< tids for which this is the own arena
};

struct RecordedSample {
  Address address = 0;
  std::uint32_t site = 0;  ///< index into Snapshot::sites, recording::kNoSite when unknown
  Bytes requested_bytes = 0;
  Bytes usable_bytes = 0;
  double mean_bytes = 0;
  std::uint64_t born_ns = 0;  ///< CLOCK_MONOTONIC
};

/// A frame of Java code, or a mark between such frames.
struct RecordedJavaFrame {
  recording::JavaFrameKind kind = recording::kJavaNone;
  std::string name;       ///< "java.util.zip.Deflater.<init>"; empty for marks and where it did not fit
  std::uint32_t bci = 0;  ///< index of the bytecode, where kind is kJavaBytecode

  bool operator==(const RecordedJavaFrame&) const = default;
  // The check takes the zero of the comparison that the compiler writes for a null pointer.
  auto operator<=>(const RecordedJavaFrame&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct RecordedSite {
  std::vector<Address> frames;                 ///< native, leaf first, return addresses
  std::vector<RecordedJavaFrame> java_frames;  ///< above them, leaf first
  bool truncated = false;                      ///< frames further out are missing, whatever the cause
  bool shortened = false;  ///< of these: since the recording's table of frames was full
  bool incomplete = false;
  bool mapping = false;  ///< the program's own mmap
  std::uint64_t sampled_count = 0;
  std::uint64_t sampled_freed_count = 0;
  Bytes allocated_estimate_bytes = 0;
  Bytes freed_estimate_bytes = 0;
  Bytes mapped_bytes = 0;
  Bytes unmapped_bytes = 0;
};

struct RecordedModule {
  Range range;
  Address load_bias = 0;
  std::string path;
  std::vector<std::uint8_t> build_id;
  bool unloaded = false;
  std::uint64_t loaded_ns = 0;
  std::uint64_t unloaded_ns = 0;
};

struct RecordedMapping {
  Range range;
  std::uint32_t site = 0;
  std::uint64_t born_ns = 0;
};

struct TimelinePoint {
  std::uint64_t time_ns = 0;
  Bytes allocated_bytes = 0;  ///< usable
  Bytes freed_bytes = 0;
  Bytes rss_bytes = 0;
  Bytes direct_mapped_bytes = 0;
  Bytes backend_resident_bytes = 0;
  Bytes sample_mean_bytes = 0;
};

struct Snapshot {
  std::uint32_t pid = 0;
  std::uint32_t parent_pid = 0;
  std::uint64_t process_start_ticks = 0;
  std::uint64_t start_time_ns = 0;
  std::uint64_t start_realtime_ns = 0;
  /// CLOCK_MONOTONIC of the copy; of a file: the latest time that stands anywhere in it.
  std::uint64_t taken_time_ns = 0;
  std::uint32_t flags = 0;  ///< recording::HeaderFlag
  recording::BackendKind backend_kind = recording::BackendKind::kUnset;
  std::string backend_name;
  std::string command;
  Bytes sample_mean_bytes = 0;
  bool sample_fixed = false;
  Bytes allocated_bytes = 0;  ///< usable, all threads, exact
  Bytes freed_bytes = 0;
  /// Blocks alive. None under jemalloc, whose blocks the shim does not count: see backend.block_count.
  std::optional<std::uint64_t> live_count;
  Bytes direct_mapped_bytes = 0;
  std::vector<RecordedThread> threads;  ///< living threads; exited ones are in the totals
  std::vector<RecordedArena> arenas;
  std::vector<RecordedSite> sites;
  std::vector<RecordedSample> samples;
  std::vector<RecordedModule> modules;
  std::vector<RecordedMapping> mappings;
  std::vector<Range> backend_ranges;
  std::vector<TimelinePoint> timeline;  ///< oldest first
  recording::BackendStatistics backend{};
  recording::JavaFrames java_frames = recording::JavaFrames::kNoVm;
  std::uint32_t java_version = 0;  ///< feature release, 0 = unknown
  std::string java_missing;        ///< the field that the VM's tables lack
  recording::Losses losses{};
  recording::SelfCost self{};
  std::uint64_t rejected_count = 0;  ///< entries that failed their bounds check and were dropped
  bool consistent = true;            ///< false: threads ended in every attempt to copy the counts
};

/// Whether the process was there before its recording: a forked child, or one that was attached to. It
/// also frees blocks that were never counted, so allocated - freed is growth, and may be below zero.
inline bool begins_late(const Snapshot& snapshot) {
  return (snapshot.flags & (recording::kFlagForked | recording::kFlagAttached)) != 0;
}

}  // namespace offheap
