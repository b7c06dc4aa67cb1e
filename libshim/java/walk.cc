// SPDX-License-Identifier: Apache-2.0
//
// In native code and in the VM a thread's JavaFrameAnchor says where it left Java. From there on each
// frame says where its caller is: compiled code by its fixed frame size, interpreted code by its frame
// pointer, and a call from native code into Java by the anchor that it has put aside.
#include "libshim/java/walk.h"

#include "libshim/java/code_cache.h"
#include "libshim/java/compiled_code.h"
#include "libshim/java/memory.h"

namespace shim {
namespace {

using recording::JavaFrameKind;

// Slots of frames in words from the frame pointer. Source: HotSpot cpu/x86/frame_x86.hpp.
constexpr int64_t kInterpreterSenderSp = -1;
constexpr int64_t kInterpreterMethod = -3;
constexpr int64_t kInterpreterBytecode = -8;
constexpr int64_t kCallWrapper = -6;
constexpr uint16_t kNativeFlag = 0x0100;  // JVM_ACC_NATIVE
/// Frames without a method among them: stubs, adapters, calls from native code.
constexpr uint32_t kMostSteps = 4 * recording::kMaxJavaFrames;

struct Walk {
  const VmLayout& vm;
  uint64_t thread;
  uint64_t low;  ///< stack words are read in [low, high)
  uint64_t high;
  uint64_t pc;
  uint64_t sp;
  uint64_t fp;
  JavaStack* out;
};

enum class Next { kGoOn, kRoot, kFull, kStop, kStray };

bool word(const Walk& walk, uint64_t address, uint64_t* value) {
  if (address % 8 != 0 || address < walk.low || address >= walk.high) return false;
  *value = pointer_at(address);
  return true;
}

bool slot(const Walk& walk, int64_t index, uint64_t* value) {
  return word(walk, walk.fp + static_cast<uint64_t>(index * 8), value);
}

bool add(Walk* walk, uint64_t method, uint32_t bci, JavaFrameKind kind) {
  JavaStack* out = walk->out;
  if (out->count == recording::kMaxJavaFrames) return false;
  out->frames[out->count++] = {method, bci, kind};
  return true;
}

// The last place is a mark's when there is no room for both.
void add_mark(Walk* walk, JavaFrameKind kind) {
  if (walk->out->count == recording::kMaxJavaFrames) walk->out->count--;
  add(walk, 0, 0, kind);
}

bool add_method(Walk* walk, uint64_t method, int64_t bci) {
  constexpr int64_t kMostBci = (1 << recording::kJavaBciBits) - 1;
  if ((read_at<uint16_t>(method + walk->vm.method_flags) & kNativeFlag) != 0)
    return add(walk, method, 0, recording::kJavaNativeMethod);
  if (bci < 0 || bci > kMostBci) return add(walk, method, 0, recording::kJavaNoBytecode);
  return add(walk, method, static_cast<uint32_t>(bci), recording::kJavaBytecode);
}

int64_t interpreted_bci(const VmLayout& vm, uint64_t method, uint64_t bytecode) {
  const uint64_t constant = pointer_at(method + vm.method_const);
  const uint64_t code = constant + vm.const_bytes;
  const uint64_t bytes = read_at<uint16_t>(constant + vm.const_code_bytes);
  return bytecode >= code && bytecode - code < bytes ? static_cast<int64_t>(bytecode - code) : kNoBci;
}

Next step_interpreted(Walk* walk) {
  // While frames of discarded code are being laid out anew, interpreted ones are not filled in yet.
  if (pointer_at(walk->thread + walk->vm.thread_vframes) != 0) return Next::kStop;
  uint64_t method, bytecode, sp, fp, pc;
  const bool is_read =
      slot(*walk, kInterpreterMethod, &method) && slot(*walk, kInterpreterBytecode, &bytecode) &&
      slot(*walk, kInterpreterSenderSp, &sp) && slot(*walk, 0, &fp) && slot(*walk, 1, &pc);
  if (!is_read || walk->fp < walk->sp || sp <= walk->fp || method % 8 != 0 || method < 4096)
    return Next::kStray;
  if (!add_method(walk, method, interpreted_bci(walk->vm, method, bytecode))) return Next::kFull;
  walk->pc = pc;
  walk->sp = sp;
  walk->fp = fp;
  return Next::kGoOn;
}

// The caller of any frame of known size: return address and frame pointer stand at its top.
Next step_over(Walk* walk, uint32_t frame_bytes) {
  const uint64_t sp = walk->sp + frame_bytes;
  uint64_t pc, fp;
  if (frame_bytes < 16 || !word(*walk, sp - 8, &pc) || !word(*walk, sp - 16, &fp)) return Next::kStray;
  walk->pc = pc;
  walk->sp = sp;
  walk->fp = fp;
  return Next::kGoOn;
}

Next step_compiled(Walk* walk, const Code& code) {
  uint64_t pc = walk->pc;
  uint64_t place = 0;
  if (is_deoptimised(walk->vm, code.blob, pc, walk->sp, &place) && !word(*walk, place, &pc))
    return Next::kStray;
  // Straight into the caller's array would do, were a frame there not larger.
  MethodAt methods[64];
  bool truncated = false;
  const uint32_t count = methods_at(walk->vm, code.blob, pc, methods, 64, &truncated);
  for (uint32_t i = 0; i < count; i++) {
    if (methods[i].method == 0) return Next::kStray;
    if (!add_method(walk, methods[i].method, methods[i].bci)) return Next::kFull;
  }
  return truncated ? Next::kFull : step_over(walk, code.frame_bytes);
}

Next step_native_method(Walk* walk, const Code& code) {
  const uint64_t method = method_of(walk->vm, code.blob);
  if (method == 0) return Next::kStray;
  return add_method(walk, method, kNoBci) ? step_over(walk, code.frame_bytes) : Next::kFull;
}

// A virtual thread that has been unmounted runs on with its topmost frames only; the others wait in the
// heap, where nothing may be read. The thread that carries it goes on below.
Next step_over_frozen(Walk* walk) {
  if (!add(walk, 0, 0, recording::kJavaFrozen)) return Next::kFull;
  if (walk->vm.thread_continuation == 0) return Next::kStop;
  const uint64_t entry = pointer_at(walk->thread + walk->vm.thread_continuation);
  const uint64_t top = entry + walk->vm.continuation_bytes;
  uint64_t fp, pc;
  if (entry <= walk->low || !word(*walk, top, &fp) || !word(*walk, top + 8, &pc)) return Next::kStop;
  walk->pc = pc;
  walk->sp = top + 16;
  walk->fp = fp;
  return Next::kGoOn;
}

bool go_to_anchor(Walk* walk, uint64_t anchor) {
  walk->sp = pointer_at(anchor + walk->vm.anchor_sp);
  walk->pc = pointer_at(anchor + walk->vm.anchor_pc);
  walk->fp = pointer_at(anchor + walk->vm.anchor_fp);
  return walk->pc != 0 || word(*walk, walk->sp - 8, &walk->pc);
}

// A call from native code into Java: the frames of that native code are left out.
Next step_call_stub(Walk* walk) {
  uint64_t wrapper, sp;
  if (!slot(*walk, kCallWrapper, &wrapper)) return Next::kStray;
  const uint64_t anchor = wrapper + walk->vm.call_wrapper_anchor;
  if (!word(*walk, anchor + walk->vm.anchor_sp, &sp)) return Next::kStray;
  if (sp == 0) return Next::kRoot;
  return go_to_anchor(walk, anchor) ? Next::kGoOn : Next::kStray;
}

Next step(Walk* walk) {
  if (walk->pc == *walk->vm.call_stub_return) return step_call_stub(walk);
  const Code code = find_code(walk->vm, walk->pc);
  switch (code.kind) {
    case CodeKind::kInterpreter:
      return step_interpreted(walk);
    case CodeKind::kCompiled:
      return step_compiled(walk, code);
    case CodeKind::kNativeMethod:
      return step_native_method(walk, code);
    case CodeKind::kReturnBarrier:
      return step_over_frozen(walk);
    case CodeKind::kStub:
      // Calls from native code by method handle keep their anchor elsewhere; their stubs have no size.
      return code.frame_bytes >= 16 ? step_over(walk, code.frame_bytes) : Next::kStop;
    default:
      return Next::kStray;
  }
}

WalkEnd follow(Walk* walk) {
  for (uint32_t i = 0; i < kMostSteps; i++) {
    const uint64_t sp = walk->sp;
    switch (step(walk)) {
      case Next::kGoOn:
        if (walk->sp <= sp || walk->sp >= walk->high) return WalkEnd::kStrayed;
        break;
      case Next::kRoot:
        return WalkEnd::kReachedRoot;
      case Next::kFull:
        return WalkEnd::kTruncated;
      case Next::kStop:
        return WalkEnd::kStopped;
      case Next::kStray:
        return WalkEnd::kStrayed;
    }
  }
  return WalkEnd::kStrayed;
}

}  // namespace

void walk_java(const VmLayout& vm, uint64_t thread, JavaStack* out) {
  out->count = 0;
  out->end = WalkEnd::kNoJava;
  const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  const uint64_t high = pointer_at(thread + vm.thread_stack_base);
  Walk walk{vm, thread, here, high, 0, 0, 0, out};
  const uint64_t anchor = thread + vm.thread_anchor;
  if (pointer_at(anchor + vm.anchor_sp) == 0) return;
  const bool is_anchored = go_to_anchor(&walk, anchor) && walk.sp > here && walk.sp < high;
  out->end = is_anchored ? follow(&walk) : WalkEnd::kStrayed;
  if (out->end == WalkEnd::kStopped || out->end == WalkEnd::kStrayed)
    add_mark(&walk, recording::kJavaNotWalkable);
}

}  // namespace shim
