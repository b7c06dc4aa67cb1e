// SPDX-License-Identifier: Apache-2.0
// operator new of no bytes gives distinct blocks; deleting null does nothing.
#include <new>

#include "check.h"

int main() {
  void* first = operator new(opaque(0));
  void* second = operator new[](opaque(0));
  CHECK(first && second && first != second);
  operator delete(first);
  operator delete[](second);
  operator delete(nullptr);
  operator delete[](nullptr);
  operator delete (nullptr, std::align_val_t{64});
}
