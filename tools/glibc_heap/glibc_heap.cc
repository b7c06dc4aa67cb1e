// SPDX-License-Identifier: Apache-2.0
//
// The order of things: locate, then for every arena stop, copy, let go, walk; again when lists and walk
// disagree; then the blocks with mappings of their own; then the checks.
#include "glibc_heap/glibc_heap.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "glibc_heap/arena_analysis.h"
#include "glibc_heap/mmapped_chunks.h"
#include "glibc_heap/thread_arenas.h"
#include "procfs/stop.h"

namespace offheap {
namespace {

constexpr int kMostRetries = 3;
constexpr std::uint32_t kFewStops = 2;  // an arena that takes more is not read again
constexpr auto kRetryAfter = std::chrono::milliseconds(1);
constexpr std::size_t kMostForeignWords = 200'000;  // of other arenas, read one by one

/// Whether `next` is `mapping` continued: the kernel keeps neighbours apart that differ in advice
/// alone, as huge pages make them.
bool continues(const Mapping& mapping, const Mapping& next) {
  return mapping.range.end == next.range.begin && mapping.readable == next.readable &&
         mapping.writable == next.writable && mapping.executable == next.executable &&
         !mapping.shared && !next.shared && mapping.inode == 0 && next.inode == 0 &&
         mapping.path == next.path;
}

/// Memory of the hugetlb pool is a nameless file's, of which smaps' Rss says 0: for malloc it is
/// anonymous memory like any other.
Mapping as_anonymous(Mapping mapping) {
  if (!is_hugetlb(mapping)) return mapping;
  mapping.inode = 0;
  mapping.rss_bytes = mapping.range.size();
  return mapping;
}

std::vector<Mapping> merge_neighbours(std::span<const Mapping> mappings) {
  std::vector<Mapping> merged;
  for (const auto& each : mappings) {
    const auto mapping = as_anonymous(each);
    if (merged.empty() || !continues(merged.back(), mapping)) {
      merged.push_back(mapping);
      continue;
    }
    merged.back().range.end = mapping.range.end;
    merged.back().rss_bytes += mapping.rss_bytes;
    merged.back().swap_bytes += mapping.swap_bytes;
  }
  return merged;
}

class HeapReading {
 public:
  /// `process` is null for an image.
  HeapReading(const Process* process, const MemoryReader& memory, std::span<const Mapping> mappings,
              const HeapReadOptions& options)
      : process_(process), memory_(memory), mappings_(merge_neighbours(mappings)), options_(options) {}

  std::optional<Error> run() {
    const auto location = locate_malloc(memory_, mappings_);
    if (!location) return exit_or_nothing();
    location_ = *location;
    report_.found = true;
    report_.libc_path = location_.libc_path;
    report_.layout = static_cast<std::uint32_t>(location_.layout.bins);
    report_.estimate = !options_.pause;
    threads_ = find_thread_arenas(memory_, location_, options_.threads);
    for (std::size_t i = 0; i < location_.arenas.size(); ++i)
      if (auto error = read_arena(i)) return error;
    if (options_.scan_mmapped) read_mmapped();
    report_.live_by_class = live_.by_class();
    add_arena_checks();
    return exit_or_nothing();
  }

  HeapReport take() { return std::move(report_); }

 private:
  [[nodiscard]] std::optional<Error> exit_or_nothing() const {
    if (process_ != nullptr && process_->exited()) return process_->exit_error();
    return std::nullopt;
  }

  [[nodiscard]] bool stops() const { return process_ != nullptr && options_.pause; }

  /// Copies the arena, target standing still if it may be stopped.
  std::optional<Error> capture(Address arena, ArenaCapture& out) {
    const Bytes bytes = measure_arena(memory_, location_, arena, mappings_);
    constexpr Bytes kGrowth = 4 << 20;  // it may grow until the stop
    buffer_.reserve(bytes + kGrowth, bytes);
    // Of an arena that no machine copies in time even the list of its pages is long.
    constexpr Bytes kMostBytesPerNs = 8;
    bool begun = stops() && bytes / kMostBytesPerNs > options_.most_pause_ns;
    if (begun) begin_capture(memory_, location_, arena, mappings_, out);
    for (;;) {
      std::optional<Haste> haste;
      std::optional<Stop> stop;
      if (stops()) {
        haste.emplace();
        auto result = Stop::all_threads(*process_);
        if (!result) return result.error();
        stop.emplace(std::move(*result));
      }
      if (!begun) begin_capture(memory_, location_, arena, mappings_, out);
      begun = true;
      const bool copied = out.image.copy(memory_, deadline(stop));
      if (copied) finish_capture(memory_, location_, mappings_, threads_.tcaches, out);
      if (!stop) return std::nullopt;
      const auto pause_ns = add_pause(*stop, out);
      if (copied || process_->exited()) return std::nullopt;
      haste.reset();
      // The target gets at least half of the time.
      std::this_thread::sleep_for(std::chrono::nanoseconds(pause_ns));
    }
  }

