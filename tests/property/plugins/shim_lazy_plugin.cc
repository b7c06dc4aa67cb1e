// SPDX-License-Identifier: Apache-2.0
//
// Lazy binding with a resolver: the first call of lazy_target goes through the procedure linkage table
// into ld.so, whose frame is found through rbx, and from there into resolve.
extern "C" {

void (*lazy_hook)() = nullptr;

static int seventeen() { return 17; }

using Target = int (*)();
Target resolve() {  // not static: an ifunc's resolver must be a symbol for clang
  if (lazy_hook != nullptr) lazy_hook();
  return seventeen;
}

int lazy_target() __attribute__((ifunc("resolve")));

int call_lazy_target() { return lazy_target() + 1; }
}
