// SPDX-License-Identifier: Apache-2.0
//
// glibc's lock-free question "which module holds this address", bound weakly: the release is built
// against a glibc that does not declare it, and runs on ones that lack it.
#pragma once

#include <link.h>

#include <cstdint>

namespace shim {

/// struct dl_find_object of glibc 2.35 and later, under a name that never clashes with the header's.
struct FoundObject {
  unsigned long long flags;
  void* map_begin;
  void* map_end;
  link_map* map;
  void* eh_frame_header;  ///< PT_GNU_EH_FRAME, .eh_frame_hdr
  unsigned long long reserved[7];
};

extern "C" int dl_find_object_or_null(void* pc, FoundObject* out) __asm__("_dl_find_object")
    __attribute__((weak, nothrow));

/// Fills `out` with the module that `pc` lies in. False: none, or this libc cannot say.
/// Thread: any, without locks. Signal: safe.
/// Source: glibc manual "Dynamic Linker Introspection", _dl_find_object.
inline bool find_object(uint64_t pc, FoundObject* out) {
  return dl_find_object_or_null != nullptr &&
         dl_find_object_or_null(reinterpret_cast<void*>(pc), out) == 0;
}

}  // namespace shim
