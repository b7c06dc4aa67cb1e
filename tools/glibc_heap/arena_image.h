// SPDX-License-Identifier: Apache-2.0
//
// The resident pages of one arena, copied so that the target may run on while they are walked: in one
// go, or in parts where that would take too long. Pages that are not resident read as zero, which is
// what they hold. The pages' memory is laid out before the stop and kept for the next arena: faulting
// it in while the target stands still would double the pause.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "procfs/memory_reader.h"

namespace offheap {

/// Memory for copied pages, grown only, its pages faulted in ahead.
class PageBuffer {
 public:
  PageBuffer() = default;
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;
  ~PageBuffer();

  /// At least `bytes` of address space of which `populated_bytes` are present. False: no memory.
  bool reserve(Bytes bytes, Bytes populated_bytes);
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] Bytes size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  Bytes size_ = 0;
  Bytes populated_ = 0;
};

class ArenaImage {
 public:
  explicit ArenaImage(PageBuffer& buffer) : buffer_(&buffer) {}

  /// Takes up the pages of `range` (whole pages) that `resident` names; copy() fills them. Ranges must
  /// not overlap. False when there is no memory for them.
  bool add_segment(Range range, const std::vector<bool>& resident);

  using Clock = std::chrono::steady_clock;

  /// Copies the pages taken up, in address order, until `deadline`, at least 4 MiB of them; true when
  /// all are copied, else the next call goes on. Up to eight threads, a core each, share the work of a
  /// large arena, as it is what the target's pause consists of. A page that vanished meanwhile becomes
  /// "not resident".
  bool copy(const MemoryReader& memory, Clock::time_point deadline);

  [[nodiscard]] bool contains(Address address) const { return find(address) != nullptr; }

  /// The word at an 8-aligned address; 0 where nothing is resident or outside of the image.
  [[nodiscard]] std::uint64_t word(Address address) const {
    const auto* segment = find(address);
    if (segment == nullptr) return 0;
    const auto slot = segment->slots[(address - segment->range.begin) / kPageBytes];
    if (slot == kAbsent) return 0;
    std::uint64_t value;
    std::memcpy(&value, buffer_->data() + slot * kPageBytes + address % kPageBytes / 8 * 8,
                sizeof value);
    return value;
  }

  /// Resident bytes of `range`, which must lie within one segment.
  [[nodiscard]] Bytes resident_bytes(Range range) const;
  [[nodiscard]] Bytes resident_bytes() const { return resident_pages_ * kPageBytes; }
  [[nodiscard]] Bytes total_bytes() const;

 private:
  static constexpr std::uint32_t kAbsent = ~std::uint32_t{0};
  struct Segment {
    Range range;
    std::vector<std::uint32_t> slots;            ///< page of the buffer for each page, or kAbsent
    std::vector<std::uint32_t> resident_before;  ///< running count; one entry more than pages
  };
  struct Run {  ///< pages that are neighbours in the target and in the buffer
    Address begin;
    std::uint32_t slot;
    std::uint32_t pages;
  };
  [[nodiscard]] const Segment* find(Address address) const {
    if (last_ < segments_.size() && segments_[last_].range.contains(address)) return &segments_[last_];
    return find_slow(address);
  }
  [[nodiscard]] const Segment* find_slow(Address address) const;
  [[nodiscard]] std::vector<Run> lay_out() const;
  void copy_run(const MemoryReader& memory, const Run& run);
  void copy_runs(const MemoryReader& memory, std::atomic<std::size_t>& next,
                 Clock::time_point deadline);

  PageBuffer* buffer_;
  std::vector<Segment> segments_;
  std::vector<Run> runs_;
  std::size_t copied_runs_ = 0;
  mutable std::size_t last_ = 0;  ///< where the last look-up ended; images are walked in order
  std::uint32_t resident_pages_ = 0;
};

}  // namespace offheap
