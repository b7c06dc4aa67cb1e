// SPDX-License-Identifier: Apache-2.0
#include "libshim/attach/renewal.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "libshim/raw_syscall.h"
#include "libshim/recorder.h"
#include "libshim/sampling/tags.h"

namespace shim {
namespace {

using recording::kThreadCapacity;

/// By slot: the thread that holds it, 0 = not stale. Written by that thread, and by the two functions
/// of renewal.h when no slot of the program leads here.
uint32_t stale_owner[kThreadCapacity];

void note_owners() {
  for (uint32_t i = 0; i < kThreadCapacity; ++i) {
    uint32_t tid = __atomic_load_n(&the_recording->threads[i].tid, __ATOMIC_RELAXED);
    if (tid) __atomic_store_n(&stale_owner[i], tid, __ATOMIC_RELAXED);
  }
}

/// Negative whatever is added.
void send_owners_to_slow_path() {
  for (uint32_t i = 0; i < kThreadCapacity; ++i) {
    if (!stale_owner[i]) continue;
    ThreadSlot& slot = the_recording->threads[i];
    slot.main.countdown = slot.own.countdown = kNoCountdown;
    slot.main.freed = slot.own.freed = uint64_t{1} << 63;
    slot.own_segment = slot.own_segment_free = 1;
  }
}

/// No sample is looked for any more once its recording is gone.
void drop_tags() {
  for (uint64_t address : the_recording->live_samples.addresses)
    if (address > 1) tag_remove(reinterpret_cast<const void*>(address));
}

uint32_t* owner_of(const ThreadSlot* slot) { return &stale_owner[slot - the_recording->threads]; }

}  // namespace

bool is_stale(const ThreadSlot* slot) { return __atomic_load_n(owner_of(slot), __ATOMIC_RELAXED) != 0; }

void renew_slot(ThreadSlot* slot) {
  uint32_t tid = *owner_of(slot);
  memset(static_cast<void*>(slot), 0, sizeof *slot);
  begin_slot(slot);
  __atomic_store_n(&slot->tid, tid, __ATOMIC_RELEASE);  // a reader that sees it finds the rest
  __atomic_store_n(owner_of(slot), 0u, __ATOMIC_RELEASE);
}

bool give_up_stale(const ThreadSlot* slot) {
  if (!is_stale(slot)) return false;
  __atomic_store_n(owner_of(slot), 0u, __ATOMIC_RELEASE);
  return true;
}

void forget_stale() {
  for (uint32_t& owner : stale_owner)
    if (owner) owner = 0;
}

void end_recording() {
  drop_tags();
  note_owners();
  raw_syscall(SYS_mmap, reinterpret_cast<long>(the_recording), sizeof(Recording),
              PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

bool renew_recording() {
  drop_tags();  // and those of threads that were late, and counted into the private memory
  note_owners();
  if (!replace_recording(the_recording)) return false;
  __atomic_and_fetch(&the_recording->header.flags, ~uint32_t{recording::kFlagForked}, __ATOMIC_RELAXED);
  send_owners_to_slow_path();
  return true;
}

}  // namespace shim
