// SPDX-License-Identifier: Apache-2.0
#include "backends/foreign.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/answers.h"
#include "backends/glibc.h"
#include "backends/jemalloc_control.h"
#include "backends/table.h"
#include "backends/tcmalloc_extension.h"
#include "backends/text.h"

namespace backends {

namespace {

constinit Backend g_backend = {};
char g_name[sizeof recording::Header::backend_name];
/// What only some allocators have, and the stand-ins below call.
using Mallinfo2 = WideMallinfo();
using MallocInfo = int(int, FILE*);
constinit Mallinfo2* g_mallinfo2 = nullptr;
constinit MallocInfo* g_malloc_info = nullptr;

const void* module_base(const void* address) {
  Dl_info info;
  return dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

/// The symbols of one module: those that `handle` finds elsewhere do not count.
class Module {
 public:
  Module(void* handle, const void* member) : handle_(handle), base_(module_base(member)) {}

  template <typename Function>
  bool find(Function** out, const char* name) const {
    void* address = dlsym(handle_, name);
    if (address == nullptr || module_base(address) != base_) return false;
    *out = reinterpret_cast<Function*>(address);
    return true;
  }

 private:
  void* handle_;
  const void* base_;
};

// Stand-ins for what an allocator lacks, over what it has.

size_t page_bytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

bool is_power_of_two(size_t number) { return number != 0 && (number & (number - 1)) == 0; }

void* memalign_over_posix(size_t alignment, size_t size) {
  void* block = nullptr;
  int error =
      g_backend.posix_memalign(&block, alignment < sizeof(void*) ? sizeof(void*) : alignment, size);
  if (error == 0) return block;
  errno = error;
  return nullptr;
}

int posix_memalign_over_memalign(void** out, size_t alignment, size_t size) {
  if (alignment % sizeof(void*) != 0 || !is_power_of_two(alignment)) return EINVAL;
  void* block = g_backend.memalign(alignment, size);
  if (block == nullptr) return ENOMEM;
  *out = block;
  return 0;
}

void* valloc_over_memalign(size_t size) { return g_backend.memalign(page_bytes(), size); }

void* pvalloc_over_memalign(size_t size) {
  size_t page = page_bytes();
  size_t rounded = (size + page - 1) & ~(page - 1);
  return g_backend.memalign(page, rounded < size ? SIZE_MAX : rounded);
}

void mallinfo2_of_module(void* out) {
  WideMallinfo info = g_mallinfo2();
  memcpy(out, &info, sizeof info);
}

int malloc_info_of_module(int options, void* file) {
  return g_malloc_info(options, static_cast<FILE*>(file));
}

/// What the dynamic linker would have found without the shim.
template <typename Function>
void take_linkers(Function** out, void* handle, const char* name) {
  *out = reinterpret_cast<Function*>(dlsym(handle, name));
}

void find_aligned_family(const Module& module, void* handle) {
  bool has_posix = module.find(&g_backend.posix_memalign, "posix_memalign");
  bool has_memalign = module.find(&g_backend.memalign, "memalign");
  if (!has_memalign) has_memalign = module.find(&g_backend.memalign, "aligned_alloc");
  if (!has_posix && !has_memalign) {
    // Not an allocator but a wrapper of some functions of another: that one answers for the rest.
    take_linkers(&g_backend.posix_memalign, handle, "posix_memalign");
    take_linkers(&g_backend.memalign, handle, "memalign");
  } else if (!has_memalign) {
    g_backend.memalign = memalign_over_posix;
  } else if (!has_posix) {
    g_backend.posix_memalign = posix_memalign_over_memalign;
  }
  if (!module.find(&g_backend.aligned_alloc, "aligned_alloc"))
    g_backend.aligned_alloc = g_backend.memalign;
  if (!module.find(&g_backend.valloc, "valloc")) g_backend.valloc = valloc_over_memalign;
  if (!module.find(&g_backend.pvalloc, "pvalloc")) g_backend.pvalloc = pvalloc_over_memalign;
}

void find_core(const Module& module, void* handle) {
  if (!module.find(&g_backend.calloc, "calloc")) take_linkers(&g_backend.calloc, handle, "calloc");
  if (!module.find(&g_backend.realloc, "realloc")) take_linkers(&g_backend.realloc, handle, "realloc");
  module.find(&g_backend.usable_size, "malloc_usable_size");
}

void find_reports(const Module& module) {
  module.find(&g_backend.mallopt, "mallopt");
  module.find(&g_backend.malloc_trim, "malloc_trim");
  module.find(&g_backend.malloc_stats, "malloc_stats");
  if (module.find(&g_malloc_info, "malloc_info")) g_backend.malloc_info = malloc_info_of_module;
  if (module.find(&g_mallinfo2, "mallinfo2")) g_backend.mallinfo2 = mallinfo2_of_module;
}

bool recognise_jemalloc(const Module& module, Text& name) {
  jemalloc_control::Api api = {};
  if (!module.find(&api.mallctl, "mallctl") || !module.find(&api.nallocx, "nallocx") ||
      !module.find(&api.malloc_stats_print, "malloc_stats_print")) {
    return false;
  }
  jemalloc_control::use(api);
  g_backend.malloc_trim = jemalloc_control::malloc_trim;
  g_backend.malloc_stats = jemalloc_control::malloc_stats;
  g_backend.mallinfo2 = jemalloc_control::mallinfo2;
  g_backend.statistics = jemalloc_control::statistics;
  g_backend.thread_byte_counters = jemalloc_control::thread_byte_counters;
  g_backend.good_size = jemalloc_control::good_size;
  name << "jemalloc ";
  const char* version = jemalloc_control::version();
  while (version != nullptr && *version != '\0' && *version != '-') name.put(*version++);
  return true;
}

bool recognise_tcmalloc(const Module& module, Text& name) {
  tcmalloc_extension::Api api = {};
  if (!module.find(&api.get_numeric_property, "MallocExtension_GetNumericProperty") ||
      !module.find(&api.release_free_memory, "MallocExtension_ReleaseFreeMemory")) {
    return false;
  }
  if (module.find(&api.nallocx, "tc_nallocx")) g_backend.good_size = tcmalloc_extension::good_size;
  tcmalloc_extension::use(api);
  g_backend.malloc_trim = tcmalloc_extension::malloc_trim;
  g_backend.mallinfo2 = tcmalloc_extension::mallinfo2;
  g_backend.statistics = tcmalloc_extension::statistics;
  name << "tcmalloc";
  const char* (*version)(int*, int*, const char**) = nullptr;
  if (module.find(&version, "tc_version")) {
    int major = 0;
    int minor = 0;
    const char* patch = "";
    version(&major, &minor, &patch);
    name << " " << static_cast<uint64_t>(major) << "." << static_cast<uint64_t>(minor) << patch;
  }
  return true;
}

bool recognise_mimalloc(const Module& module, Text& name) {
  int (*version)() = nullptr;
  if (!module.find(&version, "mi_version")) return false;
  auto number = static_cast<uint64_t>(version());
  name << "mimalloc " << number / 100 << "." << number / 10 % 10 << "." << number % 10;
  return true;
}

/// "jemalloc 5.3.0 (/usr/lib/libjemalloc.so.2)", the file's name alone where the path does not fit, or
/// the path alone.
void recognise(const Module& module, const char* path) {
  Text name(g_name, sizeof g_name);
  bool known = recognise_jemalloc(module, name) || recognise_tcmalloc(module, name) ||
               recognise_mimalloc(module, name);
  if (!known) {
    name << path;
    return;
  }
  const char* file = strrchr(path, '/');
  bool fits = strlen(g_name) + strlen(path) + strlen(" ()") < sizeof g_name;
  name << " (" << (fits || file == nullptr ? path : file + 1) << ")";
}

}  // namespace

const char* module_of(const void* address) {
  Dl_info info;
  return dladdr(address, &info) != 0 ? info.dli_fname : nullptr;
}

const Backend* initialise_foreign(void* handle) {
  void* found = dlsym(handle, "malloc");
  void* found_free = dlsym(handle, "free");
  if (found == nullptr || found_free == nullptr) return nullptr;
  if (glibc::holds(found)) return initialise_glibc();

  Module module(handle, found);
  g_backend = {};
  g_backend.kind = recording::BackendKind::kForeign;
  g_backend.name = g_name;
  g_backend.malloc = reinterpret_cast<void* (*)(size_t)>(found);
  g_backend.free = reinterpret_cast<void (*)(void*)>(found_free);
  find_core(module, handle);
  find_aligned_family(module, handle);
  find_reports(module);
  const char* path = module_of(found);
  recognise(module, path != nullptr ? path : "unknown module");
  return &g_backend;
}

}  // namespace backends
