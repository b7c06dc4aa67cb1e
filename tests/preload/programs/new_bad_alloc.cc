// SPDX-License-Identifier: Apache-2.0
// operator new that fails throws the program's own std::bad_alloc.
// as-glibc: path-mimalloc next-mimalloc -- mimalloc's C build aborts where C++ throws
#include <cstdint>
#include <cstring>
#include <new>

#include "check.h"

template <typename Call>
bool throws(Call call) {
  try {
    call();
  } catch (const std::bad_alloc& error) {
    return std::strcmp(error.what(), "std::bad_alloc") == 0;
  }
  return false;
}

int main() {
  size_t size = opaque(PTRDIFF_MAX);
  CHECK(throws([=] { used(operator new(size)); }));
  CHECK(throws([=] { used(operator new[](size)); }));
  CHECK(throws([=] { used(operator new (size, std::align_val_t{64})); }));
  CHECK(throws([=] { used(operator new[](size, std::align_val_t{64})); }));
}
