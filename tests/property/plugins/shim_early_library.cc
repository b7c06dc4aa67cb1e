// SPDX-License-Identifier: Apache-2.0
//
// Linked at start-up, so that its constructor is run by ld.so and not by libc: the root is the loader's
// own entry, which has no unwind rows.
extern "C" void early_hook();

namespace {
[[gnu::constructor]] void on_load() { early_hook(); }
}  // namespace

extern "C" int early_library_is_linked() { return 1; }
