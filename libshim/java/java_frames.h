// SPDX-License-Identifier: Apache-2.0
//
// Java frames above native ones. Nothing here runs until a stack has shown a frame of libjvm.so; then
// the VM's description of itself is read, once, and from there on each sample on a thread of Java gets
// the frames that the VM's own record of where the thread left Java leads to.
//
// There is no hook on the VM's start and no thread of our own: all of it happens in the sample that
// first needs it, so a library that is loaded into a running process has it as well.
#pragma once

#include <cstdint>

#include "libshim/recording_layout.h"
#include "libshim/unwind/unwinder.h"

namespace shim {

/// True while stacks of this process may have Java frames. Cheap.
bool java_frames_possible();

/// Looks for the VM among the modules of the recording that were not looked at yet. Call when a site is
/// new. Thread: any. Alloc: none. errno: untouched. A millisecond, once, when it is found.
void look_for_java(recording::Recording* recording);

/// site_of(stack) with the calling thread's Java frames, if it has any. `stack`'s last frame is taken
/// out where it is Java code.
///
/// Thread: the one whose stack it is. Alloc: none. errno: untouched. Up to 8 KiB of stack.
uint32_t site_with_java(recording::Recording* recording, Stack* stack, uint16_t flags, bool* inserted);

/// Writes what is known of Java into the header of a recording that has just been opened.
void publish_java(recording::Recording* recording);

}  // namespace shim