  /// When a copy has to end for the target to run again in time.
  [[nodiscard]] ArenaImage::Clock::time_point deadline(const std::optional<Stop>& stop) const {
    if (!stop) return ArenaImage::Clock::time_point::max();
    const std::uint64_t most_ns = options_.most_pause_ns - options_.most_pause_ns / 5;
    // On a busy machine the stop alone may take that long; to copy next to nothing then is no help.
    const std::uint64_t least_ns = options_.most_pause_ns / 5;
    const std::uint64_t gone_ns = stop->pause_ns();
    const std::uint64_t left_ns = most_ns > gone_ns ? most_ns - gone_ns : 0;
    return ArenaImage::Clock::now() + std::chrono::nanoseconds(std::max(left_ns, least_ns));
  }

  std::uint64_t add_pause(Stop& stop, ArenaCapture& out) {
    const auto pause_ns = stop.resume();
    report_.pause_ns = std::max(report_.pause_ns, pause_ns);
    report_.total_pause_ns += pause_ns;
    out.pause_ns += pause_ns;
    ++out.stop_count;
    return pause_ns;
  }

  std::optional<Error> read_arena(std::size_t index) {
    for (int attempt = 0;; ++attempt) {
      ArenaCapture captured(buffer_);
      if (auto error = capture(location_.arenas[index], captured)) return error;
      if (auto error = exit_or_nothing()) return error;
      auto analysis = analyse(captured, true);
      auto& report = analysis->report;
      const Bytes swapped_bytes = measure_swapped(report.segments);
      // What is in swap is missing from every attempt.
      const bool again = !report.consistent && swapped_bytes == 0 && stops() &&
                         captured.stop_count <= kFewStops && attempt < kMostRetries;
      if (again) {
        ++report_.retries;
        std::this_thread::sleep_for(kRetryAfter);
        continue;
      }
      // Lists that contradict each other are worse than none: the linear walk alone is near.
      if (!report.consistent) {
        analysis = analyse(captured, false);
        analysis->report.consistent = analysis->report.consistent && !options_.pause;
      }
      analysis->report.swapped_bytes = swapped_bytes;
      analysis->report.stop_count = captured.stop_count;
      analysis->report.pause_ns = captured.pause_ns;
      add(index, *analysis);
      return std::nullopt;
    }
  }

  [[nodiscard]] Bytes measure_swapped(std::span<const Range> segments) const {
    Bytes bytes = 0;
    for (const auto& segment : segments) {
      const auto has_swapped = [&](const Mapping& mapping) {
        return mapping.swap_bytes != 0 && mapping.range.overlaps(segment);
      };
      if (std::any_of(mappings_.begin(), mappings_.end(), has_swapped))
        bytes += memory_.swapped_bytes(segment);
    }
    return bytes;
  }

  /// On the heap: the class totals are too large for the stack of whoever calls.
  std::unique_ptr<ArenaAnalysis> analyse(ArenaCapture& captured, bool trust_lists) {
    learn_tcaches(captured);
    std::size_t foreign_words = 0;
    const WordReader foreign = [&](Address at) -> std::uint64_t {
      constexpr std::uint64_t kBrokenLink = 1;
      if (++foreign_words > kMostForeignWords) return kBrokenLink;
      return memory_.read_value<std::uint64_t>(at).value_or(kBrokenLink);
    };
    return std::make_unique<ArenaAnalysis>(analyse_arena(captured, foreign, trust_lists));
  }

