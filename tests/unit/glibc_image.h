// SPDX-License-Identifier: Apache-2.0
//
// Builds the memory of a process whose heap is a given generation of glibc's, for generations that no
// system at hand has. The structures are spelled out as glibc's sources do, so that the compiler and
// not the reader's own table says where a field is; what was put in is remembered as the truth. Source:
// glibc 2.17-2.43 malloc/malloc.c, malloc/arena.c.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "glibc_heap/glibc_heap.h"

namespace offheap {

/// What differs between generations.
struct GlibcGeneration {
  const char* versions;
  enum class State { kFirst, kAttached, kFastChunksFlag, kWithoutFastbins } state;
  enum class Par { kMaxTotal, kWithoutTcache, kTcache, kHugePages } par;
  Bytes heap_info_bytes;
  enum class Tcache { kNone, kByteCounts, kShortCounts, kFreeSlots } tcache;
  Bytes tcache_chunk_bytes;
  std::size_t tcache_most_blocks;
  bool safe_linking;
  enum class Key { kNone, kTcache, kRandom } key;
};

/// Sparse memory made of zero-filled pieces.
class GlibcImage : public MemoryReader {
 public:
  void add(Range range) { pieces_.emplace(range.begin, std::vector<std::byte>(range.size())); }
  void put(Address address, std::uint64_t value) { put(address, &value, sizeof value); }
  void put(Address address, const void* data, std::size_t bytes) {
    auto piece = std::prev(pieces_.upper_bound(address));
    std::memcpy(piece->second.data() + (address - piece->first), data, bytes);
  }
  [[nodiscard]] std::uint64_t get(Address address) const {
    return read_value<std::uint64_t>(address).value_or(0);
  }
  std::size_t read(Address address, std::span<std::byte> out) const override;
  std::vector<bool> resident_pages(Range range) const override;

 private:
  std::map<Address, std::vector<std::byte>> pieces_;
};

/// What was put into one arena.
struct ArenaTruth {
  Bytes system_bytes = 0, live_bytes = 0, cached_bytes = 0, free_bytes = 0;
  std::uint64_t live_count = 0, cached_count = 0;
};

struct GlibcProcess {
  GlibcImage image;
  std::vector<Mapping> mappings;
  std::vector<ThreadStack> threads;
  std::vector<ArenaTruth> arenas;  ///< main first, then ring order
  Bytes mmapped_bytes = 0;
};

/// A process with a main arena, a secondary arena of one heap and one of two, blocks with mappings of
/// their own, and a thread with a tcache for each arena. `heap_max_bytes` is HEAP_MAX_SIZE.
GlibcProcess build_process(const GlibcGeneration& generation, std::uint64_t seed,
                           Bytes heap_max_bytes = Bytes{64} << 20);

}  // namespace offheap
