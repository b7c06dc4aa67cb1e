// SPDX-License-Identifier: Apache-2.0
//
// One pass over the chunks of every segment. A chunk at p of size s owns the bytes [p + 8, p + 8 + s):
// its size word and then what its user may write, the next chunk's prev_size included. Cut this way the
// chunks partition a segment, in use or free.
#include "glibc_heap/arena_analysis.h"

#include <algorithm>
#include <bit>

#include "glibc_heap/chunk_walk.h"
#include "glibc_heap/free_lists.h"
#include "glibc_heap/pinning.h"

namespace offheap {
namespace {

Range owned_bytes(Range chunk) { return {chunk.begin + kSizeOffset, chunk.end + kSizeOffset}; }

/// A sorted list of addresses, asked for in ascending order.
class AscendingSet {
 public:
  explicit AscendingSet(std::vector<Address> addresses) : addresses_(std::move(addresses)) {}
  bool contains(Address address) {
    if (next_ > 0 && next_ <= addresses_.size() && addresses_[next_ - 1] > address) next_ = 0;
    while (next_ < addresses_.size() && addresses_[next_] < address) ++next_;
    return next_ < addresses_.size() && addresses_[next_] == address;
  }

 private:
  std::vector<Address> addresses_;
  std::size_t next_ = 0;
};

class Analyser {
 public:
  Analyser(const ArenaCapture& capture, const WordReader& foreign_word, bool trust_lists)
      : capture_(capture),
        trust_lists_(trust_lists),
        fast_(trust_lists ? walk_fastbins(capture) : FastChunks{}) {
    const auto word = [&](Address at) {
      return capture.image.contains(at) ? capture.image.word(at) : foreign_word(at);
    };
    cached_ = follow_chains(capture.tcaches, word);
    fast_set_ = AscendingSet(fast_.chunks);
    cached_set_ = AscendingSet(cached_.blocks);
    std::vector<Address> own;
    for (const auto& tcache : capture.tcaches) own.push_back(tcache.address);
    std::sort(own.begin(), own.end());
    tcache_set_ = AscendingSet(std::move(own));
  }

  ArenaAnalysis run() {
    describe();
    for (const auto& segment : capture_.segments) analyse_segment(segment);
    finish();
    return std::move(analysis_);
  }

 private:
  ResidentParts& resident() { return analysis_.report.resident; }
  ObtainedParts& obtained() { return analysis_.report.obtained; }

  void describe() {
    auto& report = analysis_.report;
    report.address = capture_.address;
    report.system_bytes = capture_.system_bytes();
    report.attached_threads =
        capture_.layout.attached != 0 ? capture_.state_word(capture_.layout.attached) : 0;
    report.rss_bytes = capture_.image.resident_bytes();
    for (const auto& segment : capture_.segments) report.segments.push_back(segment.pages);
    analysis_.chains_complete = cached_.complete || cached_.key.has_value();
  }

  void analyse_segment(const HeapSegment& segment) {
    ChunkWalk walk(capture_.image, segment, capture_.top());
    walked_bytes_ += segment.pages.size();
    lowers_rss_ = !segment.hugetlb;
    if (segment.hugetlb) analysis_.report.hugetlb_bytes += capture_.image.resident_bytes(segment.pages);
    run_ = {segment.first_chunk, segment.first_chunk};
    for (Chunk chunk; walk.next(chunk);) add(chunk);
    close_run();
    sound_ = sound_ && walk.sound();
  }

  void add(const Chunk& chunk) {
    switch (chunk.kind) {
      case Chunk::Kind::kFree:
        linear_free_bytes_ += chunk.range.size();
        return add_free(chunk.range);
      case Chunk::Kind::kTop:
        return add_top(chunk.range);
      case Chunk::Kind::kInUse:
        if (fast_set_.contains(chunk.range.begin)) {
          linear_fast_bytes_ += chunk.range.size();
          return add_free(chunk.range);
        }
        close_run();
        return add_in_use(chunk.range);
      case Chunk::Kind::kForeign:
        analysis_.report.foreign_bytes += chunk.range.size();
        [[fallthrough]];
      case Chunk::Kind::kFencepost:
        close_run();
        run_ = {chunk.range.end, chunk.range.end};
    }
  }

  void add_free(Range chunk) {
    obtained().free_bytes += chunk.size();
    ++analysis_.report.free_chunk_count;
    if (run_.size() == 0) run_.begin = chunk.begin;
    run_.end = chunk.end;
  }

  void add_in_use(Range chunk) {
    const Address user = chunk.begin + kForwardOffset;
    const Bytes usable = chunk.size() - kHeaderBytes;
    run_ = {chunk.end, chunk.end};
    if (tcache_set_.contains(user)) return;  // metadata: neither live nor cached
    const Bytes resident_bytes = capture_.image.resident_bytes({user, user + usable});
    const bool cached = is_cached(user);
    pinning_.add_block({chunk, cached});
    if (cached) {
      obtained().cached_bytes += usable;
      resident().cached_bytes += resident_bytes;
      ++analysis_.report.cached_block_count;
    } else {
      obtained().live_bytes += usable;
      resident().live_bytes += resident_bytes;
      ++analysis_.report.live_block_count;
      analysis_.live.add(chunk.size(), usable);
    }
  }

