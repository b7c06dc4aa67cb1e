// SPDX-License-Identifier: Apache-2.0
//
// Chunks end to end with random uses, then the lists that malloc would keep of them.
#include "glibc_image.h"

#include <algorithm>
#include <array>

#include "glibc_heap/malloc_layout.h"

namespace offheap {
namespace {

using State = GlibcGeneration::State;
using Par = GlibcGeneration::Par;
using Tcache = GlibcGeneration::Tcache;
using Key = GlibcGeneration::Key;

struct StateFirst {  // 2.17-2.22
  std::int32_t mutex, flags;
  Address fastbins[10], top, last_remainder, bins[254];
  std::uint32_t binmap[4];
  Address next, next_free;
  Bytes system_mem, max_system_mem;
};
struct StateAttached {  // 2.23-2.26
  std::int32_t mutex, flags;
  Address fastbins[10], top, last_remainder, bins[254];
  std::uint32_t binmap[4];
  Address next, next_free;
  std::uint64_t attached_threads;
  Bytes system_mem, max_system_mem;
};
struct StateFastChunksFlag {  // 2.27-2.42
  std::int32_t mutex, flags, have_fastchunks;
  Address fastbins[10], top, last_remainder, bins[254];
  std::uint32_t binmap[4];
  Address next, next_free;
  std::uint64_t attached_threads;
  Bytes system_mem, max_system_mem;
};
struct StateWithoutFastbins {  // 2.43
  std::int32_t mutex, flags;
  Address top, last_remainder, bins[254];
  std::uint32_t binmap[4];
  Address next, next_free;
  std::uint64_t attached_threads;
  Bytes system_mem, max_system_mem;
};

struct ParMaxTotal {  // 2.17 on
  Bytes trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
  std::int32_t n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
  Bytes mmapped_mem, max_mmapped_mem, max_total_mem;
  Address sbrk_base;
};
struct ParWithoutTcache {  // up to 2.25
  Bytes trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
  std::int32_t n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
  Bytes mmapped_mem, max_mmapped_mem;
  Address sbrk_base;
};
struct ParTcache {  // 2.26-2.34
  Bytes trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
  std::int32_t n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
  Bytes mmapped_mem, max_mmapped_mem;
  Address sbrk_base;
  Bytes tcache_bins, tcache_max_bytes, tcache_count, tcache_unsorted_limit;
};
struct ParHugePages {  // 2.35 on
  Bytes trim_threshold, top_pad, mmap_threshold, arena_test, arena_max, thp_pagesize, hp_pagesize;
  std::int32_t hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
  Bytes mmapped_mem, max_mmapped_mem;
  Address sbrk_base;
  Bytes tcache_bins, tcache_max_bytes, tcache_count, tcache_unsorted_limit;
};

constexpr Address kLibcData = 0x7f5500200000;
constexpr Bytes kLibcDataBytes = 0x6000;
constexpr Address kMainArena = kLibcData + 0x1760;
constexpr Address kMalloc = kLibcData + 0x1120;  // mp_
constexpr Address kHeap = 0x55d500400000;
constexpr Bytes kHeapBytes = 0x80000;
constexpr Address kStacks = 0x7f5500800000;
constexpr Address kMmapped = 0x7f5500400000;
constexpr Address kHeaps = 0x7f4400000000;
constexpr std::uint64_t kTcacheKey = 0x9e3779b97f4a7c15;
constexpr std::uint64_t kMainFlag = 0, kOtherFlag = 4;  // NON_MAIN_ARENA

/// One arena while it is laid out.
struct Arena {
  Address state = 0;
  Address next = 0;
  Address tcache = 0;
  Address top = 0;
  std::uint64_t flag = kMainFlag;
  std::array<std::vector<Address>, 127> bins;  // bin i + 1
  std::array<std::vector<Address>, 10> fast;
  std::array<std::vector<Address>, 76> cached;  // user addresses
  ArenaTruth truth;
};

class Builder {
 public:
  Builder(const GlibcGeneration& generation, std::uint64_t seed, Bytes heap_max_bytes)
      : generation_(generation), heap_max_(heap_max_bytes), random_(seed) {}

