// SPDX-License-Identifier: Apache-2.0
#include "libshim/interposed.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "libshim/exports.h"
#include "libshim/process.h"
#include "libshim/program_stub.h"
#include "libshim/raw_syscall.h"
#include "libshim/recorder.h"
#include "libshim/sampler.h"
#include "libshim/sampling/direct_mappings.h"
#include "libshim/unwind/modules.h"
#include "libshim/unwind/unwinder.h"

#ifndef MREMAP_DONTUNMAP  // Linux 5.7; the headers have it since glibc 2.32
#define MREMAP_DONTUNMAP 4
#endif

namespace shim {
namespace {

/// Where the real ones are: after us, or, as the attach build exports none of them, where anyone looks.
void* const kRealScope = kAttachBuild ? RTLD_DEFAULT : RTLD_NEXT;

int (*next_dlclose)(void*) = nullptr;
void* (*next_sbrk)(intptr_t) = nullptr;
int (*next_brk)(void*) = nullptr;
pid_t (*next_fork)() = nullptr;

/// What the kernel said, as libc says it.
template <typename T>
T libc_result(long result) {
  if (!is_error(result)) return reinterpret_cast<T>(result);
  errno = static_cast<int>(-result);
  return reinterpret_cast<T>(-1L);
}

/// Runs `record` with the shim marked as being at work, unless there is no recording or it is already.
template <typename Record>
void recorded(Record record) {
  if (!the_recording || thread_state.inside) return;
  ErrnoKeeper errno_keeper;
  thread_state.inside = true;
  reopen_after_fork();
  record(static_cast<uint32_t>(recording_ms(monotonic_ns())));
  thread_state.inside = false;
}

void record_mapped(long address, size_t length) {
  recorded([&](uint32_t now_ms) {
    mapping_add(the_recording, static_cast<uint64_t>(address), length, site_of_caller(), now_ms);
  });
}

void record_unmapped(const void* address, size_t length) {
  recorded(
      [&](uint32_t) { mapping_remove(the_recording, reinterpret_cast<uint64_t>(address), length); });
}

void record_brk(int64_t growth_bytes) {
  if (the_recording)
    add_relaxed(&the_recording->header.foreign_brk_bytes, static_cast<uint64_t>(growth_bytes));
}

}  // namespace

void resolve_interposed() {
  next_dlclose = reinterpret_cast<int (*)(void*)>(dlsym(kRealScope, "dlclose"));
  next_sbrk = reinterpret_cast<void* (*)(intptr_t)>(dlsym(kRealScope, "sbrk"));
  next_brk = reinterpret_cast<int (*)(void*)>(dlsym(kRealScope, "brk"));
  next_fork = reinterpret_cast<pid_t (*)()>(dlsym(kRealScope, "_Fork"));
}

/// An allocator that comes after the shim may call sbrk in its constructor, before any malloc.
static void resolve_once() {
  if (!next_sbrk) resolve_interposed();
}

void note_bypass() {
  void* first = dlsym(RTLD_DEFAULT, "malloc");
  Dl_info mine{};
  Dl_info theirs{};
  if (!first || !dladdr(first, &theirs) || !dladdr(reinterpret_cast<void*>(&note_bypass), &mine))
    return;
  if (theirs.dli_fbase == mine.dli_fbase) return;
  if (is_stub_of_program(first)) return;  // it leads here
  recording::Header& header = the_recording->header;
  header.flags |= recording::kFlagBypassed;
  memset(header.backend_name, 0, sizeof header.backend_name);
  append(header.backend_name, sizeof header.backend_name, theirs.dli_fname);
}

extern "C" {

SHIM_EXPORT void* mmap(void* at, size_t length, int protection, int flags, int fd, off_t offset) {
  long address = raw_syscall(SYS_mmap, reinterpret_cast<long>(at), static_cast<long>(length),
                             protection, flags, fd, offset);
  // A file's mapping says for itself in smaps what it is; it may stand where one of ours stood.
  if (!is_error(address)) {
    if (flags & MAP_ANONYMOUS)
      record_mapped(address, length);
    else if (flags & MAP_FIXED)
      record_unmapped(reinterpret_cast<void*>(address), length);
  }
  return libc_result<void*>(address);
}

SHIM_EXPORT void* mmap64(void* at, size_t length, int protection, int flags, int fd, off64_t offset) {
  return mmap(at, length, protection, flags, fd, offset);
}

SHIM_EXPORT int munmap(void* address, size_t length) {
  // Entered before the call: once it is done another thread may be given the same range.
  record_unmapped(address, length);
  return static_cast<int>(reinterpret_cast<long>(libc_result<void*>(
      raw_syscall(SYS_munmap, reinterpret_cast<long>(address), static_cast<long>(length)))));
}

SHIM_EXPORT void* mremap(void* old, size_t old_length, size_t new_length, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  long wanted = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? va_arg(rest, long) : 0;
  va_end(rest);
  // As munmap: out of the table before the kernel may give the range away, back in if it refuses.
  if (!(flags & MREMAP_DONTUNMAP)) record_unmapped(old, old_length);
  long address = raw_syscall(SYS_mremap, reinterpret_cast<long>(old), static_cast<long>(old_length),
                             static_cast<long>(new_length), flags, wanted);
  if (!is_error(address))
    record_mapped(address, new_length);
  else if (!(flags & MREMAP_DONTUNMAP))
    record_mapped(reinterpret_cast<long>(old), old_length);
  return libc_result<void*>(address);
}

SHIM_EXPORT void* sbrk(intptr_t growth) {
  resolve_once();
  void* before = next_sbrk(growth);
  if (before != reinterpret_cast<void*>(-1)) record_brk(growth);
  return before;
}

SHIM_EXPORT int brk(void* end) {
  resolve_once();
  void* before = next_sbrk(0);
  int result = next_brk(end);
  if (result == 0) record_brk(static_cast<char*>(end) - static_cast<char*>(before));
  return result;
}

/// fork without handlers, from glibc 2.34 on. fork itself runs ours.
SHIM_EXPORT pid_t _Fork() {
  resolve_once();
  if (!next_fork) {
    errno = ENOSYS;
    return -1;
  }
  pid_t child = next_fork();
  if (child == 0) leave_parents_recording();
  return child;
}

SHIM_EXPORT int dlclose(void* handle) {
  resolve_once();
  int result = next_dlclose(handle);
  if (the_recording) {
    ErrnoKeeper errno_keeper;
    unwind_forget_modules();
    mark_unloaded_modules(the_recording, recording_ms(monotonic_ns()));
    __atomic_fetch_or(&the_recording->header.flags, recording::kFlagDlcloseSeen, __ATOMIC_RELAXED);
  }
  return result;
}

}  // extern "C"
}  // namespace shim
