// SPDX-License-Identifier: Apache-2.0
//
// Source: glibc 2.17-2.43 malloc/malloc.c (bin_at, unlink_chunk, fastbin_index, PROTECT_PTR).
#include "glibc_heap/free_lists.h"

#include <algorithm>

namespace offheap {
namespace {

/// No list can be longer than the arena has room for chunks.
std::uint64_t most_chunks(const ArenaCapture& capture) {
  return capture.image.total_bytes() / kMinChunkBytes + 1;
}

void walk_bin(const ArenaCapture& capture, std::size_t bin, std::uint64_t limit, BinTotals& totals) {
  const Bytes links = capture.layout.bins + bin * 2 * sizeof(Address);
  const Address head = capture.address + links - kForwardOffset;  // bin_at()
  Address previous = head;
  Address chunk = capture.state_word(links);
  while (chunk != head) {
    const Bytes bytes = chunk_bytes(capture.image.word(chunk + kSizeOffset));
    const bool sound =
        capture.image.contains(chunk) && chunk % kChunkAlign == 0 && bytes >= kMinChunkBytes &&
        capture.image.word(chunk + kBackwardOffset) == previous && totals.chunk_count < limit;
    if (!sound) {
      totals.sound = false;
      return;
    }
    totals.bytes += bytes;
    ++totals.chunk_count;
    previous = chunk;
    chunk = capture.image.word(chunk + kForwardOffset);
  }
  totals.sound = totals.sound && capture.state_word(links + sizeof(Address)) == previous;
}

/// Follows one fastbin; false when it breaks. Links name chunks, not user addresses.
bool walk_fastbin(const ArenaCapture& capture, Address chunk, Linking linking, std::uint64_t limit,
                  std::vector<Address>& out) {
  const std::size_t first = out.size();
  Bytes bytes = 0;
  while (chunk != 0) {
    const Bytes size = chunk_bytes(capture.image.word(chunk + kSizeOffset));
    if (bytes == 0) bytes = size;
    const bool sound = capture.image.contains(chunk) && chunk % kChunkAlign == 0 && size == bytes &&
                       size >= kMinChunkBytes && out.size() < limit;
    if (!sound) {
      out.resize(first);
      return false;
    }
    out.push_back(chunk);
    const Address link = chunk + kForwardOffset;
    chunk = revealed(capture.image.word(link), link, linking);
  }
  return true;
}

}  // namespace

BinTotals walk_bins(const ArenaCapture& capture) {
  BinTotals totals;
  const auto limit = most_chunks(capture);
  for (std::size_t bin = 0; bin < kBinCount; ++bin) walk_bin(capture, bin, limit, totals);
  return totals;
}

FastChunks walk_fastbins(const ArenaCapture& capture) {
  FastChunks fast;
  if (capture.layout.fastbins == 0) return fast;
  const auto limit = most_chunks(capture);
  for (std::size_t bin = 0; bin < kFastbinCount; ++bin) {
    const Address head = capture.state_word(capture.layout.fastbins + bin * sizeof(Address));
    // The generation's linking is whichever reading makes the list end.
    const bool sound = walk_fastbin(capture, head, Linking::kSafe, limit, fast.chunks) ||
                       walk_fastbin(capture, head, Linking::kPlain, limit, fast.chunks);
    fast.sound = fast.sound && sound;
  }
  std::sort(fast.chunks.begin(), fast.chunks.end());
  const auto end = std::unique(fast.chunks.begin(), fast.chunks.end());
  fast.sound = fast.sound && end == fast.chunks.end();
  fast.chunks.erase(end, fast.chunks.end());
  for (const auto chunk : fast.chunks)
    fast.bytes += chunk_bytes(capture.image.word(chunk + kSizeOffset));
  return fast;
}

}  // namespace offheap
