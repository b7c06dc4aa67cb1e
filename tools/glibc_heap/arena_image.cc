// SPDX-License-Identifier: Apache-2.0
//
// Laying out, copying and counting the pages of an arena.
#include "glibc_heap/arena_image.h"

#include <sys/mman.h>

#include <algorithm>
#include <thread>

namespace offheap {
namespace {

constexpr int kPopulateWrite = 23;                  // MADV_POPULATE_WRITE, Linux 5.14
constexpr std::uint32_t kRunPages = 1024;           // one copy call: 4 MiB
constexpr std::uint32_t kPagesWorthAThread = 2048;  // 8 MiB
constexpr std::size_t kMostThreads = 8;             // more do not copy faster than memory answers

}  // namespace

PageBuffer::~PageBuffer() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

bool PageBuffer::reserve(Bytes bytes, Bytes populated_bytes) {
  if (bytes > size_) {
    constexpr Bytes kHugePageBytes = 2 << 20;
    const Bytes size = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) return false;
    if (data_ != nullptr) ::munmap(data_, size_);
    data_ = static_cast<std::byte*>(data);
    size_ = size;
    populated_ = 0;
    ::madvise(data_, size_, MADV_HUGEPAGE);
  }
  if (populated_bytes <= populated_) return true;
  // Where the kernel cannot populate, the copy faults the pages in: slower, not wrong.
  ::madvise(data_ + populated_, std::min(populated_bytes, size_) - populated_, kPopulateWrite);
  populated_ = populated_bytes;
  return true;
}

bool ArenaImage::add_segment(Range range, const std::vector<bool>& resident) {
  Segment segment{range, {}, {0}};
  segment.slots.reserve(resident.size());
  segment.resident_before.reserve(resident.size() + 1);
  for (const bool present : resident) {
    segment.slots.push_back(present ? resident_pages_++ : kAbsent);
    segment.resident_before.push_back(segment.resident_before.back() + (present ? 1 : 0));
  }
  segments_.push_back(std::move(segment));
  std::sort(segments_.begin(), segments_.end(),
            [](const auto& a, const auto& b) { return a.range.begin < b.range.begin; });
  return resident_bytes() <= buffer_->size() || buffer_->reserve(resident_bytes(), 0);
}

std::vector<ArenaImage::Run> ArenaImage::lay_out() const {
  std::vector<Run> runs;
  for (const auto& segment : segments_) {
    for (std::size_t page = 0; page < segment.slots.size(); ++page) {
      const auto slot = segment.slots[page];
      if (slot == kAbsent) continue;
      const Address address = segment.range.begin + page * kPageBytes;
      const bool extends = !runs.empty() && runs.back().pages < kRunPages &&
                           runs.back().begin + runs.back().pages * kPageBytes == address &&
                           runs.back().slot + runs.back().pages == slot;
      if (extends)
        ++runs.back().pages;
      else
        runs.push_back({address, slot, 1});
    }
  }
  return runs;
}

void ArenaImage::copy_run(const MemoryReader& memory, const Run& run) {
  const std::span<std::byte> out(buffer_->data() + run.slot * kPageBytes, run.pages * kPageBytes);
  const auto got = memory.read(run.begin, out);
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(got), out.end(), std::byte{0});
}

void ArenaImage::copy_runs(const MemoryReader& memory, std::atomic<std::size_t>& next,
                           Clock::time_point deadline) {
  do {
    const auto i = next.fetch_add(1, std::memory_order_relaxed);
    if (i >= runs_.size()) return;
    copy_run(memory, runs_[i]);
  } while (Clock::now() < deadline);
}

bool ArenaImage::copy(const MemoryReader& memory, Clock::time_point deadline) {
  if (runs_.empty()) runs_ = lay_out();
  const auto worthwhile = std::size_t{resident_pages_} / kPagesWorthAThread + 1;
  const auto cores = std::max(1U, std::thread::hardware_concurrency());
  const auto thread_count = std::min({worthwhile, std::size_t{cores}, kMostThreads});
  std::atomic<std::size_t> next = copied_runs_;
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < thread_count; ++i)
    others.emplace_back([&] { copy_runs(memory, next, deadline); });
  copy_runs(memory, next, deadline);
  for (auto& other : others) other.join();
  copied_runs_ = std::min(next.load(std::memory_order_relaxed), runs_.size());
  return copied_runs_ == runs_.size();
}

const ArenaImage::Segment* ArenaImage::find_slow(Address address) const {
  const auto next = std::upper_bound(segments_.begin(), segments_.end(), address,
                                     [](Address a, const Segment& s) { return a < s.range.end; });
  if (next == segments_.end() || !next->range.contains(address)) return nullptr;
  last_ = static_cast<std::size_t>(next - segments_.begin());
  return &*next;
}

Bytes ArenaImage::resident_bytes(Range range) const {
  const auto* segment = range.begin < range.end ? find(range.begin) : nullptr;
  if (segment == nullptr) return 0;
  range.end = std::min(range.end, segment->range.end);
  const auto first = (range.begin - segment->range.begin) / kPageBytes;
  const auto last = (range.end - 1 - segment->range.begin) / kPageBytes;
  if (first == last) return segment->slots[first] == kAbsent ? 0 : range.size();
  Bytes bytes = (segment->resident_before[last + 1] - segment->resident_before[first]) * kPageBytes;
  if (segment->slots[first] != kAbsent) bytes -= range.begin % kPageBytes;
  if (segment->slots[last] != kAbsent)
    bytes -= segment->range.begin + (last + 1) * kPageBytes - range.end;
  return bytes;
}

Bytes ArenaImage::total_bytes() const {
  Bytes bytes = 0;
  for (const auto& segment : segments_) bytes += segment.range.size();
  return bytes;
}

}  // namespace offheap
