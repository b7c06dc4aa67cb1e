// SPDX-License-Identifier: Apache-2.0
// With memory gone to the last byte, every throwing operator new throws bad_alloc, every other gives
// null, and the program goes on once something was freed.
// as-glibc: path-mimalloc next-mimalloc -- mimalloc's C build aborts where C++ throws
#include <sys/resource.h>

#include <new>

#include "check.h"
#include "taken_memory.h"

namespace {
template <typename Allocate>
bool throws(Allocate allocate) {
  try {
    // Whatever is left in some size class goes first.
    for (int i = 0; i < 100'000; ++i) used(allocate());
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}

template <typename Allocate>
bool gives_null(Allocate allocate) {
  for (int i = 0; i < 100'000; ++i)
    if (!used(allocate())) return true;
  return false;
}
}  // namespace

int main() {
  constexpr std::align_val_t kAlignment{128};
  rlimit limit{size_t{160} << 20, size_t{160} << 20};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  take_all();
  bool results[] = {
      throws([] { return operator new(1000); }),
      throws([] { return operator new[](1000); }),
      throws([] { return operator new(1000, kAlignment); }),
      throws([] { return operator new[](1000, kAlignment); }),
      gives_null([] { return operator new(1000, std::nothrow); }),
      gives_null([] { return operator new[](1000, std::nothrow); }),
      gives_null([] { return operator new(1000, kAlignment, std::nothrow); }),
      gives_null([] { return operator new[](1000, kAlignment, std::nothrow); }),
  };
  give_all_back();
  for (bool right : results) CHECK(right);
  operator delete(used(operator new(100'000)));
}
