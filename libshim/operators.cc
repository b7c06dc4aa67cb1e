// SPDX-License-Identifier: Apache-2.0
//
// Every operator new and delete. They must be exported: an allocator that comes after the shim and
// exports its own would be called past us. When memory runs out, the program's own libstdc++ does what
// the standard asks (new handlers, bad_alloc): its operator new calls malloc, which is ours.
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

#include "libshim/entries.h"
#include "libshim/exports.h"
#include "libshim/process.h"

namespace shim {
namespace {

// Mangled names: this file may not include <new>, whose operators it defines.
constexpr char kNew[] = "_Znwm";
constexpr char kNewNothrow[] = "_ZnwmRKSt9nothrow_t";
constexpr char kNewAligned[] = "_ZnwmSt11align_val_t";
constexpr char kNewAlignedNothrow[] = "_ZnwmSt11align_val_tRKSt9nothrow_t";

/// libstdc++'s own definition, also where it was loaded with RTLD_LOCAL. Without one nobody can catch a
/// bad_alloc.
template <typename Function>
Function of_libstdcxx(const char* name) {
  void* library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
  void* symbol = library ? dlsym(library, name) : nullptr;
  if (!symbol) {
    complain(
        "operator new failed, and the program has no libstdc++.so.6 to throw std::bad_alloc; aborting");
    abort();
  }
  return reinterpret_cast<Function>(symbol);
}

SHIM_SLOW void* new_failed(size_t size) { return of_libstdcxx<void* (*)(size_t)>(kNew)(size); }

SHIM_SLOW void* new_failed_nothrow(size_t size, const void* tag) {
  return of_libstdcxx<void* (*)(size_t, const void*)>(kNewNothrow)(size, tag);
}

SHIM_SLOW void* new_failed_aligned(size_t size, size_t alignment) {
  return of_libstdcxx<void* (*)(size_t, size_t)>(kNewAligned)(size, alignment);
}

SHIM_SLOW void* new_failed_aligned_nothrow(size_t size, size_t alignment, const void* tag) {
  return of_libstdcxx<void* (*)(size_t, size_t, const void*)>(kNewAlignedNothrow)(size, alignment, tag);
}

}  // namespace

// Named by their mangled names; const void* stands for const std::nothrow_t&, size_t for align_val_t:
// the same registers in the ABI.
extern "C" {

#define SHIM_NEW(name)                                    \
  SHIM_EXPORT void* name(size_t size) {                   \
    void* block = entry.malloc(size);                     \
    return SHIM_LIKELY(block) ? block : new_failed(size); \
  }
#define SHIM_NEW_NOTHROW(name)                                         \
  SHIM_EXPORT void* name(size_t size, const void* tag) {               \
    void* block = entry.malloc(size);                                  \
    return SHIM_LIKELY(block) ? block : new_failed_nothrow(size, tag); \
  }
#define SHIM_NEW_ALIGNED(name)                                               \
  SHIM_EXPORT void* name(size_t size, size_t alignment) {                    \
    void* block = entry.memalign(alignment, size);                           \
    return SHIM_LIKELY(block) ? block : new_failed_aligned(size, alignment); \
  }
#define SHIM_NEW_ALIGNED_NOTHROW(name)                                                    \
  SHIM_EXPORT void* name(size_t size, size_t alignment, const void* tag) {                \
    void* block = entry.memalign(alignment, size);                                        \
    return SHIM_LIKELY(block) ? block : new_failed_aligned_nothrow(size, alignment, tag); \
  }

SHIM_NEW(_Znwm)
SHIM_NEW(_Znam)
SHIM_NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
SHIM_NEW_NOTHROW(_ZnamRKSt9nothrow_t)
SHIM_NEW_ALIGNED(_ZnwmSt11align_val_t)
SHIM_NEW_ALIGNED(_ZnamSt11align_val_t)
SHIM_NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
SHIM_NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)

// The size that a sized delete brings is dropped: a program may be wrong about it, and what it would
// save is two to four instructions.
SHIM_EXPORT void _ZdlPv(void* block) { entry.free(block); }
SHIM_EXPORT void _ZdaPv(void* block) { entry.free(block); }
SHIM_EXPORT void _ZdlPvm(void* block, size_t) { entry.free(block); }
SHIM_EXPORT void _ZdaPvm(void* block, size_t) { entry.free(block); }
SHIM_EXPORT void _ZdlPvRKSt9nothrow_t(void* block, const void*) { entry.free(block); }
SHIM_EXPORT void _ZdaPvRKSt9nothrow_t(void* block, const void*) { entry.free(block); }
SHIM_EXPORT void _ZdlPvSt11align_val_t(void* block, size_t) { entry.free(block); }
SHIM_EXPORT void _ZdaPvSt11align_val_t(void* block, size_t) { entry.free(block); }
SHIM_EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void* block, size_t, const void*) {
  entry.free(block);
}
SHIM_EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void* block, size_t, const void*) {
  entry.free(block);
}
SHIM_EXPORT void _ZdlPvmSt11align_val_t(void* block, size_t, size_t) { entry.free(block); }
SHIM_EXPORT void _ZdaPvmSt11align_val_t(void* block, size_t, size_t) { entry.free(block); }

}  // extern "C"
}  // namespace shim
