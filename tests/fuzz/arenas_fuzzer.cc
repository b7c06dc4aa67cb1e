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
#include <cstring>

#include "fuzz.h"
#include "glibc_image.h"

namespace {

using offheap::Address;
using offheap::Bytes;
using G = offheap::GlibcGeneration;

constexpr std::size_t kPatchBytes = 16;
constexpr std::size_t kMostPatches = 64;

const std::array<G, 3> kGenerations = {{
    {"2.17-2.22", G::State::kFirst, G::Par::kMaxTotal, 32, G::Tcache::kNone, 0, 0, false,
     G::Key::kNone},
    {"2.35-2.41", G::State::kFastChunksFlag, G::Par::kHugePages, 48, G::Tcache::kShortCounts, 0x290, 7,
     true, G::Key::kRandom},
    {"2.43", G::State::kWithoutFastbins, G::Par::kHugePages, 48, G::Tcache::kFreeSlots, 0x310, 16, true,
     G::Key::kRandom},
}};

struct Patch {
  Address address = 0;
  std::uint64_t value = 0;
};

/// An image that shows some words otherwise.
class Damaged : public offheap::MemoryReader {
 public:
  Damaged(const offheap::GlibcProcess& process, std::span<const std::uint8_t> input)
      : image_(process.image) {
    for (; input.size() >= kPatchBytes && patches_.size() < kMostPatches;
         input = input.subspan(kPatchBytes))
      add(process, input.data());
  }

  std::size_t read(Address address, std::span<std::byte> out) const override {
    const std::size_t got = image_.read(address, out);
    for (const Patch& patch : patches_) {
      for (std::size_t i = 0; i < sizeof patch.value; ++i) {
        const Address at = patch.address + i;
        if (at >= address && at - address < got)
          out[at - address] = static_cast<std::byte>(patch.value >> 8 * i & 0xff);
      }
    }
    return got;
  }
  std::vector<bool> resident_pages(offheap::Range range) const override {
    return image_.resident_pages(range);
  }

 private:
  /// Kinds: a word anywhere in the mapping, one of its first 512 words, where the structures are, and a
  /// word that names another mapping.
  void add(const offheap::GlibcProcess& process, const std::uint8_t* input) {
    std::uint16_t element = 0;
    std::uint32_t offset = 0;
    Patch patch;
    std::memcpy(&element, input + 2, sizeof element);
    std::memcpy(&offset, input + 4, sizeof offset);
    std::memcpy(&patch.value, input + 8, sizeof patch.value);
    const auto& mappings = process.mappings;
    const offheap::Range& range = mappings[input[0] % mappings.size()].range;
    const Bytes words = input[1] % 3 == 0 ? range.size() / 8 : std::min<Bytes>(512, range.size() / 8);
    patch.address = range.begin + (std::uint64_t{element} * 509 + offset) % words * 8;
    if (input[1] % 3 == 2)
      patch.value = mappings[element % mappings.size()].range.begin + patch.value % 0x20000 / 16 * 16;
    patches_.push_back(patch);
  }

  const offheap::GlibcImage& image_;
  std::vector<Patch> patches_;
};

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
  const Damaged memory(process, {data + 1, size - 1});
  offheap::HeapReadOptions options;
  options.threads = process.threads;
  options.pause = (data[0] & 0x80) == 0;
  const auto report = offheap::read_glibc_heap_image(memory, process.mappings, options);
  fuzz::require(report.found || size > kPatchBytes, "a whole heap is found");
  check(report);
  return 0;
}
