// SPDX-License-Identifier: Apache-2.0
//
// What the walker remembers of a pc: how to get from that frame to its caller, in three bytes, so that
// a warm frame costs one look-up and two loads. One table for all threads: 32,768 entries of 8 bytes,
// read and written whole with relaxed atomics; a lost or overwritten entry is only computed again.
#pragma once

#include <cstdint>

#include "libshim/sampling/atomics.h"

namespace shim {

/// A step in 24 bits: what is added to which register to get the CFA, and where the caller's rbp
/// stands.
///   bits 0..1  StepKind   bits 2..7  rbp is saved at CFA - 8 * slot, 0 = not saved   bits 8..21  CFA
///   offset / 8
using Step = uint32_t;

enum StepKind : uint32_t {
  kStepFromRsp = 0,  ///< CFA = rsp + offset
  kStepFromRbp = 1,  ///< CFA = rbp + offset
  kStepRealigned =
      2,  ///< CFA = word at rbp - 8 * slot, caller's rbp = word at rbp (gcc's realigned frames)
  kStepSpecial = 3,  ///< the offset field holds a SpecialStep
};

enum SpecialStep : uint32_t {
  kSpecialRoot = 0,      ///< the row says that there is no caller
  kSpecialNoRows = 1,    ///< in a module, which describes nothing there
  kSpecialSignal = 2,    ///< return trampoline of a signal handler
  kSpecialAnyRow = 3,    ///< a row that needs more than rsp and rbp
  kSpecialNoModule = 4,  ///< in no module; never remembered, since one may be loaded there
};

inline constexpr uint32_t kStepUncommonBit = 2;  ///< set in the kinds that the fast loop hands over

constexpr Step make_step(StepKind kind, uint64_t slot, uint64_t offset_words) {
  return kind | static_cast<uint32_t>(slot << 2) | static_cast<uint32_t>(offset_words << 8);
}
constexpr uint32_t step_slot(Step step) { return (step >> 2) & 63; }
constexpr uint64_t step_offset(Step step) { return static_cast<uint64_t>(step >> 8) * 8; }

/// An entry is  tag:32 | generation:8 | is in second place:1 | step:23.  Multiplying the 47-bit pc by
/// an odd number modulo 2^47 loses nothing, so 15 bits of the product as index and the other 32 as tag
/// name the pc exactly. The second place of index i is i ^ 1, for pcs that meet.
struct CacheKey {
  uint32_t index;
  uint64_t expected;  ///< a matching entry, less its step
};

inline constexpr uint32_t kCacheEntries = 1u << 15;
inline constexpr uint32_t kStepBits = 23;
inline constexpr uint32_t kGenerationShift = kStepBits + 1;
inline constexpr uint64_t kSecondPlace = 1u << kStepBits;
extern uint64_t step_cache[kCacheEntries] __attribute__((visibility("hidden")));

/// 1..255, moved on by every unwind_forget_modules; 0 never, so that empty entries match nothing.
extern uint32_t cache_generation __attribute__((visibility("hidden")));

inline CacheKey cache_key(uint64_t pc, uint64_t generation) {
  const uint64_t product = pc * (0x9e3779b97f4a7c15u << 17);
  return {static_cast<uint32_t>(product >> 49), (product << 15) | (generation << kGenerationShift)};
}

/// Sets `*step` and answers true when the pc of `key` is remembered in its first place.
inline bool cached_step(CacheKey key, Step* step) {
  const uint64_t difference = load_relaxed(&step_cache[key.index]) ^ key.expected;
  *step = static_cast<Step>(difference);
  return difference >> kStepBits == 0;
}

/// The step of the return address `pc`, from its second place or from the module's rows, remembered.
/// Thread: any, without locks.
Step find_step(uint64_t pc, CacheKey key);

/// The step at `pc` itself, for a frame that a signal interrupted. Never remembered.
Step find_exact_step(uint64_t pc);

}  // namespace shim
