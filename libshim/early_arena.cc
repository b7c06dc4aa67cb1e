// SPDX-License-Identifier: Apache-2.0
#include "libshim/early_arena.h"

#include <errno.h>
#include <string.h>

#include "libshim/sampling/tags.h"

namespace shim {

alignas(4096) char early_arena[kEarlyArenaBytes];

namespace {

constexpr size_t kHeaderBytes = 16;

size_t used = 0;

}  // namespace

void* early_allocate(size_t bytes, size_t alignment) {
  if (alignment < kHeaderBytes) alignment = kHeaderBytes;
  size_t begin = (used + kHeaderBytes + alignment - 1) & ~(alignment - 1);
  if (bytes > kEarlyArenaBytes || begin + bytes > kEarlyArenaBytes) {
    errno = ENOMEM;
    return nullptr;
  }
  used = begin + (bytes ? bytes : 1);
  *reinterpret_cast<size_t*>(early_arena + begin - kHeaderBytes) = bytes;
  tag_add(early_arena + begin);
  return early_arena + begin;
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
