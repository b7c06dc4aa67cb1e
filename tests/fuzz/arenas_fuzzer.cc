// SPDX-License-Identifier: Apache-2.0
//
// The heap of a process of one of three generations of glibc, with words of it changed: malloc's own
// structures, heap headers, chunks, tcaches. Whatever the words say, each arena's parts sum to what of
// it is resident.
//
//   input = generation (1 byte), then patches of 16 bytes: mapping, kind, element (2), offset (4),
//   value (8)
#include <algorithm>
#include <array>

#include "fuzz.h"
#include "glibc_image.h"
#include "patched_memory.h"

namespace {

using offheap::Address;
using offheap::Bytes;
using G = offheap::GlibcGeneration;

const std::array<G, 3> kGenerations = {{
    {"2.17-2.22", G::State::kFirst, G::Par::kMaxTotal, 32, G::Tcache::kNone, 0, 0, false,
     G::Key::kNone},
    {"2.35-2.41", G::State::kFastChunksFlag, G::Par::kHugePages, 48, G::Tcache::kShortCounts, 0x290, 7,
     true, G::Key::kRandom},
    {"2.43", G::State::kWithoutFastbins, G::Par::kHugePages, 48, G::Tcache::kFreeSlots, 0x310, 16, true,
     G::Key::kRandom},
}};

/// Kinds: a word anywhere in the mapping, one of its first 512 words, where the structures are, and a
/// word that names another mapping.
void show(fuzz::PatchedMemory& memory, const offheap::GlibcProcess& process,
          const fuzz::PatchInput& patch) {
  const auto& mappings = process.mappings;
  const offheap::Range& range = mappings[patch.place % mappings.size()].range;
  const Bytes words = patch.kind % 3 == 0 ? range.size() / 8 : std::min<Bytes>(512, range.size() / 8);
  const Address address = range.begin + (std::uint64_t{patch.element} * 509 + patch.offset) % words * 8;
  const std::uint64_t other =
      mappings[patch.element % mappings.size()].range.begin + patch.value % 0x20000 / 16 * 16;
  memory.show(address, patch.kind % 3 == 2 ? other : patch.value);
}

void check(const offheap::HeapReport& report) {
  for (const offheap::ArenaReport& arena : report.arenas) {
    fuzz::require(arena.resident.sum() == arena.rss_bytes,
                  "an arena's parts sum to its resident bytes");
    for (const offheap::Range& segment : arena.segments)
      fuzz::require(segment.begin < segment.end && segment.begin % offheap::kPageBytes == 0,
                    "a segment is whole pages");
    fuzz::require(std::is_sorted(arena.threads.begin(), arena.threads.end()), "threads ascend");
  }
  for (const offheap::MmappedChunk& chunk : report.mmapped)
    fuzz::require(chunk.rss_bytes <= chunk.range.size(), "a chunk's resident bytes fit in it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::array<offheap::GlibcProcess, 3> processes = {
      offheap::build_process(kGenerations[0], 1), offheap::build_process(kGenerations[1], 2),
      offheap::build_process(kGenerations[2], 3)};
  if (size == 0) return 0;
  const offheap::GlibcProcess& process = processes[data[0] % processes.size()];
  fuzz::PatchedMemory memory(process.image);
  for (const fuzz::PatchInput& patch : fuzz::read_patches({data + 1, size - 1}))
    show(memory, process, patch);
  offheap::HeapReadOptions options;
  options.threads = process.threads;
  options.pause = (data[0] & 0x80) == 0;
  const auto report = offheap::read_glibc_heap_image(memory, process.mappings, options);
  fuzz::require(report.found || size > sizeof(fuzz::PatchInput), "a whole heap is found");
  check(report);
  return 0;
}
