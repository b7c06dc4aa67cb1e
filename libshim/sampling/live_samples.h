// SPDX-License-Identifier: Apache-2.0
//
// The live-sample table: sampled blocks that have not been freed, keyed by address. Lock-free, in the
// recording, in up to four generations (recording_layout.h).
//
// An address belongs to one thread at a time: live_insert comes before the block is handed to the
// program and live_take before it is handed back to the backend, so no two calls for one address run
// at once unless the program frees twice, and then one of them gets the record.
#pragma once

#include <cstdint>

#include "libshim/recording_layout.h"

namespace shim {

/// Puts a sampled block in. False when no slot was free in any of its buckets; that loss is counted.
/// Thread: any. Signal: safe. Alloc: none.
bool live_insert(recording::Recording* recording, uint64_t address,
                 const recording::LiveSample& sample);

/// Removes a block and hands its record to `out`. False when it is no live sample: `out` is untouched.
/// Thread: any. Signal: safe. Alloc: none.
bool live_take(recording::Recording* recording, uint64_t address, recording::LiveSample* out);

}  // namespace shim
