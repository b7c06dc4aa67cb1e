// SPDX-License-Identifier: Apache-2.0
//
// Reading another process's memory, behind an interface so that parsers run on captured images too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "base/units.h"

namespace offheap {

class MemoryReader {
 public:
  virtual ~MemoryReader() = default;

  /// Copies as much of [address, address + out.size()) as can be read, from the front, and returns how
  /// many bytes that was. Unreadable or vanished memory is a short count, never an error or a crash.
  virtual std::size_t read(Address address, std::span<std::byte> out) const = 0;

  /// Resident pages of `range`, one bool a page, zero pages excluded where the kernel can tell.
  /// Implementations over an image answer true for every page they hold.
  virtual std::vector<bool> resident_pages(Range range) const = 0;

  /// Bytes of `range` whose pages are in swap. Reading one would bring it back and change the target:
  /// resident_pages() leaves them out.
  virtual Bytes swapped_bytes(Range /*range*/) const { return 0; }

  /// A plain struct or word, or nothing when it cannot be read whole.
  template <typename T>
  requires std::is_trivially_copyable_v<T> std::optional<T> read_value(Address address)
  const {
    T value;
    auto bytes = std::as_writable_bytes(std::span(&value, 1));
    if (read(address, bytes) != sizeof(T)) return std::nullopt;
    return value;
  }
};

}  // namespace offheap
