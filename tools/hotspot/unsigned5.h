// SPDX-License-Identifier: Apache-2.0
//
// HotSpot's variable-length numbers: one to five bytes, none of them zero.
#pragma once

#include <cstdint>
#include <span>

namespace offheap {

class Unsigned5Reader {
 public:
  explicit Unsigned5Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  /// The next number; 0, and good() false from then on, at the end or at a byte that cannot be.
  ///
  /// Source: OpenJDK src/hotspot/share/utilities/unsigned5.hpp: digits are byte - 1, six bits apart; a
  /// digit of 191 or more is followed by another, and the fifth is the last.
  std::uint32_t next() {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 5; ++i) {
      if (position_ >= bytes_.size() || bytes_[position_] == 0) {
        good_ = false;
        return 0;
      }
      const std::uint32_t digit = bytes_[position_++] - 1U;
      value += digit << (6 * i);
      if (digit < 191) break;
    }
    return value;
  }

  [[nodiscard]] bool good() const { return good_; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t position_ = 0;
  bool good_ = true;
};

}  // namespace offheap
