// SPDX-License-Identifier: Apache-2.0
//
// Every allocation entry point that the shim exports: one line each, a jump through the entry table.
// What they do is in entries.cc. exports.map is the list; tests/binary compares the two.
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <string.h>

#include "backends/answers.h"
#include "libshim/entries.h"
#include "libshim/exports.h"

namespace shim {
namespace {

/// mallinfo's fields are int: those that do not fit wrap, as glibc's do.
struct mallinfo narrow(const backends::WideMallinfo& wide) {
  auto cut = [](size_t value) { return static_cast<int>(value); };
  return {cut(wide.arena),    cut(wide.ordblks), cut(wide.smblks),  cut(wide.hblks),
          cut(wide.hblkhd),   cut(wide.usmblks), cut(wide.fsmblks), cut(wide.uordblks),
          cut(wide.fordblks), cut(wide.keepcost)};
}

}  // namespace

extern "C" {

SHIM_EXPORT void* malloc(size_t size) { return entry.malloc(size); }
SHIM_EXPORT void free(void* block) { free_block(block); }
SHIM_EXPORT void cfree(void* block) {
  free_block(block);
}  // old binaries; libc's would pass the backend by
SHIM_EXPORT void free_sized(void* block, size_t) { free_block(block); }
SHIM_EXPORT void free_aligned_sized(void* block, size_t, size_t) { free_block(block); }
SHIM_EXPORT void* calloc(size_t count, size_t size) { return entry.calloc(count, size); }
SHIM_EXPORT void* realloc(void* block, size_t size) { return entry.realloc(block, size); }
SHIM_EXPORT void* memalign(size_t alignment, size_t size) { return entry.memalign(alignment, size); }
SHIM_EXPORT void* aligned_alloc(size_t alignment, size_t size) {
  return entry.aligned_alloc(alignment, size);
}
SHIM_EXPORT void* valloc(size_t size) { return entry.valloc(size); }
SHIM_EXPORT void* pvalloc(size_t size) { return entry.pvalloc(size); }
SHIM_EXPORT size_t malloc_usable_size(void* block) { return entry.usable_size(block); }

SHIM_EXPORT int posix_memalign(void** out, size_t alignment, size_t size) {
  return entry.posix_memalign(out, alignment, size);
}

SHIM_EXPORT void* reallocarray(void* block, size_t count, size_t size) {
  size_t bytes = 0;
  if (!__builtin_mul_overflow(count, size, &bytes)) return entry.realloc(block, bytes);
  errno = ENOMEM;
  return nullptr;
}

// What asks or tunes the allocator goes to the backend that serves the blocks; glibc's own answers
// would speak of a heap that is not in use, and wake it.

/// An allocator without it changes nothing and says yes: its programs reach glibc's, which does, and
/// there are some that end where they are refused.
SHIM_EXPORT int mallopt(int parameter, int value) {
  bootstrap();
  return active_backend.mallopt ? active_backend.mallopt(parameter, value) : 1;
}

SHIM_EXPORT int malloc_trim(size_t pad) {
  bootstrap();
  return active_backend.malloc_trim ? active_backend.malloc_trim(pad) : 0;
}

SHIM_EXPORT void malloc_stats() {
  bootstrap();
  if (active_backend.malloc_stats) active_backend.malloc_stats();
}

/// mallinfo2, which the headers declare since glibc 2.33 only.
SHIM_EXPORT backends::WideMallinfo wide_mallinfo() __asm__("mallinfo2");
SHIM_EXPORT backends::WideMallinfo wide_mallinfo() {
  bootstrap();
  backends::WideMallinfo info{};
  if (active_backend.mallinfo2) active_backend.mallinfo2(&info);
  return info;
}

SHIM_EXPORT int malloc_info(int options, FILE* out) {
  bootstrap();
  if (active_backend.malloc_info) return active_backend.malloc_info(options, out);
  return options == 0 ? backends::malloc_info_from(wide_mallinfo(), out) : EINVAL;
}

SHIM_EXPORT struct mallinfo mallinfo() { return narrow(wide_mallinfo()); }

}  // extern "C"
}  // namespace shim
