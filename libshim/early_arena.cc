// SPDX-License-Identifier: Apache-2.0
#include "libshim/early_arena.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "libshim/sampling/tags.h"

namespace shim {
namespace {

// dlopen of a C++ allocator by path takes about 30 KiB. Untouched bss costs nothing.
constexpr size_t kArenaBytes = 512 * 1024;
constexpr size_t kHeaderBytes = 16;

alignas(4096) char arena[kArenaBytes];
size_t used = 0;

}  // namespace

void* early_allocate(size_t bytes, size_t alignment) {
  if (alignment < kHeaderBytes) alignment = kHeaderBytes;
  size_t begin = (used + kHeaderBytes + alignment - 1) & ~(alignment - 1);
  if (bytes > kArenaBytes || begin + bytes > kArenaBytes) {
    errno = ENOMEM;
    return nullptr;
  }
  used = begin + (bytes ? bytes : 1);
  *reinterpret_cast<size_t*>(arena + begin - kHeaderBytes) = bytes;
  tag_add(arena + begin);
  return arena + begin;
}

bool is_early(const void* block) {
  return reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(arena) < kArenaBytes;
}

size_t early_usable(const void* block) {
  return *reinterpret_cast<const size_t*>(static_cast<const char*>(block) - kHeaderBytes);
}

void* copy_early(void* block, const void* old, size_t size) {
  size_t kept = early_usable(old) < size ? early_usable(old) : size;
  if (block) memcpy(block, old, kept);
  return block;
}

}  // namespace shim
