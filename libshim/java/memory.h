// SPDX-License-Identifier: Apache-2.0
//
// Words of the VM's memory by address. What is read this way is kept alive by the stack of the reading
// thread: a method that has a frame on it is not unloaded, nor is its compiled code.
#pragma once

#include <cstdint>

namespace shim {

template <typename T>
inline __attribute__((no_sanitize("address", "thread"))) T read_at(uint64_t address) {
  struct __attribute__((packed, may_alias)) Value {
    T value;
  };
  return reinterpret_cast<const Value*>(address)->value;
}

inline uint64_t pointer_at(uint64_t address) { return read_at<uint64_t>(address); }

}  // namespace shim