  bool is_cached(Address user) {
    if (cached_set_.contains(user)) return true;
    return !cached_.complete && cached_.key && capture_.image.word(user + 8) == *cached_.key;
  }

  /// A free run as malloc_consolidate leaves it, which is what malloc_trim meets.
  void close_run() {
    if (run_.size() == 0) return;
    const Bytes resident_bytes = capture_.image.resident_bytes(owned_bytes(run_));
    const Bytes trimmed = lowers_rss_ ? capture_.image.resident_bytes(trimmed_by_madvise(run_)) : 0;
    resident().trimmable_bytes += trimmed;
    resident().pinned_bytes += resident_bytes - trimmed;
    pinning_.add_free_run(run_, resident_bytes);
    run_ = {run_.end, run_.end};
  }

  /// The top, grown downwards by a run of fastbin chunks before it, as malloc_consolidate would.
  void add_top(Range top) {
    obtained().free_bytes += top.size();
    if (run_.size() != 0) top.begin = run_.begin;
    run_ = {top.end, top.end};
    const Bytes resident_bytes = capture_.image.resident_bytes({top.begin + kSizeOffset, top.end});
    if (capture_.is_main && capture_.top_at_break) {
      const Bytes trimmed = capture_.image.resident_bytes(trimmed_off_top(top, capture_.top_unit));
      resident().trimmable_bytes += trimmed;
      resident().pinned_bytes += resident_bytes - trimmed;
    } else {
      resident().top_bytes += resident_bytes;
    }
    pinning_.add_top(resident_bytes);
  }

  void finish() {
    auto& report = analysis_.report;
    const auto& parts = report.resident;
    const Bytes named = parts.live_bytes + parts.cached_bytes + parts.trimmable_bytes +
                        parts.pinned_bytes + parts.top_bytes;
    report.resident.metadata_bytes = report.rss_bytes - named;
    const Bytes used =
        report.obtained.live_bytes + report.obtained.cached_bytes + report.obtained.free_bytes;
    report.walked_bytes = walked_bytes_;
    report.obtained.metadata_bytes = report.system_bytes > used ? report.system_bytes - used : 0;
    report.pinning = pinning_.take();
    report.consistent = capture_.complete && sound_ && used <= report.system_bytes && lists_agree();
  }

  [[nodiscard]] bool lists_agree() const {
    if (!trust_lists_) return true;
    const auto bins = walk_bins(capture_);
    return bins.sound && fast_.sound && bins.bytes == linear_free_bytes_ &&
           fast_.bytes == linear_fast_bytes_;
  }

  const ArenaCapture& capture_;
  bool trust_lists_;
  FastChunks fast_;
  CachedBlocks cached_;
  AscendingSet fast_set_{{}};
  AscendingSet cached_set_{{}};
  AscendingSet tcache_set_{{}};
  ArenaAnalysis analysis_;
  PinningSearch pinning_;
  Range run_;
  bool lowers_rss_ = true;  ///< what malloc_trim gives back of the segment being walked leaves the RSS
  Bytes walked_bytes_ = 0;
  Bytes linear_free_bytes_ = 0;
  Bytes linear_fast_bytes_ = 0;
  bool sound_ = true;
};

}  // namespace

void ClassTotals::add(Bytes chunk, Bytes usable) {
  auto& total = chunk < kFirstLarge ? small_[chunk / kChunkAlign]
                                    : large_[static_cast<std::size_t>(std::bit_width(chunk - 1)) % 64];
  ++total.block_count;
  total.usable_bytes += usable;
}

void ClassTotals::add_all(const ClassTotals& other) {
  const auto add_to = [](auto& to, const auto& from) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i].block_count += from[i].block_count;
      to[i].usable_bytes += from[i].usable_bytes;
    }
  };
  add_to(small_, other.small_);
  add_to(large_, other.large_);
}

std::map<Bytes, HeapReport::ClassTotal> ClassTotals::by_class() const {
  std::map<Bytes, HeapReport::ClassTotal> classes;
  for (std::size_t i = 0; i < small_.size(); ++i)
    if (small_[i].block_count != 0) classes.emplace(i * kChunkAlign, small_[i]);
  for (std::size_t i = 0; i < large_.size(); ++i)
    if (large_[i].block_count != 0) classes.emplace(Bytes{1} << i, large_[i]);
  return classes;
}

ArenaAnalysis analyse_arena(const ArenaCapture& capture, const WordReader& foreign_word,
                            bool trust_lists) {
  return Analyser(capture, foreign_word, trust_lists).run();
}

std::vector<TcacheStruct> find_tcaches(const ArenaCapture& capture) {
  const WordReader word = [&](Address at) { return capture.image.word(at); };
  std::vector<TcacheStruct> found;
  for (const auto& segment : capture.segments) {
    ChunkWalk walk(capture.image, segment, capture.top());
    for (Chunk chunk; walk.next(chunk);) {
      if (chunk.kind != Chunk::Kind::kInUse || tcache_layout(chunk.range.size()) == nullptr) continue;
      auto tcache = read_tcache(word, chunk.range.begin + kForwardOffset, capture.tcache_count);
      if (tcache && !tcache->heads.empty()) found.push_back(std::move(*tcache));
    }
  }
  return found;
}

}  // namespace offheap
