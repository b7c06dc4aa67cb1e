// SPDX-License-Identifier: Apache-2.0
//
// What lies at a pc in the VM's code cache: the interpreter, compiled code, or a stub.
#pragma once

#include <cstdint>

#include "libshim/java/vm_layout.h"

namespace shim {

enum class CodeKind : uint8_t {
  kNone,  ///< nothing, or not in the code cache
  kInterpreter,
  kCompiled,       ///< a compiled method
  kNativeMethod,   ///< the compiled wrapper of a native method
  kReturnBarrier,  ///< where a virtual thread's frames in the heap would be thawed
  kStub,           ///< anything else that has a frame size
};

struct Code {
  CodeKind kind;
  uint64_t blob;  ///< 0 for the interpreter
  uint32_t frame_bytes;
};

bool is_in_code_cache(const VmLayout& vm, uint64_t pc);

/// Errors: kNone. Thread: any whose stack leads through `pc`. Alloc: none.
/// Source: HotSpot code/codeCache.cpp, memory/heap.cpp CodeHeap::find_block_for.
Code find_code(const VmLayout& vm, uint64_t pc);

}  // namespace shim
