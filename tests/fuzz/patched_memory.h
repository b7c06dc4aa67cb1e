// SPDX-License-Identifier: Apache-2.0
//
// A process's memory, or an image of one, that shows some words otherwise. Which, an input says in
// patches of 16 bytes: place, kind, element (2), offset (4), value (8); what they mean is the fuzzer's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "fuzz.h"
#include "procfs/memory_reader.h"

namespace fuzz {

struct PatchInput {
  std::uint8_t place = 0;
  std::uint8_t kind = 0;
  std::uint16_t element = 0;
  std::uint32_t offset = 0;
  std::uint64_t value = 0;
};

inline std::vector<PatchInput> read_patches(std::span<const std::uint8_t> input) {
  constexpr std::size_t kMostPatches = 64;
  static_assert(sizeof(PatchInput) == 16);
  std::vector<PatchInput> patches(std::min(input.size() / sizeof(PatchInput), kMostPatches));
  if (!patches.empty()) std::memcpy(patches.data(), input.data(), patches.size() * sizeof(PatchInput));
  return patches;
}

/// What an untouched process gives.
template <typename T>
T whole(offheap::Result<T> result) {
  require(result.ok(), "the process can be read");
  return std::move(*result);
}

class PatchedMemory : public offheap::MemoryReader {
 public:
  explicit PatchedMemory(const offheap::MemoryReader& memory) : memory_(memory) {}

  void show(offheap::Address address, std::uint64_t value) { patches_.push_back({address, value}); }

  std::size_t read(offheap::Address address, std::span<std::byte> out) const override {
    const std::size_t got = memory_.read(address, out);
    for (const Patch& patch : patches_)
      for (std::size_t i = 0; i < sizeof patch.value; ++i)
        if (const offheap::Address at = patch.address + i; at >= address && at - address < got)
          out[at - address] = static_cast<std::byte>(patch.value >> 8 * i & 0xff);
    return got;
  }
  std::vector<bool> resident_pages(offheap::Range range) const override {
    bytes_looked_at_ += range.size();
    return memory_.resident_pages(range);
  }
  [[nodiscard]] offheap::Bytes bytes_looked_at() const { return bytes_looked_at_; }

 private:
  struct Patch {
    offheap::Address address = 0;
    std::uint64_t value = 0;
  };

  const offheap::MemoryReader& memory_;
  std::vector<Patch> patches_;
  mutable offheap::Bytes bytes_looked_at_ = 0;
};

}  // namespace fuzz