  GlibcProcess build() {
    map(kLibcData, kLibcDataBytes, "/lib/x86_64-linux-gnu/libc-2.17.so");
    map(kHeap, kHeapBytes, "[heap]");
    map(kHeaps, 0x60000, "");
    map(kHeaps + heap_max_, 0x40000, "");
    map(kHeaps + 2 * heap_max_, 0x50000, "");
    map(kStacks, 0x30000, "");
    add_mmapped();
    std::array<Arena, 3> arenas;
    arenas[0].state = kMainArena;
    arenas[1].state = kHeaps + generation_.heap_info_bytes;
    arenas[2].state = kHeaps + heap_max_ + generation_.heap_info_bytes;
    for (std::size_t i = 0; i < arenas.size(); ++i) arenas[i].next = arenas[(i + 1) % 3].state;
    build_main(arenas[0]);
    build_single(arenas[1]);
    build_double(arenas[2]);
    for (std::size_t i = 0; i < arenas.size(); ++i) finish(arenas[i], i);
    put_malloc_par();
    std::sort(process_.mappings.begin(), process_.mappings.end(),
              [](const auto& a, const auto& b) { return a.range.begin < b.range.begin; });
    return std::move(process_);
  }

 private:
  void map(Address begin, Bytes bytes, const char* path) {
    Mapping mapping;
    mapping.range = {begin, begin + bytes};
    mapping.readable = mapping.writable = true;
    mapping.path = path;
    mapping.inode = path[0] == '/' ? 77 : 0;
    mapping.rss_bytes = bytes;
    process_.image.add(mapping.range);
    process_.mappings.push_back(mapping);
  }

  Bytes between(Bytes low, Bytes high) { return (low + random_() % (high - low + 1)) / 16 * 16; }
  void put(Address at, std::uint64_t value) { process_.image.put(at, value); }

  void put_heap_info(Address heap, Address arena, Address previous, Bytes bytes) {
    put(heap, arena);
    put(heap + 8, previous);
    put(heap + 16, bytes);
    put(heap + 24, bytes);  // mprotect_size
    if (generation_.heap_info_bytes == 48) put(heap + 32, 4096);
  }

  [[nodiscard]] Bytes state_bytes() const {
    switch (generation_.state) {
      case State::kFirst:
        return sizeof(StateFirst);
      case State::kAttached:
        return sizeof(StateAttached);
      case State::kFastChunksFlag:
        return sizeof(StateFastChunksFlag);
      default:
        return sizeof(StateWithoutFastbins);
    }
  }

  void build_main(Arena& arena) {
    arena.truth.system_bytes = kHeapBytes;
    add_tcache(arena, kHeap);
    lay_out(arena, after_tcache(kHeap), kHeap + kHeapBytes, true);
  }

  void build_single(Arena& arena) {
    arena.flag = kOtherFlag;
    arena.truth.system_bytes = 0x60000;
    put_heap_info(kHeaps, arena.state, 0, 0x60000);
    const Address first = align_up(arena.state + state_bytes(), 16);
    add_tcache(arena, first);
    lay_out(arena, after_tcache(first), kHeaps + 0x60000, true);
  }

  void build_double(Arena& arena) {
    const Address one = kHeaps + heap_max_;
    const Address two = one + heap_max_;
    arena.flag = kOtherFlag;
    arena.truth.system_bytes = 0x40000 + 0x50000;
    put_heap_info(one, arena.state, 0, 0x40000);
    put_heap_info(two, arena.state, one, 0x50000);
    const Address first = align_up(arena.state + state_bytes(), 16);
    add_tcache(arena, first);
    lay_out(arena, after_tcache(first), one + 0x40000, false);
    lay_out(arena, two + generation_.heap_info_bytes, two + 0x50000, true);
  }

  void add_tcache(Arena& arena, Address chunk) {
    if (generation_.tcache == Tcache::kNone) return;
    put(chunk + 8, generation_.tcache_chunk_bytes | 1 | arena.flag);
    arena.tcache = chunk + 16;
  }
  [[nodiscard]] Address after_tcache(Address first) const {
    return generation_.tcache == Tcache::kNone ? first : first + generation_.tcache_chunk_bytes;
  }

  enum class Use { kLive, kFree, kFast, kCached };

  Use pick(bool after_free) {
    const auto dice = random_() % 100;
    if (dice < 25 && !after_free) return Use::kFree;
    if (dice < 40 && generation_.state != State::kWithoutFastbins) return Use::kFast;
    if (dice < 60 && generation_.tcache != Tcache::kNone) return Use::kCached;
    return Use::kLive;
  }

  Bytes pick_bytes(Use use) {
    switch (use) {
      case Use::kFast:
        return between(32, 128);
      case Use::kCached:
        return between(32, 1040);
      case Use::kFree:
        return between(144, 9000);
      default:
        return random_() % 20 == 0 ? between(4096, 12000) : between(32, 1500);
    }
  }

