// SPDX-License-Identifier: Apache-2.0
//
// One recording ends and, at the next attach, another begins, at the same address, while threads still
// hold slots of the first. Such a slot is stale: it stays with its thread, which takes it into use anew
// when it comes by; until then it is set so that the thread's first malloc or free takes the slow path.
#pragma once

namespace shim {

/// Ends the recording: private, empty memory takes its place, and what it had of memory goes back. To
/// be called when no slot leads here any more; a thread that is still inside, or that has kept a
/// pointer to one of our functions, counts into that memory and does no harm.
void end_recording();

/// Begins a new one in the place of the one that was ended. False: no memory.
bool renew_recording();

}  // namespace shim
