// SPDX-License-Identifier: Apache-2.0
// Every form of operator new gives a block that every matching form of delete takes back.
// env: OFFHEAP_SAMPLE=64
#include <cstring>
#include <new>

#include "check.h"

int main() {
  constexpr std::align_val_t kAlignment{128};
  for (size_t size = 1; size < 1 << 20; size = size * 3 + 1) {
    auto filled = [size](void* block) { return std::memset(used(block), 1, size); };
    operator delete(filled(operator new(size)));
    operator delete(filled(operator new(size)), size);
    operator delete(filled(operator new(size, std::nothrow)), std::nothrow);
    operator delete[](filled(operator new[](size)));
    operator delete[](filled(operator new[](size)), size);
    operator delete[](filled(operator new[](size, std::nothrow)), std::nothrow);
    operator delete(filled(operator new(size, kAlignment)), kAlignment);
    operator delete(filled(operator new(size, kAlignment)), size, kAlignment);
    operator delete(filled(operator new(size, kAlignment, std::nothrow)), kAlignment, std::nothrow);
    operator delete[](filled(operator new[](size, kAlignment)), kAlignment);
    operator delete[](filled(operator new[](size, kAlignment)), size, kAlignment);
    operator delete[](filled(operator new[](size, kAlignment, std::nothrow)), kAlignment, std::nothrow);
  }
}
