// SPDX-License-Identifier: Apache-2.0
// A new handler that frees a reserve makes operator new succeed.
// as-glibc: path-mimalloc next-mimalloc -- mimalloc's C build aborts where C++ throws
#include <sys/resource.h>

#include <new>

#include "check.h"

namespace {
void* reserve;
void free_reserve() {
  free(reserve);
  std::set_new_handler(nullptr);
}
}  // namespace

int main() {
  constexpr size_t kReserve = size_t{512} << 20;
  reserve = used(malloc(kReserve));
  CHECK(reserve);
  rlimit limit{size_t{640} << 20, size_t{640} << 20};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  std::set_new_handler(free_reserve);
  operator delete(used(operator new(kReserve / 2)));
  CHECK(std::get_new_handler() == nullptr);
}
