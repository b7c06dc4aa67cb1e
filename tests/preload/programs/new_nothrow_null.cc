// SPDX-License-Identifier: Apache-2.0
// nothrow operator new that fails returns null, and sets no exception loose.
#include <cstdint>
#include <new>

#include "check.h"

int main() {
  size_t size = opaque(PTRDIFF_MAX);
  CHECK(!operator new(size, std::nothrow));
  CHECK(!operator new[](size, std::nothrow));
  CHECK(!operator new (size, std::align_val_t{64}, std::nothrow));
  CHECK(!operator new[](size, std::align_val_t{64}, std::nothrow));
}
