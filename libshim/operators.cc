// SPDX-License-Identifier: Apache-2.0
//
// Every operator new and delete. They must be exported: an allocator that comes after the shim and
// exports its own would be called past us. The standard defines most forms by others, and a program
// that replaces only operator new(size_t) and operator delete(void*), with a pool of its own perhaps,
// has replaced them all: so a form calls another through the GOT, which leads to the program's own
// where there is one. This file is compiled with -fsemantic-interposition to that end. Source: C++20
// [new.delete.single], [new.delete.array]; gcc libstdc++-v3/libsupc++ new_op*.cc, del_op*.cc.
//
// When memory runs out, the program's own libstdc++ does what the standard asks (new handlers,
// bad_alloc): its operator new calls malloc, which is ours.
#include <link.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>

#include "libshim/entries.h"
#include "libshim/exports.h"
#include "libshim/java/elf_symbols.h"
#include "libshim/process.h"
#include "libshim/unwind/module_list.h"

// The linker's own bounds of this library's image.
extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const char _end[] __attribute__((visibility("hidden")));

namespace shim {
namespace {

/// Whether what a name leads to is in this library.
template <typename Function>
bool is_ours(Function* function) {
  return reinterpret_cast<uintptr_t>(function) - reinterpret_cast<uintptr_t>(__ehdr_start) <
         reinterpret_cast<uintptr_t>(_end) - reinterpret_cast<uintptr_t>(__ehdr_start);
}

uint64_t symbol_of_libstdcxx(const char* name) {
  for (int attempt = 0; attempt < 100; ++attempt) {  // the list may be changing
    if (const link_map* library = find_listed_file("libstdc++.so."))
      return exported_symbol(library, name);
    sched_yield();
  }
  return 0;
}

/// Calls libstdc++'s own definition of the operator `name`, also where it was loaded with RTLD_LOCAL.
/// It is looked for in the loader's tables: there is no memory now, and dlopen takes some even for a
/// library that is there. Without libstdc++ nobody can catch a bad_alloc.
template <typename... Arguments>
SHIM_SLOW void* libstdcxx(const char* name, Arguments... arguments) {
  uint64_t symbol = symbol_of_libstdcxx(name);
  if (!symbol) {
    complain(
        "operator new failed, and the program has no libstdc++.so.6 to throw std::bad_alloc; aborting");
    abort();
  }
  return reinterpret_cast<void* (*)(Arguments...)>(symbol)(arguments...);
}

}  // namespace

// Named by their mangled names, as this file may not include <new>; const void* stands for
// const std::nothrow_t&, size_t for align_val_t: the same registers in the ABI.
extern "C" {

SHIM_EXPORT void* _Znwm(size_t size) {
  void* block = entry.malloc(size);
  return SHIM_LIKELY(block) ? block : libstdcxx("_Znwm", size);
}
SHIM_EXPORT void* _Znam(size_t size) { return _Znwm(size); }

SHIM_EXPORT void* _ZnwmSt11align_val_t(size_t size, size_t alignment) {
  void* block = entry.memalign(alignment, size);
  return SHIM_LIKELY(block) ? block : libstdcxx("_ZnwmSt11align_val_t", size, alignment);
}
SHIM_EXPORT void* _ZnamSt11align_val_t(size_t size, size_t alignment) {
  return _ZnwmSt11align_val_t(size, alignment);
}

// The nothrow forms call the throwing ones and catch what these throw, which here libstdc++ must do.

SHIM_EXPORT void* _ZnwmRKSt9nothrow_t(size_t size, const void* tag) {
  void* block = SHIM_LIKELY(is_ours(_Znwm)) ? entry.malloc(size) : nullptr;
  return SHIM_LIKELY(block) ? block : libstdcxx("_ZnwmRKSt9nothrow_t", size, tag);
}
SHIM_EXPORT void* _ZnamRKSt9nothrow_t(size_t size, const void* tag) {
  bool ours = is_ours(_Znam) && is_ours(_Znwm);
  void* block = SHIM_LIKELY(ours) ? entry.malloc(size) : nullptr;
  return SHIM_LIKELY(block) ? block : libstdcxx("_ZnamRKSt9nothrow_t", size, tag);
}
SHIM_EXPORT void* _ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void* tag) {
  void* block = SHIM_LIKELY(is_ours(_ZnwmSt11align_val_t)) ? entry.memalign(alignment, size) : nullptr;
  return SHIM_LIKELY(block) ? block
                            : libstdcxx("_ZnwmSt11align_val_tRKSt9nothrow_t", size, alignment, tag);
}
SHIM_EXPORT void* _ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void* tag) {
  bool ours = is_ours(_ZnamSt11align_val_t) && is_ours(_ZnwmSt11align_val_t);
  void* block = SHIM_LIKELY(ours) ? entry.memalign(alignment, size) : nullptr;
  return SHIM_LIKELY(block) ? block
                            : libstdcxx("_ZnamSt11align_val_tRKSt9nothrow_t", size, alignment, tag);
}

// The size that a sized delete brings is dropped: a program may be wrong about it, and what it would
// save is two to four instructions.
SHIM_EXPORT void _ZdlPv(void* block) { free_block(block); }
SHIM_EXPORT void _ZdlPvm(void* block, size_t) { _ZdlPv(block); }
SHIM_EXPORT void _ZdlPvRKSt9nothrow_t(void* block, const void*) { _ZdlPv(block); }
SHIM_EXPORT void _ZdaPv(void* block) { _ZdlPv(block); }
SHIM_EXPORT void _ZdaPvm(void* block, size_t) { _ZdaPv(block); }
SHIM_EXPORT void _ZdaPvRKSt9nothrow_t(void* block, const void*) { _ZdaPv(block); }

SHIM_EXPORT void _ZdlPvSt11align_val_t(void* block, size_t) { free_block(block); }
SHIM_EXPORT void _ZdlPvmSt11align_val_t(void* block, size_t, size_t alignment) {
  _ZdlPvSt11align_val_t(block, alignment);
}
SHIM_EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void* block, size_t alignment, const void*) {
  _ZdlPvSt11align_val_t(block, alignment);
}
SHIM_EXPORT void _ZdaPvSt11align_val_t(void* block, size_t alignment) {
  _ZdlPvSt11align_val_t(block, alignment);
}
SHIM_EXPORT void _ZdaPvmSt11align_val_t(void* block, size_t, size_t alignment) {
  _ZdaPvSt11align_val_t(block, alignment);
}
SHIM_EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void* block, size_t alignment, const void*) {
  _ZdaPvSt11align_val_t(block, alignment);
}

}  // extern "C"
}  // namespace shim
