// SPDX-License-Identifier: Apache-2.0
//
// Who a resident byte belongs to. The list is closed: every resident byte has exactly one of these, and
// what no rule claims is kUnknown, which is always printed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace offheap {

enum class Owner : std::uint8_t {
  kElf,            ///< mapped ELF files, with their bss
  kFile,           ///< other mapped files
  kJava,           ///< what HotSpot maps: heap, code cache, metaspace, CDS, GC
  kThreadStacks,   ///< stacks of living threads, and dead ones that glibc caches
  kMallocArenas,   ///< glibc arenas
  kMallocMmapped,  ///< blocks of glibc's malloc with a mapping of their own
  kBackendRanges,  ///< what jemalloc, tcmalloc or another allocator mapped
  kDirectMmaps,    ///< the program's own anonymous mmaps
  kSharedMemory,   ///< shared memory and tmpfs
  kRecording,      ///< the shim's own: recording and tables
  kKernel,         ///< vdso and other mappings that the kernel made
  kUnknown,
};
inline constexpr std::size_t kOwnerCount = 12;

/// The name of an owner in output, stable: part of the JSON contract.
constexpr std::string_view owner_name(Owner owner) {
  constexpr std::array<std::string_view, kOwnerCount> names = {
      "elf",           "file",           "java",           "thread-stacks",
      "malloc-arenas", "malloc-mmapped", "backend-ranges", "direct-mmaps",
      "shared-memory", "recording",      "kernel",         "unknown"};
  return names[static_cast<std::size_t>(owner)];
}

}  // namespace offheap
