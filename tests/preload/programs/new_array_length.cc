// SPDX-License-Identifier: Apache-2.0
// new T[n] with a negative or overflowing n throws bad_array_new_length, and leaks nothing.
#include <cstdint>
#include <new>

#include "check.h"

int main() {
  try {
    used(new long[opaque(SIZE_MAX)]);
    CHECK(false);
  } catch (const std::bad_array_new_length&) {
  }
  delete[] static_cast<long*>(used(new long[opaque(10)]));
}
