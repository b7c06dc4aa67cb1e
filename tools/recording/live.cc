// SPDX-License-Identifier: Apache-2.0
//
// Copies the recording out of a living process.
#include <time.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "recording/reader.h"

namespace offheap {
namespace {

using recording::Recording;

constexpr Bytes kMappedBytes = (sizeof(Recording) + kPageBytes - 1) / kPageBytes * kPageBytes;
constexpr int kAttempts = 4;

Error no_recording(const char* what) {
  return {ErrorCode::kUnreadable, what, "", "start the program under `offheap run -- CMD...`"};
}

Error unreadable(const char* what) {
  return {ErrorCode::kUnreadable, what, "", "run offheap as the target's user or with CAP_SYS_PTRACE"};
}

bool looks_like_recording(const Mapping& mapping) {
  if (mapping.range.size() < kMappedBytes || !mapping.readable || mapping.file_offset != 0)
    return false;
  std::string_view path = mapping.path;
  return path == "/memfd:offheap-recording" || path == "[anon:offheap-recording]" ||
         (mapping.shared && path.ends_with(".offheap"));
}

/// Pages to copy. A page of shared memory that was swapped out is in no page table, so residency says
/// nothing about it: then all pages are read.
std::vector<bool> pages_to_copy(const MemoryReader& memory, const Mapping& mapping) {
  Range range{mapping.range.begin, mapping.range.begin + kMappedBytes};
  std::size_t page_count = kMappedBytes / kPageBytes;
  std::vector<bool> pages;
  if (mapping.swap_bytes == 0) pages = memory.resident_pages(range);
  if (pages.size() != page_count) pages.assign(page_count, true);
  pages[0] = true;
  return pages;
}

/// Copies the pages in runs. False when one of them cannot be read.
bool copy_pages(const MemoryReader& memory, Address begin, const std::vector<bool>& pages,
                std::vector<std::byte>* out) {
  for (std::size_t i = 0; i < pages.size();) {
    if (!pages[i]) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < pages.size() && pages[end]) ++end;
    std::span<std::byte> to(out->data() + i * kPageBytes, (end - i) * kPageBytes);
    if (memory.read(begin + i * kPageBytes, to) != to.size()) return false;
    i = end;
  }
  return true;
}

template <typename T>
void load(const std::vector<std::byte>& image, std::size_t offset, T* out) {
  std::memcpy(static_cast<void*>(out), image.data() + offset, sizeof(T));
}

template <typename T>
void store(std::vector<std::byte>* image, std::size_t offset, const T& value) {
  std::memcpy(image->data() + offset, &value, sizeof(T));
}

/// A thread that ends moves its counts from its slot to Header::folded. When that happens during the
/// copy they may be in neither or in both.
bool folded_unchanged(const MemoryReader& memory, Address begin, const std::vector<std::byte>& image) {
  constexpr std::size_t kOffset = offsetof(recording::Header, folded);
  auto now = memory.read_value<recording::ArenaCell>(begin + kOffset);
  return now && std::memcmp(&*now, image.data() + kOffset, sizeof *now) == 0;
}

/// Entries whose sequence moved during the copy may be torn: they are marked as being written.
void mark_torn_entries(const MemoryReader& memory, Address begin, std::vector<std::byte>* image) {
  constexpr std::size_t kOffset = offsetof(Recording, timeline);
  constexpr std::size_t kEntries = kOffset + offsetof(recording::Timeline, entries);
  std::uint32_t count = 0;
  load(*image, kOffset + offsetof(recording::Timeline, count), &count);
  for (std::uint32_t i = 0; i < std::min(count, recording::kTimelineCapacity); ++i) {
    std::size_t offset = kEntries + i * sizeof(recording::TimelineEntry);
    std::uint64_t copied = 0;
    load(*image, offset, &copied);
    auto now = memory.read_value<std::uint64_t>(begin + offset);
    if (!now || *now != copied) store(image, offset, copied | 1);
  }
}

/// jemalloc's counters are published on slow paths only: fetches them from the threads' own words. A
/// thread may be gone meanwhile and its word be anything, so only a plausible step forward counts.
void refresh_word(const MemoryReader& memory, std::uint64_t address, std::uint64_t* published) {
  constexpr std::uint64_t kPlausibleStep = std::uint64_t{1} << 40;
  if (address == 0) return;
  auto now = memory.read_value<std::uint64_t>(address);
  if (now && *now >= *published && *now - *published < kPlausibleStep) *published = *now;
}

void refresh_jemalloc(const MemoryReader& memory, std::vector<std::byte>* image) {
  recording::BackendKind kind{};
  load(*image, offsetof(recording::Header, backend_kind), &kind);
  if (kind != recording::BackendKind::kJemalloc) return;
  for (std::uint32_t i = 0; i < recording::kThreadCapacity; ++i) {
    std::size_t offset = offsetof(Recording, threads) + i * sizeof(recording::ThreadSlot);
    recording::ThreadSlot slot;
    load(*image, offset, &slot);
    if (slot.tid == 0) continue;
    refresh_word(memory, slot.jemalloc_allocated_at, &slot.jemalloc_allocated_bytes);
    refresh_word(memory, slot.jemalloc_deallocated_at, &slot.jemalloc_deallocated_bytes);
    store(image, offset, slot);
  }
}

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

const Mapping* find_recording(const std::vector<Mapping>& mappings) {
  auto found = std::find_if(mappings.begin(), mappings.end(), looks_like_recording);
  return found == mappings.end() ? nullptr : &*found;
}

Result<std::vector<std::byte>> copy_live_recording(const MemoryReader& memory,
                                                   const std::vector<Mapping>& mappings,
                                                   bool* consistent) {
  const Mapping* mapping = find_recording(mappings);
  if (!mapping) return no_recording("the process has no recording");
  Address begin = mapping->range.begin;
  std::vector<std::byte> image;
  bool quiet = false;
  for (int attempt = 0; attempt < kAttempts && !quiet; ++attempt) {
    image.assign(kMappedBytes, std::byte{0});
    if (!copy_pages(memory, begin, pages_to_copy(memory, *mapping), &image))
      return unreadable("the process's recording cannot be read");
    quiet = folded_unchanged(memory, begin, image);
  }
  mark_torn_entries(memory, begin, &image);
  refresh_jemalloc(memory, &image);
  if (consistent) *consistent = quiet;
  return image;
}

Result<Snapshot> read_live_recording(const MemoryReader& memory, const std::vector<Mapping>& mappings) {
  bool consistent = false;
  auto image = copy_live_recording(memory, mappings, &consistent);
  std::uint64_t now = monotonic_ns();
  if (!image) return image.error();
  auto snapshot = parse_recording(*image);
  if (!snapshot) return snapshot;
  snapshot->consistent = consistent;
  // A target in another time namespace has another clock; its own times are then the better ones.
  snapshot->taken_time_ns = std::max(snapshot->taken_time_ns, now);
  return snapshot;
}

}  // namespace offheap
