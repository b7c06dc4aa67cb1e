// SPDX-License-Identifier: Apache-2.0
//
// A real library with damage, asked whether a preload would take effect in it.
#include "commands/binary_check.h"
#include "damaged_library.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = fuzz::damaged_library({data, size});
  static const std::size_t whole = offheap::binary_message(fd).size();
  fuzz::require(offheap::binary_message(fd).size() == whole, "every answer has the same size");
  // The same through a child, which takes as long as a hundred inputs without one.
  static unsigned count = 0;
  if (count++ % 64 != 0) return 0;
  const auto facts = offheap::inspect_binary("/proc/self/fd/" + std::to_string(fd));
  if (!facts) return 0;
  fuzz::require(facts->elf || !facts->x86_64, "only an ELF file is of a machine");
  (void)offheap::preload_works(*facts);
  return 0;
}
