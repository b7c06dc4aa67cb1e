// SPDX-License-Identifier: Apache-2.0
//
// Slots: the words through which loaded objects call, or point to, functions of other objects (the
// relocations JUMP_SLOT, GLOB_DAT and 64). Attaching and detaching are one operation on them: where a
// slot holds `from`, it shall hold `to`. A slot that holds anything else is somebody else's: a library
// that brings its own malloc keeps it.
#pragma once

#include <stdint.h>

namespace shim {

struct Exchange {
  const char* name;
  void* from;
  void* to;
};

struct SlotWork {
  const Exchange* exchanges;
  uint32_t exchange_count;
  /// A slot that is not bound yet is exchanged by its symbol's name, if nobody else could be meant.
  bool unbound_too;
  const void* spared_base;  ///< the allocator's own module, null for none
};

struct SlotResult {
  uint32_t changed_count;
  uint32_t refused_count;     ///< mprotect said no, or a page's protection is unknown
  uint32_t unfinished_count;  ///< objects that the loader is still at: look again
  uint64_t adds;              ///< objects ever loaded and unloaded, as of this look
  uint64_t subs;
};

/// Goes through all objects of the program's namespace, but this library, the loader and the spared
/// one.
///
/// Alloc: none. Thread: one at a time; holds the loader's list, so that nothing is unloaded meanwhile.
/// Not from a signal handler. Source: dl_iterate_phdr(3); System V AMD64 ABI 4.4.
SlotResult exchange_slots(const SlotWork& work);

/// How many objects were ever loaded and unloaded, into `adds` and `subs`; cheap.
void count_objects(uint64_t* adds, uint64_t* subs);

}  // namespace shim
