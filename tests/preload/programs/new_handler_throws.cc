// SPDX-License-Identifier: Apache-2.0
// An exception of the new handler passes through operator new; nothrow turns it into null.
// as-glibc: path-mimalloc next-mimalloc jemalloc next-jemalloc -- bare, these abort where C++ throws
#include <cstdint>
#include <new>

#include "check.h"

namespace {
struct OutOfMemory : std::bad_alloc {};
void refuse() { throw OutOfMemory(); }
}  // namespace

int main() {
  std::set_new_handler(refuse);
  try {
    used(operator new(opaque(PTRDIFF_MAX)));
    CHECK(false);
  } catch (const OutOfMemory&) {
  }
  CHECK(!operator new(opaque(PTRDIFF_MAX), std::nothrow));
}