  /// Chunks from `at` to `end`: then the top, or the fenceposts of a heap that was left for another.
  void lay_out(Arena& arena, Address at, Address end, bool with_top) {
    bool after_free = false;
    while (at + 16384 < end) {
      const Use use = pick(after_free);
      const Bytes bytes = pick_bytes(use);
      put(at + 8, bytes | arena.flag | (after_free ? 0 : 1));
      fill(at + 16, bytes - 16);
      after_free = use == Use::kFree;
      enlist(arena, at, bytes, use);
      at += bytes;
    }
    if (after_free) {  // neither a top nor a free rest stands behind a free chunk
      put(at + 8, 64 | arena.flag);
      count_live(arena, 64);
      at += 64;
    }
    if (with_top) {
      arena.top = at;
      put(at + 8, (end - at) | 1 | arena.flag);
      arena.truth.free_bytes += end - at;
    } else {
      put(at + 8, (end - 32 - at) | 1 | arena.flag);
      enlist(arena, at, end - 32 - at, Use::kFree);
      put(end - 32 + 8, 16);
      put(end - 16 + 8, 1);
    }
  }

  /// A program's bytes: words that are no pointers, small numbers among them.
  void fill(Address at, Bytes bytes) {
    for (Bytes i = 0; i < bytes; i += 8) put(at + i, random_() % 4 == 0 ? random_() % 200 : random_());
  }

  void count_live(Arena& arena, Bytes bytes) {
    arena.truth.live_bytes += bytes - 8;
    ++arena.truth.live_count;
  }

  void enlist(Arena& arena, Address chunk, Bytes bytes, Use use) {
    if (use == Use::kFree) {
      put(chunk + bytes, bytes);  // prev_size of what follows
      const bool unsorted = random_() % 3 == 0;
      const std::size_t bin = unsorted ? 1 : bytes < 1024 ? bytes / 16 : 64 + bytes / 1024;
      arena.bins[bin - 1].push_back(chunk);
      arena.truth.free_bytes += bytes;
    } else if (use == Use::kFast) {
      arena.fast[bytes / 16 - 2].push_back(chunk);
      arena.truth.free_bytes += bytes;
    } else if (use == Use::kCached &&
               arena.cached[(bytes - 32) / 16].size() < generation_.tcache_most_blocks) {
      arena.cached[(bytes - 32) / 16].push_back(chunk + 16);
      arena.truth.cached_bytes += bytes - 8;
      ++arena.truth.cached_count;
    } else {
      count_live(arena, bytes);
    }
  }

  [[nodiscard]] Address link(Address at, Address next) const {
    return generation_.safe_linking ? next ^ at >> 12 : next;
  }

  template <typename StateType>
  void put_state(const Arena& arena) {
    StateType state{};
    const Address bins = arena.state + offsetof(StateType, bins);
    for (std::size_t i = 0; i < 127; ++i) {
      Address previous = bins + i * 16 - 16;
      const Address head = previous;
      for (const auto chunk : arena.bins[i]) {
        put(chunk + 24, previous);
        if (previous == head)
          state.bins[2 * i] = chunk;
        else
          put(previous + 16, chunk);
        previous = chunk;
      }
      if (previous == head)
        state.bins[2 * i] = head;
      else
        put(previous + 16, head);
      state.bins[2 * i + 1] = previous;
    }
    if constexpr (requires { state.fastbins; }) {
      for (std::size_t i = 0; i < 10; ++i)
        for (const auto chunk : arena.fast[i]) {
          put(chunk + 16, link(chunk + 16, state.fastbins[i]));
          state.fastbins[i] = chunk;
        }
    }
    if constexpr (requires { state.attached_threads; }) state.attached_threads = 1;
    state.top = arena.top;
    state.next = arena.next;
    state.system_mem = state.max_system_mem = arena.truth.system_bytes;
    process_.image.put(arena.state, &state, sizeof state);
  }

