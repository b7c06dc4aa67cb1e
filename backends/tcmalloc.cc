// SPDX-License-Identifier: Apache-2.0
//
// The embedded tcmalloc: Debian's libtcmalloc_minimal.a under names of ours (tcmalloc.names, embed.sh).
// TCMALLOC_* work as ever.
#include <errno.h>
#include <stdint.h>

#include "backends/answers.h"
#include "backends/backend.h"
#include "backends/embedded.h"
#include "backends/table.h"
#include "backends/tcmalloc_extension.h"
#include "backends/text.h"

#pragma GCC visibility push(hidden)
extern "C" {
void* backend_tcmalloc_malloc(size_t);
void backend_tcmalloc_free(void*);
void* backend_tcmalloc_calloc(size_t, size_t);
void* backend_tcmalloc_realloc(void*, size_t);
void* backend_tcmalloc_memalign(size_t, size_t);
int backend_tcmalloc_posix_memalign(void**, size_t, size_t);
void* backend_tcmalloc_valloc(size_t);
void* backend_tcmalloc_pvalloc(size_t);
size_t backend_tcmalloc_malloc_size(void*);
size_t backend_tcmalloc_nallocx(size_t, int);
int backend_tcmalloc_mallopt(int, int);
void backend_tcmalloc_malloc_stats();
const char* backend_tcmalloc_version(int*, int*, const char**);
int backend_tcmalloc_get_numeric_property(const char*, size_t*);
void backend_tcmalloc_release_free_memory();

extern const backends::Constructor __start_tcmalloc_init[];
extern const backends::Constructor __stop_tcmalloc_init[];
}
#pragma GCC visibility pop

namespace backends {

namespace {

/// tcmalloc's leaves errno alone when the product overflows.
void* calloc(size_t count, size_t size) {
  void* block = backend_tcmalloc_calloc(count, size);
  if (block == nullptr) errno = ENOMEM;
  return block;
}

/// tcmalloc's gives one page when rounding up overflows.
void* pvalloc(size_t size) {
  if (size <= PTRDIFF_MAX) return backend_tcmalloc_pvalloc(size);
  errno = ENOMEM;
  return nullptr;
}

char g_name[64] = "tcmalloc ";

constinit Backend g_backend = {
    .kind = recording::BackendKind::kTcmalloc,
    .name = g_name,
    .malloc = backend_tcmalloc_malloc,
    .free = backend_tcmalloc_free,
    .calloc = calloc,
    .realloc = backend_tcmalloc_realloc,
    .memalign = backend_tcmalloc_memalign,
    .posix_memalign = backend_tcmalloc_posix_memalign,
    .aligned_alloc = backend_tcmalloc_memalign,  // as tcmalloc's own override has it
    .valloc = backend_tcmalloc_valloc,
    .pvalloc = pvalloc,
    .usable_size = backend_tcmalloc_malloc_size,
    .mallopt = backend_tcmalloc_mallopt,
    .malloc_trim = tcmalloc_extension::malloc_trim,
    .malloc_stats = backend_tcmalloc_malloc_stats,
    .malloc_info = nullptr,
    .mallinfo2 = tcmalloc_extension::mallinfo2,
    .statistics = tcmalloc_extension::statistics,
    .thread_byte_counters = nullptr,
    .stateless_usable_size = nullptr,
    .good_size = tcmalloc_extension::good_size,
};

}  // namespace

const Backend* initialise_tcmalloc() {
  tcmalloc_extension::use({backend_tcmalloc_get_numeric_property, backend_tcmalloc_release_free_memory,
                           backend_tcmalloc_nallocx});
  run_constructors(__start_tcmalloc_init, __stop_tcmalloc_init);
  int major = 0;
  int minor = 0;
  const char* patch = "";
  backend_tcmalloc_version(&major, &minor, &patch);
  Text(g_name, sizeof g_name) << "tcmalloc " << static_cast<uint64_t>(major) << "."
                              << static_cast<uint64_t>(minor) << patch;
  return &g_backend;
}

}  // namespace backends
