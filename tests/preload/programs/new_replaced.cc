// SPDX-License-Identifier: Apache-2.0
// A program that replaces operator new and delete by a pool, whose blocks malloc's free would not know:
// all forms that the standard defines by these lead there, in libstdc++ too.
// expect: 13 news, 13 deletes
#include <cstdint>
#include <new>
#include <string>

#include "check.h"

namespace {
alignas(64) char pool[1 << 20];
size_t taken = 0;
bool counting = false;
int news = 0;
int deletes = 0;

struct Counted {
  char bytes[100];
  ~Counted() { bytes[0] = 1; }
};
struct alignas(64) Wide {
  char bytes[64];
};
}  // namespace

void* operator new(size_t size) {
  news += counting;
  if (size > sizeof pool / 2) throw std::bad_alloc();
  void* block = pool + taken;
  taken += (size + 63) / 64 * 64;
  CHECK(taken <= sizeof pool);
  return block;
}
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wsized-deallocation"  // the point is to replace no more than these two
#endif
void operator delete(void* block) noexcept {
  if (!block) return;
  CHECK(reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(pool) < sizeof pool);
  deletes += counting;
}

int main() {
  counting = true;
  delete new Counted;
  delete[] new Counted[3];
  delete[] new int[opaque(5)];
  ::operator delete (::operator new(10), size_t{10});
  ::operator delete(::operator new(10, std::nothrow), std::nothrow);
  ::operator delete[](::operator new[](10, std::nothrow), std::nothrow);
  ::operator delete[](::operator new[](10), size_t{10});
  for (int i = 0; i < 5; ++i) delete new std::string("short");
  delete new std::string;
  CHECK(!::operator new(sizeof pool, std::nothrow) && !::operator new[](sizeof pool, std::nothrow));
  news -= 2;
  // Aligned forms are others', and the program has not replaced them.
  delete static_cast<Wide*>(used(new Wide));
  delete[] static_cast<Wide*>(used(new Wide[opaque(3)]));
  counting = false;
  printf("%d news, %d deletes\n", news, deletes);
}
