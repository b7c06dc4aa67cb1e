// SPDX-License-Identifier: Apache-2.0
// A constructor that throws gives its block back through the matching delete.
// env: OFFHEAP_SAMPLE=64
#include <stdexcept>

#include "check.h"

namespace {
struct alignas(64) Thrower {
  Thrower() { throw std::runtime_error("constructor"); }
  char bytes[1000];
};
}  // namespace

int main() {
  for (int i = 0; i < 2000; ++i) {
    try {
      used(new Thrower);
      CHECK(false);
    } catch (const std::runtime_error&) {
    }
  }
}
