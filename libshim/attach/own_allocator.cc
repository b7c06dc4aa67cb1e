// SPDX-License-Identifier: Apache-2.0
#include "libshim/attach/own_allocator.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "backends/foreign.h"
#include "libshim/program_stub.h"

namespace shim {
namespace {

using recording::AttachResult;

const char* base_name(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

link_map* first_loaded() {
  // The handle of the program itself, which is never closed.
  return static_cast<link_map*>(dlopen(nullptr, RTLD_LAZY | RTLD_NOLOAD));
}

/// The first library after the program, in the order in which symbols are looked up, that defines
/// `name` itself.
void* definition_after_program(const char* name) {
  link_map* map = first_loaded();
  for (map = map ? map->l_next : nullptr; map; map = map->l_next) {
    // A map becomes a handle when it is opened: dlsym in one that came as a dependency is a crash.
    void* handle = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
    void* found = handle ? dlsym(handle, name) : nullptr;
    if (handle) dlclose(handle);
    if (found && base_of(found) == reinterpret_cast<const void*>(map->l_addr)) return found;
  }
  return nullptr;
}

bool in_program(const void* base) {
  Dl_info info;
  link_map* map = first_loaded();
  return map && dladdr(map->l_ld, &info) != 0 && info.dli_fbase == base;
}

}  // namespace

const void* base_of(const void* address) {
  Dl_info info;
  return address && dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

void* own_definition(const char* name) {
  void* found = dlsym(RTLD_DEFAULT, name);
  return found && is_stub_of_program(found) ? definition_after_program(name) : found;
}

AttachResult find_own_allocator(OwnAllocator* out) {
  void* found = own_definition("malloc");
  const char* module = found ? backends::module_of(found) : nullptr;
  if (!module) return AttachResult::kNoAllocator;
  if (strcmp(base_name(module), "libshim.so") == 0) return AttachResult::kPreloaded;
  if (in_program(base_of(found))) return AttachResult::kLinkedIn;
  // A handle whose first definition is this one, also where the program's stub would come first.
  void* handle = dlopen(module, RTLD_LAZY | RTLD_NOLOAD);
  if (!handle) return AttachResult::kNoAllocator;
  out->backend = backends::initialise_foreign(handle);
  if (!out->backend) return AttachResult::kNoAllocator;
  out->module_base = base_of(found);
  out->is_libc = out->backend->kind == recording::BackendKind::kGlibc;
  return out->backend->usable_size ? AttachResult::kDone : AttachResult::kNoUsableSize;
}

}  // namespace shim