  void put_tcache(const Arena& arena) {
    const bool shorts = generation_.tcache != Tcache::kByteCounts;
    const bool inverse = generation_.tcache == Tcache::kFreeSlots;
    const std::size_t bins = inverse ? 76 : 64;
    std::vector<std::uint16_t> shorts_of(bins);
    std::vector<std::uint8_t> bytes_of(bins);
    for (std::size_t i = 0; i < bins; ++i) {
      Address head = 0;
      for (const auto block : arena.cached[i]) {
        put(block, link(block, head));
        if (generation_.key != Key::kNone)
          put(block + 8, generation_.key == Key::kTcache ? arena.tcache : kTcacheKey);
        head = block;
      }
      const auto count = arena.cached[i].size();
      shorts_of[i] =
          static_cast<std::uint16_t>(inverse ? generation_.tcache_most_blocks - count : count);
      bytes_of[i] = static_cast<std::uint8_t>(count);
      put(arena.tcache + bins * (shorts ? 2 : 1) + i * 8, head);
    }
    if (shorts)
      process_.image.put(arena.tcache, shorts_of.data(), bins * 2);
    else
      process_.image.put(arena.tcache, bytes_of.data(), bins);
  }

  void finish(const Arena& arena, std::size_t index) {
    switch (generation_.state) {
      case State::kFirst:
        put_state<StateFirst>(arena);
        break;
      case State::kAttached:
        put_state<StateAttached>(arena);
        break;
      case State::kFastChunksFlag:
        put_state<StateFastChunksFlag>(arena);
        break;
      default:
        put_state<StateWithoutFastbins>(arena);
    }
    if (arena.tcache != 0) put_tcache(arena);
    const Address stack = kStacks + index * 0x10000;
    const Address pointer = stack + 0xf000;
    put(pointer - 0x48, arena.state);
    put(pointer - 0x40, arena.tcache);
    process_.threads.push_back(
        {static_cast<std::uint32_t>(100 + index), {stack, stack + 0x10000}, pointer, 0x10000});
    process_.arenas.push_back(arena.truth);
  }

  /// Neighbours: two plain blocks and an aligned one that realloc grew by four pages.
  void add_mmapped() {
    constexpr Bytes kPlain = 0x21000, kAligned = 0x30000;
    process_.mmapped_bytes = 2 * kPlain + kAligned;
    map(kMmapped, process_.mmapped_bytes, "");
    put(kMmapped + 8, kPlain | 2);
    put(kMmapped + kPlain + 8, kPlain | 2);
    const Address aligned = kMmapped + 2 * kPlain;
    constexpr Bytes kFront = 0x1ff0;
    put(aligned + 8, (kAligned - 0x4000) | 2);
    put(aligned + kFront, kFront);
    put(aligned + kFront + 8, (kAligned - kFront) | 2);
  }

  template <typename ParType>
  void put_par() {
    ParType par{};
    par.mmap_threshold = par.trim_threshold = 128 * 1024;
    par.top_pad = 128 * 1024;
    par.arena_test = 8;
    par.n_mmaps = par.max_n_mmaps = 3;
    par.n_mmaps_max = 65536;
    par.mmapped_mem = process_.mmapped_bytes;
    par.max_mmapped_mem = process_.mmapped_bytes + 0x5000;
    par.sbrk_base = kHeap;
    if constexpr (requires { par.tcache_bins; }) {
      par.tcache_bins = 64;
      par.tcache_max_bytes = 1032;
      par.tcache_count = generation_.tcache_most_blocks;
    }
    process_.image.put(kMalloc, &par, sizeof par);
  }

  void put_malloc_par() {
    switch (generation_.par) {
      case Par::kMaxTotal:
        return put_par<ParMaxTotal>();
      case Par::kWithoutTcache:
        return put_par<ParWithoutTcache>();
      case Par::kTcache:
        return put_par<ParTcache>();
      default:
        return put_par<ParHugePages>();
    }
  }

  const GlibcGeneration& generation_;
  Bytes heap_max_;
  std::mt19937_64 random_;
  GlibcProcess process_;
};

}  // namespace

std::size_t GlibcImage::read(Address address, std::span<std::byte> out) const {
  const auto after = pieces_.upper_bound(address);
  if (after == pieces_.begin()) return 0;
  const auto& [begin, bytes] = *std::prev(after);
  if (address - begin >= bytes.size()) return 0;
  const auto count = std::min<std::size_t>(out.size(), bytes.size() - (address - begin));
  std::memcpy(out.data(), bytes.data() + (address - begin), count);
  return count;
}

std::vector<bool> GlibcImage::resident_pages(Range range) const {
  std::vector<bool> pages;
  for (Address at = align_down(range.begin, kPageBytes); at < range.end; at += kPageBytes) {
    std::byte byte;
    pages.push_back(read(at, {&byte, 1}) == 1);
  }
  return pages;
}

GlibcProcess build_process(const GlibcGeneration& generation, std::uint64_t seed,
                           Bytes heap_max_bytes) {
  return Builder(generation, seed, heap_max_bytes).build();
}

}  // namespace offheap
