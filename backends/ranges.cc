// SPDX-License-Identifier: Apache-2.0
//
// The shim exports mmap, munmap and sbrk itself, so nothing here may call those by name: raw system
// calls, and glibc's own __sbrk, which shares its break with every other user of sbrk.
#include "backends/ranges.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "backends/backend.h"
#include "libshim/raw_syscall.h"

extern "C" void* __sbrk(intptr_t increment);

namespace {

void* const kSbrkFailed = reinterpret_cast<void*>(-1);

/// errno's convention for what raw_syscall returns.
long or_errno(long result) {
  if (result >= 0 || result < -4095) return result;
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace

extern "C" void* shim_backend_mmap(void* address, size_t bytes, int protection, int flags, int fd,
                                   off_t offset) {
  long result = or_errno(shim::raw_syscall(SYS_mmap, reinterpret_cast<long>(address),
                                           static_cast<long>(bytes), protection, flags, fd, offset));
  void* mapped = reinterpret_cast<void*>(result);
  if (mapped != MAP_FAILED) backends::shim_backend_mapped(mapped, bytes);
  return mapped;
}

extern "C" int shim_backend_munmap(void* address, size_t bytes) {
  // Reported first: once the pages are gone another thread may be given the same addresses.
  backends::shim_backend_unmapped(address, bytes);
  long result = or_errno(
      shim::raw_syscall(SYS_munmap, reinterpret_cast<long>(address), static_cast<long>(bytes)));
  if (result != 0) backends::shim_backend_mapped(address, bytes);
  return static_cast<int>(result);
}

extern "C" void* shim_backend_sbrk(intptr_t increment) {
  void* old_break = __sbrk(increment);
  if (old_break == kSbrkFailed) return old_break;
  char* end = static_cast<char*>(old_break);
  if (increment > 0) backends::shim_backend_mapped(old_break, static_cast<size_t>(increment));
  if (increment < 0) backends::shim_backend_unmapped(end + increment, static_cast<size_t>(-increment));
  return old_break;
}
