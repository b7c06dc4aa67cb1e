// SPDX-License-Identifier: Apache-2.0
//
// Whether memory that was only read costs nothing here. Some guests' kernels have no zero page for
// programs: each page that is read is one of the process's own from then on.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

/// Source: kernel Documentation/admin-guide/mm/pagemap.rst, bit 56: the page is mapped by nobody else.
inline bool kernel_has_zero_page() {
  constexpr std::uint64_t kPage = 4096;
  void* page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return true;
  (void)*static_cast<volatile char*>(page);
  std::uint64_t entry = 0;
  const int pagemap = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  const auto offset = static_cast<off_t>(reinterpret_cast<std::uint64_t>(page) / kPage * sizeof entry);
  const bool read = ::pread(pagemap, &entry, sizeof entry, offset) == sizeof entry;
  ::close(pagemap);
  ::munmap(page, kPage);
  return !read || (entry >> 56 & 1) == 0;
}
