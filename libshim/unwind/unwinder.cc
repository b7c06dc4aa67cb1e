// SPDX-License-Identifier: Apache-2.0
//
// The walk: a fast loop over remembered steps that tracks pc, rsp and rbp; everything uncommon in
// functions of its own; and, for the rare row that needs another register, the whole stack again with
// all of them (register_file.h).
#include "libshim/unwind/unwinder.h"

#include "libshim/unwind/find_object.h"
#include "libshim/unwind/register_file.h"
#include "libshim/unwind/step_cache.h"

namespace shim {
namespace {

uint64_t own_begin;
uint64_t own_bytes;

/// Signal handlers interrupted by signals, in one stack. Also ends a walk that a smashed stack sends
/// round in circles: everything else moves strictly up.
constexpr uint32_t kNestedSignals = 16;
/// The walk with all registers ends after this many steps, frames of our own included.
constexpr uint32_t kAnyRowSteps = recording::kMaxFrames + 64;

struct Walk {
  uint64_t pc;
  uint64_t sp;  ///< the frame's CFA so far: where its caller's frame begins
  uint64_t bp;
  StackWindow window;
};

enum class Outcome { kStepped, kRoot, kLost, kAnyRow };

bool is_own(uint64_t pc) { return pc - own_begin < own_bytes; }

// False when there is no room left.
bool append(Stack* out, uint64_t pc) {
  if (is_own(pc)) return true;
  if (out->count == recording::kMaxFrames) {
    out->truncated = true;
    return false;
  }
  out->frames[out->count++] = pc;
  return true;
}

// False when the CFA is not above the last one or cannot be read. A saved rbp lies at most 63 words
// below the CFA: on this stack, above or just under the frame.
bool apply_common(Walk* walk, Step step) {
  const uint64_t cfa = ((step & kStepFromRbp) != 0 ? walk->bp : walk->sp) + step_offset(step);
  if (cfa <= walk->sp) return false;
  if (!window_reaches(&walk->window, cfa)) return false;
  const uint32_t slot = step_slot(step);
  if (slot != 0) walk->bp = stack_word(cfa - slot * 8);
  walk->pc = stack_word(cfa - 8);
  walk->sp = cfa;
  return true;
}

bool apply_realigned(Walk* walk, Step step) {
  uint64_t cfa;
  uint64_t bp;
  uint64_t pc;
  if (walk->bp < walk->sp) return false;
  if (!read_stack(&walk->window, walk->bp - step_slot(step) * 8, &cfa) || cfa <= walk->bp) return false;
  if (!read_stack(&walk->window, walk->bp, &bp) || !read_stack(&walk->window, cfa - 8, &pc))
    return false;
  *walk = {pc, cfa, bp, walk->window};
  return true;
}

// Code without rows keeps a frame pointer more often than not; if no rows describe what the word above
// it points to, it did not.
bool apply_frame_pointer(Walk* walk) {
  uint64_t bp;
  uint64_t pc;
  FrameRow row;
  if (walk->bp < walk->sp || walk->bp % 8 != 0) return false;
  if (!read_stack(&walk->window, walk->bp, &bp) || !read_stack(&walk->window, walk->bp + 8, &pc))
    return false;
  if (find_row(pc - 1, &row) != RowStatus::kFound) return false;
  *walk = {pc, walk->bp + 16, bp, walk->window};
  return true;
}

// The trampoline's frame is the kernel's `struct ucontext`, at sp; these are offsets of its registers.
// The interrupted code may have been on another stack.
bool apply_signal(Walk* walk) {
  constexpr uint64_t kSavedRbp = 120;
  constexpr uint64_t kSavedRsp = 160;
  constexpr uint64_t kSavedRip = 168;
  Walk before = *walk;
  if (!read_stack(&walk->window, walk->sp + kSavedRip, &before.pc)) return false;
  before.bp = stack_word(walk->sp + kSavedRbp);
  before.sp = stack_word(walk->sp + kSavedRsp);
  before.window = stack_window(before.sp);
  *walk = before;
  return true;
}

Outcome apply(Walk* walk, Step step, Stack* out) {
  Outcome failed = Outcome::kLost;
  bool stepped = false;
  switch (step & 3) {
    case kStepFromRsp:
    case kStepFromRbp:
      stepped = apply_common(walk, step);
      break;
    case kStepRealigned:
      stepped = apply_realigned(walk, step);
      break;
    default:
      switch (step_offset(step) / 8) {
        case kSpecialRoot:
          return Outcome::kRoot;
        case kSpecialAnyRow:
          return Outcome::kAnyRow;
        case kSpecialNoRows:
          // The ABI's mark of the outermost frame; ld.so sets it before it runs constructors.
          if (walk->bp == 0) return Outcome::kRoot;
          out->incomplete = true;  // the frame pointer may skip frames
          stepped = apply_frame_pointer(walk);
          break;
        default:
          if (walk->pc == 0)
            failed = Outcome::kRoot;  // hand-made stacks end with a null return address
      }
  }
  return stepped ? Outcome::kStepped : failed;
}

// Through a trampoline, and on to the caller of the code that the signal interrupted. That code's pc is
// no return address: it is looked up as it is, and its row is not remembered.
Outcome apply_through_signal(Walk* walk, Stack* out) {
  constexpr Step kSignal = make_step(kStepSpecial, 0, kSpecialSignal);
  Step step = kSignal;
  for (uint32_t nested = 0; step == kSignal && nested < kNestedSignals; nested++) {
    if (!apply_signal(walk)) return Outcome::kLost;
    if (!append(out, walk->pc)) return Outcome::kRoot;
    step = find_exact_step(walk->pc);
  }
  return apply(walk, step, out);
}

Outcome step_uncommon(Walk* walk, Step step, Stack* out, uint32_t* signals) {
  if (step != make_step(kStepSpecial, 0, kSpecialSignal)) return apply(walk, step, out);
  if (++*signals > kNestedSignals) return Outcome::kLost;
  return apply_through_signal(walk, out);
}

// Goes as far as remembered steps within the known part of the stack lead, with everything in
// registers. The walk then stands at a frame that has been reported, and `*last` leads on from there.
// False when there was no room to report it.
inline __attribute__((always_inline)) bool follow_common(Walk* walk, Stack* out, uint64_t generation,
                                                         Step* last) {
  uint64_t pc = walk->pc;
  uint64_t sp = walk->sp;
  uint64_t bp = walk->bp;
  const uint64_t high = walk->window.high;
  const uint64_t skipped_begin = own_begin;
  const uint64_t skipped_bytes = own_bytes;
  uint64_t* frame = out->frames + out->count;
  uint64_t* const end = out->frames + recording::kMaxFrames;
  Step step;
  for (;;) {
    if (pc - skipped_begin >= skipped_bytes) {
      if (frame == end) [[unlikely]] {
        out->count = recording::kMaxFrames;
        return false;
      }
      *frame++ = pc;
    }
    const CacheKey key = cache_key(pc, generation);
    if (!cached_step(key, &step)) [[unlikely]] {
      step = find_step(pc, key);
    }
    if ((step & kStepUncommonBit) != 0) [[unlikely]] {
      break;
    }
    const uint64_t cfa = ((step & kStepFromRbp) != 0 ? bp : sp) + step_offset(step);
    if (cfa <= sp || cfa > high) [[unlikely]] {
      break;
    }
    if (step_slot(step) != 0) bp = stack_word(cfa - step_slot(step) * 8);
    pc = stack_word(cfa - 8);
    sp = cfa;
  }
  *last = step;
  out->count = static_cast<uint32_t>(frame - out->frames);
  *walk = {pc, sp, bp, walk->window};
  return true;
}

Outcome follow(Walk* walk, Stack* out) {
  const uint64_t generation = load_acquire(&cache_generation);
  uint32_t signals = 0;
  Outcome outcome = Outcome::kStepped;
  while (outcome == Outcome::kStepped) {
    Step step;
    if (!follow_common(walk, out, generation, &step)) {
      out->truncated = true;
      return Outcome::kRoot;
    }
    if (step == make_step(kStepSpecial, 0, kSpecialRoot)) return Outcome::kRoot;
    outcome = step_uncommon(walk, step, out, &signals);
  }
  return outcome;
}

// Registers that a function must preserve, as they are here; the others count for nothing before the
// first signal frame, which brings them all.
inline __attribute__((always_inline)) RegisterFile registers_here() {
  RegisterFile registers{};
  __asm__ volatile(
      "movq %%rbx, 24(%0)\n\t"
      "movq %%rbp, 48(%0)\n\t"
      "movq %%rsp, 56(%0)\n\t"
      "movq %%r12, 96(%0)\n\t"
      "movq %%r13, 104(%0)\n\t"
      "movq %%r14, 112(%0)\n\t"
      "movq %%r15, 120(%0)\n\t"
      "leaq 0f(%%rip), %%rax\n\t"
      "movq %%rax, 128(%0)\n"
      "0:"
      :
      : "r"(registers.values)
      : "rax", "memory");
  return registers;
}

// From here again with every register; `from` is the CFA of unwind, below which frames are not
// reported.
__attribute__((noinline)) void follow_any_row(uint64_t from, Stack* out) {
  RegisterFile registers = registers_here();
  uint64_t* values = registers.values;
  StackWindow window = stack_window(values[kRsp]);
  bool is_exact = true;
  out->count = 0;
  for (uint32_t steps = 0; steps < kAnyRowSteps; steps++) {
    const uint64_t pc = values[kReturnAddress];
    if (values[kRsp] >= from) {
      from = 0;
      if (!append(out, pc)) return;
    }
    FrameRow row;
    const RowStatus status = find_row(is_exact ? pc : pc - 1, &row);
    if (status == RowStatus::kFound && row.registers[kReturnAddress].kind == RuleKind::kUndefined)
      return;
    if (status != RowStatus::kFound || !step_registers(&registers, &window, row)) {
      out->incomplete = pc != 0;
      return;
    }
    is_exact = row.is_signal_frame;
  }
  out->incomplete = true;
}

}  // namespace

void unwind_init(uint64_t shim_begin, uint64_t shim_end) {
  own_begin = shim_begin;
  own_bytes = shim_end - shim_begin;
}

bool unwind_available() { return dl_find_object_or_null != nullptr || has_module_list(); }

// The frame address makes the compiler keep a frame pointer here, so the first step needs no row.
__attribute__((noinline)) void unwind(Stack* out) {
  const auto frame = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  const uint64_t from = frame + 16;
  out->count = 0;
  out->truncated = false;
  out->incomplete = false;
  Walk walk{stack_word(frame + 8), from, stack_word(frame), stack_window(from)};
  const Outcome outcome = follow(&walk, out);
  if (outcome == Outcome::kLost) out->incomplete = true;
  if (outcome == Outcome::kAnyRow) follow_any_row(from, out);
  // The null return address that ends hand-made stacks is no frame.
  if (out->count != 0 && out->frames[out->count - 1] == 0) out->count--;
}

}  // namespace shim
