// SPDX-License-Identifier: Apache-2.0
//
// Thread caches: blocks that the program has freed and that malloc still counts as in use. Each
// thread's tcache_perthread_struct is itself a block in an arena; its chains may lead into any arena.
// Source: glibc 2.26-2.43 malloc/malloc.c (tcache_perthread_struct, tcache_put, PROTECT_PTR).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "glibc_heap/malloc_layout.h"
#include "procfs/memory_reader.h"

namespace offheap {

/// The generations of tcache_perthread_struct, told apart by the size of the chunk that holds it.
struct TcacheLayout {
  Bytes chunk_bytes = 0;
  std::uint32_t bin_count = 0;
  std::uint32_t count_bytes = 0;   ///< width of a count: 1 or 2
  Bytes entries = 0;               ///< offset of the chain heads
  bool counts_free_slots = false;  ///< the count says how many blocks still fit
};

inline constexpr std::array<TcacheLayout, 4> kTcacheLayouts{{
    {0x250, 64, 1, 64, false},   // 2.26-2.29
    {0x290, 64, 2, 128, false},  // 2.30-2.41
    {0x300, 76, 2, 152, true},   // 2.42
    {0x310, 76, 2, 152, true},   // 2.43-, which pads the request twice
}};

const TcacheLayout* tcache_layout(Bytes chunk_bytes);

struct TcacheStruct {
  Address address = 0;  ///< user address of the block
  Bytes chunk_bytes = 0;
  std::vector<Address> heads;  ///< of the chains, those that are not empty
};

/// How a chain's link is stored: as it is, or XORed with its own address >> 12 (2.32 and later).
enum class Linking { kPlain, kSafe };

constexpr Address revealed(Address link, Address where, Linking linking) {
  return linking == Linking::kSafe ? link ^ where >> 12 : link;
}

using WordReader = std::function<std::uint64_t(Address)>;

/// The tcache at user address `address`, if what is there can be one: every chain that has a block is
/// named and every other is null. An untouched one, all zero, is accepted too: the caller knows whether
/// a thread points to it.
/// `most_blocks` is what a chain may hold (mp_.tcache_count), 0 when that is not known.
std::optional<TcacheStruct> read_tcache(const MemoryReader& memory, Address address, Bytes most_blocks);
std::optional<TcacheStruct> read_tcache(const WordReader& word, Address address, Bytes most_blocks);

/// The blocks that the tcaches hold, by user address, ascending, each once.
struct CachedBlocks {
  std::vector<Address> blocks;
  bool complete = true;  ///< every chain ended; false: some was cut off or ran in a circle
  /// The random word that malloc leaves in every cached block (tcache_key, 2.34 and later), when nearly
  /// all blocks agree on one. Stands in for chains that broke.
  std::optional<std::uint64_t> key;
};
CachedBlocks follow_chains(std::span<const TcacheStruct> tcaches, const WordReader& word);

/// How the links of these chains are stored, judged by which reading makes more of them end.
Linking detect_linking(std::span<const Address> heads, const WordReader& word);

}  // namespace offheap
