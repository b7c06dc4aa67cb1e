// SPDX-License-Identifier: Apache-2.0
#include "libshim/unwind/step_cache.h"

#include "libshim/unwind/frame_row.h"
#include "libshim/unwind/module_list.h"
#include "libshim/unwind/unwinder.h"

namespace shim {

alignas(4096) uint64_t step_cache[kCacheEntries];
uint32_t cache_generation = 1;

namespace {

constexpr uint32_t kLastGeneration = 255;

constexpr Step special(SpecialStep what) { return make_step(kStepSpecial, 0, what); }

bool has_expression(const FrameRow& row, RegisterRule rule, const uint8_t* bytes, uint32_t length) {
  const uint8_t* at = row.expressions + rule.value;
  if (at + 1 + length > row.end || at[0] != length) return false;
  return __builtin_memcmp(at + 1, bytes, length) == 0;
}

// gcc's frame for a function that realigns its stack and also needs its arguments: the caller's stack
// pointer is stored below the new rbp. breg6(-8 * slot) deref, with rbp itself at breg6(0).
bool realigned_slot(const FrameRow& row, uint64_t* slot) {
  const RegisterRule rbp = row.registers[kRbp];
  constexpr uint8_t kAtRbp[] = {0x76, 0x00};
  if (row.cfa.kind != RuleKind::kIsExpression || rbp.kind != RuleKind::kAtExpression) return false;
  if (!has_expression(row, rbp, kAtRbp, sizeof(kAtRbp))) return false;
  for (uint32_t words = 1; words <= 8; words++) {
    const uint8_t wanted[] = {0x76, static_cast<uint8_t>(0x80 - 8 * words), 0x06};  // one-byte sleb128
    if (!has_expression(row, row.cfa, wanted, sizeof(wanted))) continue;
    *slot = words;
    return true;
  }
  return false;
}

bool rbp_slot(RegisterRule rule, uint64_t* slot) {
  *slot = 0;
  if (rule.kind == RuleKind::kSame || rule.kind == RuleKind::kUndefined) return true;
  if (rule.kind != RuleKind::kAtCfa || rule.value >= 0 || rule.value % 8 != 0) return false;
  *slot = static_cast<uint64_t>(-static_cast<int64_t>(rule.value)) / 8;
  return *slot < 64;
}

Step step_of(const FrameRow& row) {
  const RegisterRule caller = row.registers[kReturnAddress];
  if (row.is_signal_frame) return special(kSpecialSignal);
  if (caller.kind == RuleKind::kUndefined) return special(kSpecialRoot);
  if (caller.kind != RuleKind::kAtCfa || caller.value != -8) return special(kSpecialAnyRow);
  if (row.registers[kRsp].kind != RuleKind::kSame) return special(kSpecialAnyRow);
  uint64_t slot;
  if (realigned_slot(row, &slot)) return make_step(kStepRealigned, slot, 0);
  constexpr int64_t kMostWords = (1 << 14) - 1;
  const bool fits = row.cfa_offset >= 0 && row.cfa_offset % 8 == 0 && row.cfa_offset / 8 <= kMostWords;
  if (row.cfa.kind != RuleKind::kRegister || !fits || !rbp_slot(row.registers[kRbp], &slot)) {
    return special(kSpecialAnyRow);
  }
  const auto words = static_cast<uint64_t>(row.cfa_offset) / 8;
  if (row.cfa.value == static_cast<int32_t>(kRsp)) return make_step(kStepFromRsp, slot, words);
  if (row.cfa.value == static_cast<int32_t>(kRbp)) return make_step(kStepFromRbp, slot, words);
  return special(kSpecialAnyRow);
}

bool is_current(uint32_t index, uint64_t generation) {
  return ((load_relaxed(&step_cache[index]) >> kGenerationShift) & 0xff) == generation;
}

CacheKey second_place(CacheKey key) { return {key.index ^ 1, key.expected | kSecondPlace}; }

// Into the first place, unless a current entry of another pc holds it and the second is free.
void remember(CacheKey key, Step step) {
  const uint64_t generation = (key.expected >> kGenerationShift) & 0xff;
  const bool is_second = is_current(key.index, generation) && !is_current(key.index ^ 1, generation);
  const CacheKey place = is_second ? second_place(key) : key;
  store_relaxed(&step_cache[place.index], place.expected | step);
}

}  // namespace

// Entries of earlier generations never match. Once in 255 times the numbers start again, so then the
// table is emptied first. A thread that sleeps through all 255 between computing an entry and storing
// it has that code on its stack, and so in a module that was never unloaded.
void unwind_forget_modules() {
  forget_listed_objects();
  const uint32_t generation = load_relaxed(&cache_generation);
  if (generation == kLastGeneration) {
    for (uint64_t& entry : step_cache) {
      if (load_relaxed(&entry) != 0) store_relaxed<uint64_t>(&entry, 0);
    }
  }
  // Losing the race is as good: then another thread has just moved on.
  replace_if(&cache_generation, generation, generation == kLastGeneration ? 1u : generation + 1);
}

Step find_exact_step(uint64_t pc) {
  FrameRow row;
  switch (find_row(pc, &row)) {
    case RowStatus::kNoModule:
      return special(kSpecialNoModule);
    case RowStatus::kNoRows:
      return special(kSpecialNoRows);
    case RowStatus::kFound:
      break;
  }
  return step_of(row);
}

Step find_step(uint64_t pc, CacheKey key) {
  Step step;
  if (cached_step(second_place(key), &step)) return step;
  step = find_exact_step(pc - 1);
  if (step != special(kSpecialNoModule)) remember(key, step);
  return step;
}

}  // namespace shim
