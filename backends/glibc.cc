// SPDX-License-Identifier: Apache-2.0
//
// glibc's malloc through its __libc_* names, without dlsym: the dynamic linker has them bound before
// the first allocation. Some allocators (tcmalloc, mimalloc) define those names too; where one of them
// is loaded, libc.so.6 itself is asked. For posix_memalign and aligned_alloc glibc has no such names;
// they are written over __libc_memalign as glibc's malloc.c has them.
#include "backends/glibc.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/answers.h"
#include "backends/backend.h"
#include "backends/table.h"
#include "backends/text.h"

extern "C" {
void* __libc_malloc(size_t) noexcept;
void __libc_free(void*) noexcept;
void* __libc_calloc(size_t, size_t) noexcept;
void* __libc_realloc(void*, size_t) noexcept;
void* __libc_memalign(size_t, size_t) noexcept;
void* __libc_valloc(size_t) noexcept;
void* __libc_pvalloc(size_t) noexcept;
}

namespace backends {

namespace glibc {

void* function(const char* name) {
  // The handle's scope is libc.so.6 and what it needs, so the shim's symbols are out of sight.
  void* libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  return libc != nullptr ? dlsym(libc, name) : nullptr;
}

bool holds(const void* address) {
  Dl_info ours;
  Dl_info asked;
  // A name that no allocator takes.
  return dladdr(reinterpret_cast<const void*>(gnu_get_libc_version), &ours) != 0 &&
         dladdr(address, &asked) != 0 && ours.dli_fbase == asked.dli_fbase;
}

namespace {

/// What lies between an mmapped block and the end of its chunk, which no next chunk follows: both words
/// of the header. From glibc 2.43 on such a chunk begins a word early, and ends as all others do.
size_t g_mmapped_header_bytes = 2 * sizeof(size_t);

/// What asks and tunes glibc. Looked up once: dlopen allocates, and mallinfo2 must not change the heap
/// that it describes.
struct Controls {
  int (*mallopt)(int, int);
  int (*malloc_trim)(size_t);
  void (*malloc_stats)();
  int (*malloc_info)(int, FILE*);
  WideMallinfo (*mallinfo2)();
  struct mallinfo (*mallinfo)();
};
Controls g_controls;

template <typename Function>
void look_up(Function* out, const char* name) {
  *out = reinterpret_cast<Function>(function(name));
}

const Controls& controls() {
  if (g_controls.mallopt == nullptr) resolve_controls();
  return g_controls;
}

}  // namespace

void resolve_controls() {
  look_up(&g_controls.malloc_trim, "malloc_trim");
  look_up(&g_controls.malloc_stats, "malloc_stats");
  look_up(&g_controls.malloc_info, "malloc_info");
  look_up(&g_controls.mallinfo2, "mallinfo2");
  look_up(&g_controls.mallinfo, "mallinfo");
  look_up(&g_controls.mallopt, "mallopt");
}

int mallopt(int parameter, int value) {
  auto* real = controls().mallopt;
  return real != nullptr ? real(parameter, value) : 0;
}

uint64_t mmapped_header_bytes() { return g_mmapped_header_bytes; }

int minor_version() {
  const char* version = gnu_get_libc_version();
  const char* dot = strchr(version, '.');
  return dot != nullptr ? atoi(dot + 1) : 0;
}

}  // namespace glibc

namespace {

extern constinit Backend g_backend;

bool is_power_of_two(size_t number) { return number != 0 && (number & (number - 1)) == 0; }

/// Source: glibc 2.36 malloc/malloc.c, __posix_memalign.
int posix_memalign(void** out, size_t alignment, size_t size) {
  if (alignment % sizeof(void*) != 0 || !is_power_of_two(alignment)) return EINVAL;
  void* block = g_backend.memalign(alignment, size);
  if (block == nullptr) return ENOMEM;
  *out = block;
  return 0;
}

/// Since glibc 2.38; before that aligned_alloc is memalign.
void* strict_aligned_alloc(size_t alignment, size_t size) {
  if (is_power_of_two(alignment)) return g_backend.memalign(alignment, size);
  errno = EINVAL;
  return nullptr;
}

/// Source: glibc 2.36 malloc/malloc.c, musable: the size word before the block, less the header, which
/// is one word, as a block's last word is the next chunk's first; for a chunk of its own mapping (bit
/// 1) see above.
size_t usable_size(void* block) {
  if (block == nullptr) return 0;
  constexpr size_t kFlags = 7;
  constexpr size_t kIsMmapped = 2;
  size_t header;
  memcpy(&header, static_cast<char*>(block) - sizeof header, sizeof header);
  return (header & ~kFlags) -
         ((header & kIsMmapped) != 0 ? glibc::g_mmapped_header_bytes : sizeof header);
}

int malloc_trim(size_t pad) {
  auto* real = glibc::controls().malloc_trim;
  return real != nullptr ? real(pad) : 0;
}

void malloc_stats() {
  if (auto* real = glibc::controls().malloc_stats) real();
}

int malloc_info(int options, void* file) {
  auto* real = glibc::controls().malloc_info;
  return real != nullptr ? real(options, static_cast<FILE*>(file)) : ENOSYS;
}

/// Before glibc 2.33 there is only mallinfo, whose fields are ints that wrap at 4 GiB.
WideMallinfo widen(const struct mallinfo& narrow) {
  auto wide = [](int field) { return static_cast<size_t>(static_cast<unsigned>(field)); };
  return {.arena = wide(narrow.arena),
          .ordblks = wide(narrow.ordblks),
          .smblks = wide(narrow.smblks),
          .hblks = wide(narrow.hblks),
          .hblkhd = wide(narrow.hblkhd),
          .usmblks = wide(narrow.usmblks),
          .fsmblks = wide(narrow.fsmblks),
          .uordblks = wide(narrow.uordblks),
          .fordblks = wide(narrow.fordblks),
          .keepcost = wide(narrow.keepcost)};
}

void mallinfo2(void* out) {
  WideMallinfo info = {};
  if (auto* real = glibc::controls().mallinfo2) {
    info = real();
  } else if (auto* old = glibc::controls().mallinfo) {
    info = widen(old());
  }
  memcpy(out, &info, sizeof info);
}

char g_name[64];

constinit Backend g_backend = {
    .kind = recording::BackendKind::kGlibc,
    .name = g_name,
    .malloc = __libc_malloc,
    .free = __libc_free,
    .calloc = __libc_calloc,
    .realloc = __libc_realloc,
    .memalign = __libc_memalign,
    .posix_memalign = posix_memalign,
    .aligned_alloc = __libc_memalign,
    .valloc = __libc_valloc,
    .pvalloc = __libc_pvalloc,
    .usable_size = usable_size,
    .mallopt = glibc::mallopt,
    .malloc_trim = malloc_trim,
    .malloc_stats = malloc_stats,
    .malloc_info = malloc_info,
    .mallinfo2 = mallinfo2,
    // glibc's mallinfo2 walks every free chunk under each arena's lock: too dear for a tick, and the
    // tools read the same from outside, exactly.
    .statistics = nullptr,
    .thread_byte_counters = nullptr,
    .stateless_usable_size = nullptr,
    .good_size = nullptr,
};

template <typename Function>
void take(Function** out, const char* name) {
  if (void* address = glibc::function(name)) *out = reinterpret_cast<Function*>(address);
}

/// Kind kForeign, as the shim's code for kGlibc goes by the names that are taken.
void take_from_libc_itself() {
  g_backend.kind = recording::BackendKind::kForeign;
  take(&g_backend.malloc, "__libc_malloc");
  take(&g_backend.free, "__libc_free");
  take(&g_backend.calloc, "__libc_calloc");
  take(&g_backend.realloc, "__libc_realloc");
  take(&g_backend.memalign, "__libc_memalign");
  take(&g_backend.valloc, "__libc_valloc");
  take(&g_backend.pvalloc, "__libc_pvalloc");
}

}  // namespace

const Backend* initialise_glibc() {
  Text(g_name, sizeof g_name) << "glibc " << gnu_get_libc_version();
  if (!glibc::holds(reinterpret_cast<const void*>(__libc_malloc))) take_from_libc_itself();
  if (glibc::minor_version() >= 43) glibc::g_mmapped_header_bytes = sizeof(size_t);
  g_backend.aligned_alloc = glibc::minor_version() >= 38 ? strict_aligned_alloc : g_backend.memalign;
  return &g_backend;
}

}  // namespace backends
