// SPDX-License-Identifier: Apache-2.0
//
// The module table of the recording: what was mapped where while stacks were taken, with build ids, so
// that a stack stays resolvable after dlclose and after the process is gone.
#pragma once

#include <cstdint>

#include "libshim/recording_layout.h"

namespace shim {

/// Milliseconds since the recording was opened, as every `*_ms` field counts them.
uint64_t recording_now_ms(const recording::Recording* recording);

/// Asks for the program's own path, which the loader does not know. At the start: a sandbox that the
/// program enters later may end a process that asks.
void note_program_path();

/// Enters the module that holds `pc` unless it is there already; its index, or kNoModule where no
/// module holds `pc` or the table is full (that loss is counted).
///
/// `pc` must lie in a frame of the calling thread's own stack: that keeps the module from being
/// unloaded while it is read. Thread: any. Signal: safe. Alloc: none. errno: untouched.
uint32_t note_module(recording::Recording* recording, uint64_t pc, uint64_t now_ms);
inline constexpr uint32_t kNoModule = 0xffffffff;

/// Marks the entries whose module is not mapped any more. After dlclose.
/// Thread: any. Signal: safe. Alloc: none.
void mark_unloaded_modules(recording::Recording* recording, uint64_t now_ms);

}  // namespace shim
