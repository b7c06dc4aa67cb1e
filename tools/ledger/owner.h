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
  kElf,             ///< mapped ELF files, with their bss
  kFile,            ///< other mapped files
  kJavaHeap,        ///< objects
  kJavaCodeCache,   ///< compiled code and its segment map
  kJavaMetaspace,   ///< class metadata
  kJavaClassSpace,  ///< the part of it that compressed class pointers reach
  kJavaCds,         ///< the class archive
  kJavaGc,          ///< card table, mark bitmaps, remembered sets
  kJava,            ///< what HotSpot maps otherwise, and all of it where its structures cannot be read
  kThreadStacks,    ///< stacks of living threads, and dead ones that glibc caches
  kMallocArenas,    ///< glibc arenas
  kMallocMmapped,   ///< blocks of glibc's malloc with a mapping of their own
  kBackendRanges,   ///< what jemalloc, tcmalloc or another allocator mapped
  kDirectMmaps,     ///< the program's own anonymous mmaps
  kSharedMemory,    ///< shared memory and tmpfs
  kRecording,       ///< the shim's own: recording and tables
  kKernel,          ///< vdso and other mappings that the kernel made
  kUnknown,
};
inline constexpr std::size_t kOwnerCount = 18;

/// The name of an owner in output, stable: part of the JSON contract.
constexpr std::string_view owner_name(Owner owner) {
  constexpr std::array<std::string_view, kOwnerCount> names = {"elf",
                                                               "file",
                                                               "java-heap",
                                                               "java-code-cache",
                                                               "java-metaspace",
                                                               "java-class-space",
                                                               "java-cds",
                                                               "java-gc",
                                                               "java",
                                                               "thread-stacks",
                                                               "malloc-arenas",
                                                               "malloc-mmapped",
                                                               "backend-ranges",
                                                               "direct-mmaps",
                                                               "shared-memory",
                                                               "recording",
                                                               "kernel",
                                                               "unknown"};
  return names[static_cast<std::size_t>(owner)];
}

/// Whether HotSpot mapped it for a purpose of its own.
constexpr bool is_java(Owner owner) { return owner >= Owner::kJavaHeap && owner <= Owner::kJava; }

}  // namespace offheap
