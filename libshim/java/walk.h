// SPDX-License-Identifier: Apache-2.0
//
// The Java frames of the calling thread, from where it last left Java code up to its first frame. Reads
// memory only: no call into the VM, no lock, no allocation.
#pragma once

#include <cstdint>

#include "libshim/java/vm_layout.h"
#include "libshim/recording_layout.h"

namespace shim {

struct JavaFrame {
  uint64_t method;  ///< the VM's Method*, alive while the frame is on the stack; 0 for marks
  uint32_t bci;     ///< where kind is kJavaBytecode
  recording::JavaFrameKind kind;
};

enum class WalkEnd : uint8_t {
  kNoJava,  ///< this thread has not left Java code: none, or in a call that keeps no record of it
  kReachedRoot,
  kTruncated,  ///< more than kMaxJavaFrames
  kStopped,    ///< at something that is known not to be walkable; the last frame is a mark
  kStrayed,    ///< lost; the last frame is a mark
};

struct JavaStack {
  JavaFrame frames[recording::kMaxJavaFrames];  ///< leaf first
  uint32_t count;
  WalkEnd end;
};

/// Follows the stack of `thread`, the VM's object for the calling thread, into `out`. Stack words are
/// read between the caller's frame and the end of the thread's stack, as the VM knows it.
///
/// Thread: the one that `thread` stands for. Signal: no. Alloc: none. errno: untouched.
/// Source: HotSpot runtime/javaFrameAnchor.hpp, cpu/x86/frame_x86.hpp, runtime/frame.cpp.
void walk_java(const VmLayout& vm, uint64_t thread, JavaStack* out);

}  // namespace shim
