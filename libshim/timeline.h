// SPDX-License-Identifier: Apache-2.0
//
// The timeline ring of the recording: one point each tick, written by whichever thread comes by first;
// there is no thread of our own. When it is full every second point is dropped and the distance
// doubles, so that it always spans the process's whole life.
#pragma once

#include <stdint.h>

namespace shim {

/// Sums over all threads, in the recording's ByteUnit.
struct Totals {
  uint64_t allocated_bytes;
  uint64_t freed_bytes;

  uint64_t live_bytes() const {
    return allocated_bytes > freed_bytes ? allocated_bytes - freed_bytes : 0;
  }
};

Totals sum_totals();

/// Writes the first point. Called once, and again in a forked child's own recording.
void timeline_begin(uint64_t now_ns);

/// True for one thread when the next point is due; that thread must call timeline_add. One load else.
bool timeline_due(uint64_t now_ns);

/// The same for a thread that has just freed blocks which stand for `freed_bytes`: true also ahead of
/// time when half of what was alive at the last point is gone, or an eighth of what is resident was
/// freed since. The backend's statistics are then of another heap, and a program that has freed all it
/// had may never come by again. Always false over a backend without statistics.
bool timeline_outdated(uint64_t freed_bytes);

/// Writes a point, with the backend's statistics refreshed when that is cheap enough or `must_refresh`.
void timeline_add(uint64_t now_ns, bool must_refresh = false);

}  // namespace shim
