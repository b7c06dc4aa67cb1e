// SPDX-License-Identifier: Apache-2.0
//
// The embedded jemalloc: Debian's libjemalloc_pic.a under names of ours (jemalloc.names, embed.sh).
// MALLOC_CONF and /etc/malloc.conf work as ever; a `malloc_conf` variable of the program does not, as
// the embedded jemalloc's own is local to it.
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "backends/answers.h"
#include "backends/backend.h"
#include "backends/embedded.h"
#include "backends/jemalloc_control.h"
#include "backends/table.h"
#include "backends/text.h"

#pragma GCC visibility push(hidden)
extern "C" {
void* backend_jemalloc_malloc(size_t);
void backend_jemalloc_free(void*);
void* backend_jemalloc_calloc(size_t, size_t);
void* backend_jemalloc_realloc(void*, size_t);
void* backend_jemalloc_memalign(size_t, size_t);
int backend_jemalloc_posix_memalign(void**, size_t, size_t);
void* backend_jemalloc_aligned_alloc(size_t, size_t);
void* backend_jemalloc_valloc(size_t);
size_t backend_jemalloc_malloc_usable_size(void*);
size_t backend_jemalloc_salloc(void* thread, const void*);
size_t backend_jemalloc_nallocx(size_t, int);
int backend_jemalloc_mallctl(const char*, void*, size_t*, void*, size_t);
void backend_jemalloc_malloc_stats_print(void (*)(void*, const char*), void*, const char*);

extern const backends::Constructor __start_jemalloc_init[];
extern const backends::Constructor __stop_jemalloc_init[];

int backend_jemalloc_unwind_backtrace(int (*)(void*, void*), void*);
uintptr_t backend_jemalloc_unwind_get_ip(void*);
}
#pragma GCC visibility pop

namespace backends {

namespace {

// jemalloc's memalign and valloc leave errno alone when they fail.

void* memalign(size_t alignment, size_t size) {
  void* block = backend_jemalloc_memalign(alignment, size);
  if (block == nullptr) errno = __builtin_popcountl(alignment) == 1 ? ENOMEM : EINVAL;
  return block;
}

void* valloc(size_t size) {
  void* block = backend_jemalloc_valloc(size);
  if (block == nullptr) errno = ENOMEM;
  return block;
}

/// Source: jemalloc 5.3.0 src/tcache.c, tcache_salloc, which takes a thread's state or null.
size_t stateless_usable_size(void* block) { return backend_jemalloc_salloc(nullptr, block); }

/// jemalloc has none: whole pages.
void* pvalloc(size_t size) {
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t rounded = (size + page - 1) & ~(page - 1);
  return memalign(page, rounded < size ? SIZE_MAX : rounded);
}

char g_name[64] = "jemalloc ";

constinit Backend g_backend = {
    .kind = recording::BackendKind::kJemalloc,
    .name = g_name,
    .malloc = backend_jemalloc_malloc,
    .free = backend_jemalloc_free,
    .calloc = backend_jemalloc_calloc,
    .realloc = backend_jemalloc_realloc,
    .memalign = memalign,
    .posix_memalign = backend_jemalloc_posix_memalign,
    .aligned_alloc = backend_jemalloc_aligned_alloc,
    .valloc = valloc,
    .pvalloc = pvalloc,
    .usable_size = backend_jemalloc_malloc_usable_size,
    .mallopt = nullptr,
    .malloc_trim = jemalloc_control::malloc_trim,
    .malloc_stats = jemalloc_control::malloc_stats,
    .malloc_info = nullptr,
    .mallinfo2 = jemalloc_control::mallinfo2,
    .statistics = jemalloc_control::statistics,
    .thread_byte_counters = jemalloc_control::thread_byte_counters,
    .stateless_usable_size = stateless_usable_size,
    .good_size = jemalloc_control::good_size,
};

/// The process's own unwinder, which only MALLOC_CONF=prof:true asks for. Null where the image has
/// none.
void* find_unwinder(const char* symbol) {
  void* libgcc = dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_LOCAL);
  return libgcc != nullptr ? dlsym(libgcc, symbol) : nullptr;
}

}  // namespace

const Backend* initialise_jemalloc() {
  jemalloc_control::use(
      {backend_jemalloc_mallctl, backend_jemalloc_nallocx, backend_jemalloc_malloc_stats_print});
  run_constructors(__start_jemalloc_init, __stop_jemalloc_init);
  const char* version = jemalloc_control::version();
  Text(g_name, sizeof g_name) << "jemalloc " << (version != nullptr ? version : "");
  return &g_backend;
}

}  // namespace backends

// jemalloc calls these once while it boots with prof:true, and after that at each of its own samples.
extern "C" int backend_jemalloc_unwind_backtrace(int (*each)(void*, void*), void* opaque) {
  using Function = int (*)(int (*)(void*, void*), void*);
  static constinit Function real = nullptr;
  if (real == nullptr) real = reinterpret_cast<Function>(backends::find_unwinder("_Unwind_Backtrace"));
  constexpr int kEndOfStack = 5;
  return real != nullptr ? real(each, opaque) : kEndOfStack;
}

extern "C" uintptr_t backend_jemalloc_unwind_get_ip(void* context) {
  using Function = uintptr_t (*)(void*);
  static constinit Function real = nullptr;
  if (real == nullptr) real = reinterpret_cast<Function>(backends::find_unwinder("_Unwind_GetIP"));
  return real != nullptr ? real(context) : 0;
}
