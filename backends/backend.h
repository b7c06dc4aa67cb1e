// SPDX-License-Identifier: Apache-2.0
//
// The contract between the shim and an allocator. In-target world: no exceptions, no RTTI, no
// allocation, nothing of libstdc++ that needs linking (design: libshim/README.md).
//
// Stated once, for every function below: callable from any thread and in any state of the process in
// which libc's malloc is callable, before constructors included; libc's own contract for errno; never
// calls back into the shim's entry points. A null pointer in the table means "this allocator has none"
// and the shim answers for it (entry_points.cc says how).
#pragma once

#include <cstddef>
#include <cstdint>

#include "libshim/recording_layout.h"

namespace backends {

struct Backend {
  recording::BackendKind kind;
  const char* name;  ///< "glibc 2.36", "jemalloc 5.3.0-...", "tcmalloc 2.10", or a path

  void* (*malloc)(size_t);
  void (*free)(void*);
  void* (*calloc)(size_t, size_t);
  void* (*realloc)(void*, size_t);
  void* (*memalign)(size_t, size_t);
  int (*posix_memalign)(void**, size_t, size_t);
  void* (*aligned_alloc)(size_t, size_t);
  void* (*valloc)(size_t);
  void* (*pvalloc)(size_t);
  size_t (*usable_size)(void*);  ///< 0 of null

  int (*mallopt)(int, int);
  int (*malloc_trim)(size_t);
  void (*malloc_stats)();
  int (*malloc_info)(int, void* /* FILE* */);
  /// Fills glibc's `struct mallinfo2` (ten size_t, malloc.h); mallinfo is derived from it.
  void (*mallinfo2)(void* out);

  /// Refreshes the backend's own statistics. Slow path only, at most once a second, never re-entered.
  void (*statistics)(recording::BackendStatistics* out);
  /// jemalloc only: addresses of this thread's exact byte counters (thread.allocatedp/deallocatedp).
  bool (*thread_byte_counters)(uint64_t** allocated, uint64_t** deallocated);
  /// jemalloc only: usable_size that makes nothing for the calling thread, which may be past its
  /// destructors: jemalloc's own gives it a cache, and what stays of that in its lists is unmapped
  /// soon.
  size_t (*stateless_usable_size)(void*);
  /// What nallocx answers: usable bytes that a request of `size` would get; tcmalloc and jemalloc.
  size_t (*good_size)(size_t size);
};

/// The shim's hooks that embedded backends' redirected mmap/munmap/sbrk report to. Defined in libshim.
/// Called from inside the backend, possibly with its locks held: must not allocate or lock.
extern "C" void shim_backend_mapped(void* begin, size_t bytes);
extern "C" void shim_backend_unmapped(void* begin, size_t bytes);

/// A parsed OFFHEAP_BACKEND and OFFHEAP_GLIBC_*; strings point into the environment.
struct Choice {
  const char* backend = nullptr;  ///< next, glibc, tcmalloc, jemalloc, or a path; null = next
  int64_t arena_max = -1;         ///< OFFHEAP_GLIBC_ARENA_MAX: N, kAuto, or -1 = leave
  int64_t trim_threshold = -1;    ///< OFFHEAP_GLIBC_TRIM_THRESHOLD, bytes
  int64_t mmap_threshold = -1;    ///< OFFHEAP_GLIBC_MMAP_THRESHOLD, bytes
  int64_t tcache_count = -1;      ///< OFFHEAP_GLIBC_TCACHE_COUNT, see tuning.h for what is possible
  static constexpr int64_t kAuto = -2;
};

/// Chooses, initialises and describes the backend. Called once, at the process's first allocation, on
/// one thread, before any block has been handed out. dlsym/dlopen made inside may allocate: the shim
/// serves those from its early arena. Never fails: a backend that cannot be had yields `next`, with one
/// line for fd 2 in `complaint` (what, why, and the LD_PRELOAD line that would work).
const Backend* choose(const Choice& choice, char* complaint, size_t complaint_bytes);

/// Does what must wait until libc's constructors have run and none of its locks is held: mallopt
/// tuning, arena auto by cgroup, and the reason why a path could not be loaded (dlerror). One line a
/// complaint.
void tune(const Backend* backend, const Choice& choice, char* complaint, size_t complaint_bytes);

}  // namespace backends
