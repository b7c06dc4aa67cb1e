// SPDX-License-Identifier: Apache-2.0
// A failing operator new calls the new handler until it gives up.
// as-glibc: path-mimalloc next-mimalloc -- mimalloc's C build aborts where C++ throws
#include <cstdint>
#include <new>

#include "check.h"

namespace {
int calls = 0;
void count_to_three() {
  if (++calls == 3) std::set_new_handler(nullptr);
}
}  // namespace

int main() {
  std::set_new_handler(count_to_three);
  try {
    used(operator new(opaque(PTRDIFF_MAX)));
    CHECK(false);
  } catch (const std::bad_alloc&) {
  }
  CHECK(calls == 3 && std::get_new_handler() == nullptr);
}