  /// Where threads could not be asked, tcaches are known by their looks; those of this arena at least.
  void learn_tcaches(ArenaCapture& captured) const {
    const auto asked = std::count_if(options_.threads.begin(), options_.threads.end(),
                                     [](const ThreadStack& t) { return t.tid != 0; });
    if (asked != 0 && threads_.tcaches.size() >= static_cast<std::size_t>(asked)) return;
    for (auto& found : find_tcaches(captured)) {
      const auto known = [&](const TcacheStruct& t) { return t.address == found.address; };
      if (std::none_of(captured.tcaches.begin(), captured.tcaches.end(), known))
        captured.tcaches.push_back(std::move(found));
    }
  }

  void add(std::size_t index, ArenaAnalysis& analysis) {
    auto& report = analysis.report;
    report_.hugetlb_bytes += report.hugetlb_bytes;
    report_.swapped_bytes += report.swapped_bytes;
    report.index = static_cast<std::uint32_t>(index);
    for (const auto& [tid, arena] : threads_.arena_of)
      if (arena == report.address) report.threads.push_back(tid);
    live_.add_all(analysis.live);
    chains_complete_ = chains_complete_ && analysis.chains_complete;
    report_.arenas.push_back(std::move(report));
  }

  void read_mmapped() {
    std::vector<Range> claimed(options_.exclude.begin(), options_.exclude.end());
    for (const auto& thread : options_.threads) claimed.push_back(thread.range);
    for (const auto& arena : report_.arenas)
      claimed.insert(claimed.end(), arena.segments.begin(), arena.segments.end());
    report_.mmapped = find_mmapped_chunks(memory_, mappings_, claimed);
    for (const auto& chunk : report_.mmapped) {
      report_.mmapped_bytes += chunk.range.size();
      report_.mmapped_rss_bytes += chunk.rss_bytes;
      if (lies_in_hugetlb(mappings_, chunk.range.begin)) report_.hugetlb_bytes += chunk.rss_bytes;
      live_.add(chunk.range.size(), chunk.range.size() - 2 * kHeaderBytes);
    }
    if (location_.mmapped_mem == 0) return;
    const auto counted = memory_.read_value<Bytes>(location_.mmapped_mem);
    report_.checks.push_back({"mmapped chunks = mp_.mmapped_mem", counted && equals_counted(*counted)});
  }

  /// glibc 2.43 counts 16 bytes too many at each mremap (mremap_chunk leaves the header's size out of
  /// what it subtracts); a block that was not found is at least a page.
  [[nodiscard]] bool equals_counted(Bytes counted) const {
    const Bytes surplus = counted - report_.mmapped_bytes;
    return surplus < kPageBytes && surplus % kChunkAlign == 0;
  }

  void add_arena_checks() {
    for (const auto& arena : report_.arenas) {
      const auto name =
          arena.index == 0 ? std::string("main arena") : fmt::format("arena {}", arena.index);
      report_.checks.push_back({name + ": bins = walk", arena.consistent && !report_.estimate});
      report_.checks.push_back({name + ": system_mem = segments", is_whole(arena)});
      report_.checks.push_back({name + ": parts = rss", arena.resident.sum() == arena.rss_bytes});
    }
    report_.checks.push_back({"cached blocks are all known", chains_complete_});
  }

  /// The first sbrk need not have been page-aligned: the main arena's pages may exceed what it
  /// obtained.
  static bool is_whole(const ArenaReport& arena) {
    return arena.walked_bytes >= arena.system_bytes &&
           arena.walked_bytes - arena.system_bytes < kPageBytes;
  }

  const Process* process_;
  const MemoryReader& memory_;
  std::vector<Mapping> mappings_;  ///< of them only what merge_neighbours() sums is true
  HeapReadOptions options_;
  PageBuffer buffer_;
  MallocLocation location_;
  ThreadArenas threads_;
  ClassTotals live_;
  bool chains_complete_ = true;
  HeapReport report_;
};

}  // namespace

Result<HeapReport> read_glibc_heap(const Process& process, const MemoryReader& memory,
                                   std::span<const Mapping> mappings, const HeapReadOptions& options) {
  const auto reading = std::make_unique<HeapReading>(&process, memory, mappings, options);
  if (auto error = reading->run()) return *error;
  return reading->take();
}

HeapReport read_glibc_heap_image(const MemoryReader& memory, std::span<const Mapping> mappings,
                                 const HeapReadOptions& options) {
  const auto reading = std::make_unique<HeapReading>(nullptr, memory, mappings, options);
  reading->run();
  return reading->take();
}

}  // namespace offheap
