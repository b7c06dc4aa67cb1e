// SPDX-License-Identifier: Apache-2.0
//
// Memory for allocations made while the backend is being chosen: dlsym and dlopen may call malloc, and
// nothing is there yet to serve them. A bump arena in bss; its blocks are never reused. Their tags are
// set for good, so that free() meets them on its slow path and nowhere else.
#pragma once

#include <stddef.h>
#include <stdint.h>

// -fvisibility speaks of definitions only; said here, an extern is reached without the GOT.
#pragma GCC visibility push(hidden)
namespace shim {

/// dlopen of a C++ allocator by path takes about 30 KiB. Untouched bss costs nothing.
inline constexpr size_t kEarlyArenaBytes = 512 * 1024;
extern char early_arena[kEarlyArenaBytes];

/// Zeroed memory, or null when the arena is used up. Thread: the one that chooses the backend.
void* early_allocate(size_t bytes, size_t alignment);

/// Whether `block` came from here; then neither the backend nor the counters may see it.
inline bool is_early(const void* block) {
  return reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(early_arena) <
         kEarlyArenaBytes;
}

/// Usable bytes of an early block.
size_t early_usable(const void* block);

/// Copies what an early block holds into the `size` bytes at `block`, to which a realloc moves it;
/// returns `block`, which may be null: then nothing is copied.
void* copy_early(void* block, const void* old, size_t size);

}  // namespace shim
#pragma GCC visibility pop
