// SPDX-License-Identifier: Apache-2.0
// Aligned operator new aligns, from small to page-sized alignments.
// env: OFFHEAP_SAMPLE=64
#include <cstdint>
#include <initializer_list>
#include <new>

#include "check.h"

int main() {
  for (size_t alignment = 1; alignment <= 1 << 16; alignment *= 2) {
    for (size_t size : {1, 17, 1000, 70000}) {
      auto wanted = static_cast<std::align_val_t>(alignment);
      void* block = operator new(size, wanted);
      void* quiet = operator new[](size, wanted, std::nothrow);
      CHECK(reinterpret_cast<uintptr_t>(block) % alignment == 0);
      CHECK(reinterpret_cast<uintptr_t>(quiet) % alignment == 0);
      operator delete(block, wanted);
      operator delete[](quiet, wanted);
    }
  }
}
