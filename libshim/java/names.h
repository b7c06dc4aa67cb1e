// SPDX-License-Identifier: Apache-2.0
//
// Names of methods in the recording: each "class.method" once. Named at once, for a method may be
// unloaded, and its address stand for another, a moment after the sample.
#pragma once

#include <cstdint>

#include "libshim/java/vm_layout.h"

namespace shim {

/// The entry of recording->java_names for `method`, entered if it is new; kNoJavaName when the table is
/// full, which is counted.
///
/// A small table remembers the name of each method's address. It is a guess: the name is compared with
/// the method's own, byte by byte, each time.
/// Thread: any with a frame of the method. Alloc: none. errno: untouched.
uint32_t name_of_method(recording::Recording* recording, const VmLayout& vm, uint64_t method);

}  // namespace shim
