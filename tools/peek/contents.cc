// SPDX-License-Identifier: Apache-2.0
#include "peek/contents.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace offheap {
namespace {

constexpr std::size_t kModulePointerLimit = 100'000;
/// Below that, a piece has too few bytes for its entropy to say anything.
constexpr std::size_t kLeastForEntropy = 1024;

/// Calls `look` with every aligned word.
template <typename Look>
void each_word(Address address, std::span<const std::byte> bytes, Look look) {
  const std::size_t first = (8 - address % 8) % 8;
  for (std::size_t at = first; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    look(word);
  }
}

}  // namespace

PointerMap::PointerMap(std::vector<PointerTarget> targets) : targets_(std::move(targets)) {
  std::sort(targets_.begin(), targets_.end(), [](const PointerTarget& a, const PointerTarget& b) {
    return a.range.begin < b.range.begin;
  });
}

const PointerTarget* PointerMap::find(Address address) const {
  if (targets_.empty() || address < targets_.front().range.begin ||
      address >= targets_.back().range.end)
    return nullptr;
  const auto after =
      std::upper_bound(targets_.begin(), targets_.end(), address,
                       [](Address a, const PointerTarget& target) { return a < target.range.begin; });
  const PointerTarget& candidate = *(after - 1);
  return candidate.range.contains(address) ? &candidate : nullptr;
}

double entropy_of(std::span<const std::byte> bytes) {
  std::array<std::uint32_t, 256> counts{};
  for (const std::byte byte : bytes) ++counts[std::to_integer<std::size_t>(byte)];
  double bits = 0;
  for (const std::uint32_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(bytes.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

void Contents::add(Address address, std::span<const std::byte> bytes) {
  totals_.bytes += bytes.size();
  add_words(address, bytes);
  // Strings are looked for where a page has a pattern at all: chance makes some in random bytes.
  std::size_t run = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto piece =
        std::min<std::size_t>(kPageBytes - (address + at) % kPageBytes, bytes.size() - at);
    const bool has_text = add_page(bytes.subspan(at, piece));
    if (!has_text) {
      strings_.add(bytes.subspan(run, at - run));
      run = at + piece;
    }
    at += piece;
  }
  strings_.add(bytes.subspan(run));
}

/// Whether text may be in the page.
bool Contents::add_page(std::span<const std::byte> bytes) {
  if (std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; })) {
    totals_.zero_page_bytes += bytes.size();
    return false;
  }
  if (bytes.size() < kLeastForEntropy || entropy_of(bytes) < kDenseEntropy) return true;
  totals_.dense_bytes += bytes.size();
  return false;
}

void Contents::add_words(Address address, std::span<const std::byte> bytes) {
  each_word(address, bytes, [this](std::uint64_t word) {
    if (word == 0) {
      totals_.zero_bytes += sizeof word;
      return;
    }
    const PointerTarget* target = map_.find(word);
    if (target == nullptr) return;
    switch (target->kind) {
      case PointerTarget::Kind::kRegion:
        ++totals_.pointers_inside;
        return;
      case PointerTarget::Kind::kElsewhere:
        ++totals_.pointers_elsewhere;
        return;
      case PointerTarget::Kind::kModule:
        ++totals_.pointers_to_modules;
        if (word % 8 != 0) return;
        if (module_pointers_.size() < kModulePointerLimit || module_pointers_.count(word) != 0)
          ++module_pointers_[word];
    }
  });
}

std::vector<ModulePointer> Contents::module_pointers(std::size_t limit) const {
  std::vector<ModulePointer> pointers;
  pointers.reserve(module_pointers_.size());
  for (const auto& [address, count] : module_pointers_) pointers.push_back({address, count});
  std::sort(pointers.begin(), pointers.end(), [](const ModulePointer& a, const ModulePointer& b) {
    return a.count != b.count ? a.count > b.count : a.address < b.address;
  });
  pointers.resize(std::min(limit, pointers.size()));
  return pointers;
}

std::uint64_t count_pointers_into_region(const PointerMap& map, Address address,
                                         std::span<const std::byte> bytes) {
  std::uint64_t count = 0;
  each_word(address, bytes, [&](std::uint64_t word) {
    const PointerTarget* target = map.find(word);
    if (target != nullptr && target->kind == PointerTarget::Kind::kRegion) ++count;
  });
  return count;
}

}  // namespace offheap
