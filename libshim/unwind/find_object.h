// SPDX-License-Identifier: Apache-2.0
//
// The question "which module holds this address", answered without a lock: by glibc itself, bound
// weakly, as the release is built against a glibc that does not declare it and runs on ones that lack
// it; there by the loader's list (module_list.h).
#pragma once

#include <link.h>

#include <cstdint>

#include "libshim/unwind/module_list.h"

namespace shim {

/// struct dl_find_object of glibc 2.35 and later, under a name that never clashes with the header's.
struct FoundObject {
  unsigned long long flags;
  void* map_begin;
  void* map_end;
  link_map* map;          ///< null if it is the loader's list that answered
  void* eh_frame_header;  ///< PT_GNU_EH_FRAME, .eh_frame_hdr
  unsigned long long reserved[7];
};

extern "C" int dl_find_object_or_null(void* pc, FoundObject* out) __asm__("_dl_find_object")
    __attribute__((weak, nothrow));

/// Fills `out` with the module that `pc` lies in. False: none, or nobody can say. Without glibc's help
/// `pc` must lie in a frame of the calling thread's own stack, which keeps its module where it is.
/// Thread: any, without locks. Signal: safe.
/// Source: glibc manual "Dynamic Linker Introspection", _dl_find_object.
inline bool find_object(uint64_t pc, FoundObject* out) {
  if (dl_find_object_or_null == nullptr) return find_listed_object(pc, out);
  return dl_find_object_or_null(reinterpret_cast<void*>(pc), out) == 0;
}

}  // namespace shim
