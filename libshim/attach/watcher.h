// SPDX-License-Identifier: Apache-2.0
//
// Keeps the slots exchanged while the program runs: libraries are loaded, calls are bound. A thread
// that polls the loader's own count of objects does it, since a hooked dlopen would change whose search
// path the loader takes.
#pragma once

#include "libshim/attach/slots.h"

namespace shim {

/// Exchanges the slots now, and starts the thread that goes on doing so. `work` must outlive it.
/// False: no thread could be started; then no slot is left exchanged.
bool start_watching(const SlotWork& work, SlotResult* first);

/// Ends the thread and waits for it. Nothing in a forked child, which has none.
void stop_watching();

/// Exchanges slots at most once at a time, and never while the process forks: a child must not inherit
/// the loader's list locked.
SlotResult exchange_slots_alone(const SlotWork& work);

/// Registers what keeps forks apart from it. Once.
void guard_forks();

}  // namespace shim
