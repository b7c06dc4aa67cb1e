// SPDX-License-Identifier: Apache-2.0
//
// An allocator opened by path. RTLD_DEEPBIND, so that the allocator's own calls of malloc, mmap and the
// like reach itself and libc, and do not come back into the shim.
//
// The process's first allocation may be made inside setlocale. dlopen and dlsym are safe there, dlerror
// is not: it translates its text, for which it takes the lock that setlocale holds, and a later call
// hangs. So the reason of a failure is found out again later, in explain_path_failure.
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "backends/foreign.h"
#include "backends/table.h"

namespace backends {

namespace {

constinit const char* g_failed_path = nullptr;

void* open_allocator(const char* path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND); }

/// Whether a preload of the same file would do better than dlopen did.
bool preload_would_work(const char* why) { return strstr(why, "static TLS") != nullptr; }

void complain_unloadable(const char* path, const char* why, Text& complaint) {
  complaint.line() << "OFFHEAP_BACKEND=" << path << " cannot be loaded: " << why;
  if (preload_would_work(why)) {
    const char* self = module_of(reinterpret_cast<const void*>(&complain_unloadable));
    complaint << "; this works: OFFHEAP_BACKEND=next LD_PRELOAD="
              << (self != nullptr ? self : "libshim.so") << ":" << path;
  }
  complaint << "; using next";
}

/// Whether the object behind `handle` defines `name` itself; dlsym would also find its dependencies'.
bool defines(void* handle, const char* name) {
  void* address = dlsym(handle, name);
  link_map* opened = nullptr;
  link_map* holder = nullptr;
  Dl_info info;
  return address != nullptr && dlinfo(handle, RTLD_DI_LINKMAP, &opened) == 0 &&
         dladdr1(address, &info, reinterpret_cast<void**>(&holder), RTLD_DL_LINKMAP) != 0 &&
         opened == holder;
}

}  // namespace

const Backend* initialise_path(const char* path, Text& complaint) {
  void* handle = open_allocator(path);
  if (handle == nullptr) {
    g_failed_path = path;
    return nullptr;
  }
  if (!defines(handle, "malloc") || !defines(handle, "free")) {
    complain_unloadable(path, "it has no malloc and free of its own", complaint);
    return nullptr;
  }
  return initialise_foreign(handle);
}

void explain_path_failure(Text& complaint) {
  if (g_failed_path == nullptr) return;
  void* handle = open_allocator(g_failed_path);
  const char* why = handle == nullptr ? dlerror() : nullptr;
  complain_unloadable(g_failed_path, why != nullptr ? why : "it could not be at the first allocation",
                      complaint);
  if (handle != nullptr) dlclose(handle);
  g_failed_path = nullptr;
}

}  // namespace backends
