// SPDX-License-Identifier: Apache-2.0
//
// The slow path of counting: takes a sample when a thread's countdown has run out, takes it back when
// the block is freed, adapts the sampling mean, and ticks the timeline. The parts are in sampling/ and
// unwind/; this file puts them in order.
//
// Stated once: in-target, no allocation, no lock, errno kept, callable from a signal handler.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "libshim/recorder.h"

namespace shim {

/// A block as the sampler sees it. `charged_bytes` is what the countdown was charged with for it.
struct Block {
  void* address;
  uint64_t requested_bytes;
  uint64_t usable_bytes;
  uint64_t charged_bytes;
};

/// Called when a countdown of the calling thread's slot is below zero, with the block that took it
/// there. Samples the block, unless the shim itself is at work on this thread, and draws the next
/// countdown. Each countdown is exponential, so a thread's two take samples as one would.
void countdown_ran_out(HotCell* cell, const Block& block);

/// The block's sample, if it has one, is taken out of the live samples. Call before the backend may
/// hand the address out again. True when there was one; then `taken` holds it.
bool take_back_sample(void* address, recording::LiveSample* taken);

/// What happens to a sample that was taken back: its block is gone, or (a realloc that failed) it lives
/// on.
void count_freed_sample(const recording::LiveSample& sample);
void restore_sample(void* address, const recording::LiveSample& sample);

/// Takes back and counts the sample, if the block has one: it is about to be freed.
void free_sample(void* address);

/// A stack's site for the program's own mapping calls; kNoSite when the table is full.
uint32_t site_of_caller();

/// Starts sampling and the timeline. Called once, when the recording is open.
void start_sampler();

/// The mean in force, and a countdown drawn for it; one that never runs out when sampling is off.
uint64_t sample_mean_bytes();
int64_t next_countdown(uint64_t mean_bytes);

}  // namespace shim
