// SPDX-License-Identifier: Apache-2.0
//
// Reads DWARF's encodings from memory, never past `end`. After a read that did not fit, `is_good` is
// false and every further read answers zero.
#pragma once

#include <cstdint>

namespace shim {

struct Cursor {
  const uint8_t* at;
  const uint8_t* end;
  bool is_good = true;

  bool has_more() const { return is_good && at < end; }

  template <typename T>
  T fixed() {
    T value{};
    if (!is_good || static_cast<uint64_t>(end - at) < sizeof(T)) {
      is_good = false;
      return value;
    }
    __builtin_memcpy(&value, at, sizeof(T));
    at += sizeof(T);
    return value;
  }

  void skip(uint64_t bytes) {
    if (is_good && bytes <= static_cast<uint64_t>(end - at)) {
      at += bytes;
    } else {
      is_good = false;
    }
  }

  uint64_t uleb() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = fixed<uint8_t>();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    is_good = false;
    return 0;
  }

  int64_t sleb() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64;) {
      const uint8_t byte = fixed<uint8_t>();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if ((byte & 0x40) != 0 && shift < 64) value |= ~0ull << shift;
      return static_cast<int64_t>(value);
    }
    is_good = false;
    return 0;
  }

  /// A pointer in one of the DW_EH_PE encodings that linkers emit for code: absolute or relative to its
  /// own place. Anything else ends the reading.
  uint64_t pointer(uint8_t encoding) {
    const uint64_t place = reinterpret_cast<uint64_t>(at);
    uint64_t value = 0;
    switch (encoding & 0x0f) {
      case 0x00:  // absptr
      case 0x04:  // udata8
      case 0x0c:  // sdata8
        value = fixed<uint64_t>();
        break;
      case 0x03:  // udata4
        value = fixed<uint32_t>();
        break;
      case 0x0b:  // sdata4
        value = static_cast<uint64_t>(static_cast<int64_t>(fixed<int32_t>()));
        break;
      default:
        is_good = false;
    }
    const uint8_t base = encoding & 0x70;
    if (base == 0x10) return value + place;
    if (base != 0x00) is_good = false;
    return value;
  }
};

}  // namespace shim
