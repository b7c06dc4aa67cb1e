// SPDX-License-Identifier: Apache-2.0
//
// Recognising tcaches and following their chains, both over words that may be anything.
#include "glibc_heap/tcache.h"

#include <algorithm>
#include <map>

namespace offheap {
namespace {

constexpr std::size_t kMostChainBlocks = 70'000;  // a count is 16 bits wide

std::uint64_t count_at(const WordReader& word, Address address, const TcacheLayout& layout,
                       std::uint32_t bin) {
  const Address at = address + Bytes{bin} * layout.count_bytes;
  const auto shift = at % 8 * 8;
  const std::uint64_t mask = layout.count_bytes == 1 ? 0xff : 0xffff;
  return word(at / 8 * 8) >> shift & mask;
}

/// Whether a bin's count and chain head say the same.
bool agrees(const TcacheLayout& layout, std::uint64_t count, Address head, Bytes most_blocks) {
  if (most_blocks != 0 && count > most_blocks) return false;
  if (!layout.counts_free_slots) return (count == 0) == (head == 0);
  // An empty chain has all its slots left; one that is disabled has none.
  return most_blocks == 0 || (head == 0 ? count == most_blocks || count == 0 : count < most_blocks);
}

/// A chain's blocks, or nothing when it does not end in null within bounds.
std::optional<std::vector<Address>> follow_chain(Address head, const WordReader& word,
                                                 Linking linking) {
  std::vector<Address> blocks;
  while (head != 0) {
    if (head % kChunkAlign != 0 || blocks.size() >= kMostChainBlocks) return std::nullopt;
    blocks.push_back(head);
    head = revealed(word(head), head, linking);
  }
  return blocks;
}

std::optional<std::uint64_t> common_key(std::span<const Address> blocks, const WordReader& word) {
  constexpr std::size_t kFewestVotes = 8;
  constexpr std::size_t kMostVotes = 1024;
  std::map<std::uint64_t, std::size_t> votes;
  const auto voters = std::min(blocks.size(), kMostVotes);
  for (const auto block : blocks.first(voters)) ++votes[word(block + 8)];
  for (const auto& [key, count] : votes)
    if (key != 0 && count >= kFewestVotes && count * 10 >= voters * 9) return key;
  return std::nullopt;
}

}  // namespace

const TcacheLayout* tcache_layout(Bytes chunk_bytes) {
  // Where a free chunk was 16 bytes larger, the rest was too small to split off.
  for (const auto& layout : kTcacheLayouts)
    if (chunk_bytes == layout.chunk_bytes || chunk_bytes == layout.chunk_bytes + kChunkAlign)
      return &layout;
  return nullptr;
}

std::optional<TcacheStruct> read_tcache(const WordReader& word, Address address, Bytes most_blocks) {
  if (address % kChunkAlign != 0) return std::nullopt;
  const Bytes bytes = chunk_bytes(word(address - kSizeOffset));
  const auto* layout = tcache_layout(bytes);
  if (layout == nullptr) return std::nullopt;
  TcacheStruct tcache{address, bytes, {}};
  for (std::uint32_t bin = 0; bin < layout->bin_count; ++bin) {
    const auto count = count_at(word, address, *layout, bin);
    const Address head = word(address + layout->entries + bin * sizeof(Address));
    if (head % kChunkAlign != 0) return std::nullopt;
    if (!agrees(*layout, count, head, most_blocks)) return std::nullopt;
    if (head != 0) tcache.heads.push_back(head);
  }
  return tcache;
}

std::optional<TcacheStruct> read_tcache(const MemoryReader& memory, Address address,
                                        Bytes most_blocks) {
  if (address % kChunkAlign != 0) return std::nullopt;
  // One copy from the chunk's size word on, as the largest generation needs it.
  std::array<std::uint64_t, 0x310 / 8> words{};
  const Address begin = address - kSizeOffset;
  if (memory.read(begin, std::as_writable_bytes(std::span(words))) < 0x250) return std::nullopt;
  return read_tcache(
      [&](Address at) {
        const auto index = (at - begin) / 8;
        return index < words.size() ? words[index] : 0;
      },
      address, most_blocks);
}

Linking detect_linking(std::span<const Address> heads, const WordReader& word) {
  constexpr std::size_t kVoters = 64;
  std::size_t plain = 0;
  std::size_t safe = 0;
  for (const auto head : heads.first(std::min(heads.size(), kVoters))) {
    if (follow_chain(head, word, Linking::kPlain)) ++plain;
    if (follow_chain(head, word, Linking::kSafe)) ++safe;
  }
  return plain > safe ? Linking::kPlain : Linking::kSafe;
}

CachedBlocks follow_chains(std::span<const TcacheStruct> tcaches, const WordReader& word) {
  std::vector<Address> heads;
  for (const auto& tcache : tcaches)
    heads.insert(heads.end(), tcache.heads.begin(), tcache.heads.end());
  const auto linking = detect_linking(heads, word);
  CachedBlocks cached;
  for (const auto head : heads) {
    const auto chain = follow_chain(head, word, linking);
    if (chain)
      cached.blocks.insert(cached.blocks.end(), chain->begin(), chain->end());
    else
      cached.complete = false;
  }
  cached.key = common_key(cached.blocks, word);
  std::sort(cached.blocks.begin(), cached.blocks.end());
  const auto end = std::unique(cached.blocks.begin(), cached.blocks.end());
  cached.complete = cached.complete && end == cached.blocks.end();
  cached.blocks.erase(end, cached.blocks.end());
  return cached;
}

}  // namespace offheap
