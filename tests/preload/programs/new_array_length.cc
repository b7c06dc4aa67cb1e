// SPDX-License-Identifier: Apache-2.0
// new T[n] with a negative or overflowing n throws, and leaks nothing: bad_array_new_length by gcc, and
// by clang, which asks for SIZE_MAX bytes, the bad_alloc that it is derived from.
#include <cstdint>
#include <new>

#include "check.h"

int main() {
  try {
    used(new long[opaque(SIZE_MAX)]);
    CHECK(false);
  } catch (const std::bad_alloc&) {
  }
  delete[] static_cast<long*>(used(new long[opaque(10)]));
}
