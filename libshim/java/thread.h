// SPDX-License-Identifier: Apache-2.0
//
// The VM's object for the calling thread. HotSpot keeps it under a pthread key of its own, which is not
// exported: the key is found once, on a thread whose stack shows that it runs Java.
#pragma once

#include <cstdint>

#include "libshim/java/vm_layout.h"

namespace shim {

/// How a thread of Java is told from the VM's other threads, which lack the fields of one: by entries
/// of its table of virtual functions.
struct ThreadKey {
  uint32_t key;
  uint64_t functions[3];
};

/// Looks through the calling thread's keys for the VM's. Call where the stack leads into Java code.
///
/// Errors: false when none fits, as in a call that leaves no record of where it left Java.
/// Thread: any. Alloc: none. errno: untouched. Some ten microseconds.
bool find_thread_key(const VmLayout& vm, ThreadKey* out);

/// The calling thread's object, 0 where it is no thread of Java.
uint64_t java_thread(const VmLayout& vm, const ThreadKey& key);

}  // namespace shim
