// SPDX-License-Identifier: Apache-2.0
//
// The two numbers that everything outside the target is made of.
#pragma once

#include <cstdint>

namespace offheap {

using Address = std::uint64_t;
using Bytes = std::uint64_t;

/// [begin, end) in the target's address space.
struct Range {
  Address begin = 0;
  Address end = 0;

  [[nodiscard]] Bytes size() const { return end - begin; }
  [[nodiscard]] bool contains(Address a) const { return a >= begin && a < end; }
  [[nodiscard]] bool overlaps(const Range& other) const {
    return begin < other.end && other.begin < end;
  }
  friend bool operator==(const Range&, const Range&) = default;
};

inline constexpr Bytes kPageBytes = 4096;

/// Of figures that were read one after the other: a - b, or 0 where b is larger by what came between.
inline std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace offheap
