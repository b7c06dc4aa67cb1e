// SPDX-License-Identifier: Apache-2.0
//
// One bit a page of the first 47 bits of address space would be 4 GiB, but untouched pages of bss cost
// nothing: a byte a page in a table that is reserved, not resident.
#include "backends_ranges.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>

#include "backends/backend.h"

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kPages = size_t{1} << (47 - 12);

std::atomic<size_t> g_mapped_bytes{0};

uint8_t* pages() {
  static std::atomic<uint8_t*> table{nullptr};
  uint8_t* known = table.load();
  if (known != nullptr) return known;
  void* fresh =
      mmap(nullptr, kPages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (table.compare_exchange_strong(known, static_cast<uint8_t*>(fresh)))
    return static_cast<uint8_t*>(fresh);
  munmap(fresh, kPages);
  return known;
}

void mark(const void* begin, size_t bytes, uint8_t value) {
  auto address = reinterpret_cast<uintptr_t>(begin);
  size_t last = (address + bytes + kPageBytes - 1) / kPageBytes;
  for (size_t page = address / kPageBytes; page < last; ++page) pages()[page] = value;
}

}  // namespace

extern "C" void backends::shim_backend_mapped(void* begin, size_t bytes) {
  g_mapped_bytes += bytes;
  mark(begin, bytes, 1);
}

extern "C" void backends::shim_backend_unmapped(void* begin, size_t bytes) { mark(begin, bytes, 0); }

size_t mapped_bytes() { return g_mapped_bytes; }

bool is_mapped(const void* block, size_t bytes) {
  auto address = reinterpret_cast<uintptr_t>(block);
  for (size_t page = address / kPageBytes; page <= (address + bytes - 1) / kPageBytes; ++page) {
    if (pages()[page] == 0) return false;
  }
  return true;
}
