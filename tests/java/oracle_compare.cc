// SPDX-License-Identifier: Apache-2.0
#include "oracle.h"

namespace java_oracle {
namespace {

using shim::JavaFrame;
using shim::JavaStack;
using shim::WalkEnd;

// Of methods without a jmethodID the VM says null.
bool same_method(const JavaFrame& ours, const CallFrame& theirs) {
  return theirs.method == nullptr || ours.method == *theirs.method;
}

bool same_bci(const JavaFrame& ours, const CallFrame& theirs) {
  switch (ours.kind) {
    case recording::kJavaNativeMethod:
      return theirs.bci == kNativeBci;
    case recording::kJavaBytecode:
      return theirs.bci == static_cast<int32_t>(ours.bci);
    default:
      return theirs.bci < 0;
  }
}

bool same(const JavaFrame& ours, const CallFrame& theirs) {
  return same_method(ours, theirs) && same_bci(ours, theirs);
}

bool is_mark(const JavaFrame& frame) { return frame.method == 0; }

uint32_t first_mark(const JavaStack& ours) {
  uint32_t i = 0;
  while (i < ours.count && !is_mark(ours.frames[i])) i++;
  return i;
}

uint32_t equal_from_leaf(const JavaStack& ours, const CallTrace& theirs) {
  uint32_t i = 0;
  while (i < ours.count && i < static_cast<uint32_t>(theirs.count) && !is_mark(ours.frames[i]) &&
         same(ours.frames[i], theirs.frames[i]))
    i++;
  return i;
}

uint32_t equal_from_root(const JavaStack& ours, const CallTrace& theirs) {
  const auto count = static_cast<uint32_t>(theirs.count);
  uint32_t i = 0;
  while (i < ours.count && i < count && !is_mark(ours.frames[ours.count - 1 - i]) &&
         same(ours.frames[ours.count - 1 - i], theirs.frames[count - 1 - i]))
    i++;
  return i;
}

// Up to the mark frame by frame; after it, ours end the VM's. The VM may name the frame that starts a
// virtual thread in between.
bool equal_around_frozen(const JavaStack& ours, const CallTrace& theirs, uint32_t mark) {
  return ours.frames[mark].kind == recording::kJavaFrozen && equal_from_leaf(ours, theirs) == mark &&
         equal_from_root(ours, theirs) == ours.count - mark - 1;
}

// Below the topmost frame all is equal, and so is the method that the frame was compiled from.
bool equal_but_top(const JavaStack& ours, const CallTrace& theirs, uint32_t top_count) {
  if (top_count == 0 || top_count > ours.count) return false;
  const uint32_t below = ours.count - top_count;
  const auto count = static_cast<uint32_t>(theirs.count);
  if (count <= below || equal_from_root(ours, theirs) < below) return false;
  return same_method(ours.frames[top_count - 1], theirs.frames[count - 1 - below]);
}

// Both at once: the topmost frame's method, all frames from there to the mark, and all after it. The VM
// may name the frame that starts a virtual thread.
bool equal_but_top_and_frozen(const JavaStack& ours, const CallTrace& theirs, uint32_t top_count,
                              uint32_t mark) {
  if (top_count == 0 || top_count > mark || ours.frames[mark].kind != recording::kJavaFrozen)
    return false;
  const uint32_t after = ours.count - mark - 1;
  const uint32_t between = mark - top_count;
  const auto count = static_cast<uint32_t>(theirs.count);
  if (equal_from_root(ours, theirs) != after) return false;
  for (uint32_t named = 0; named <= 1; named++) {
    if (count <= after + named + between) continue;
    const uint32_t first = count - after - named - between;
    uint32_t equal = 0;
    while (equal < between && same(ours.frames[top_count + equal], theirs.frames[first + equal]))
      equal++;
    if (equal == between && same_method(ours.frames[top_count - 1], theirs.frames[first - 1]))
      return true;
  }
  return false;
}

}  // namespace

Verdict compare(const JavaStack& ours, const CallTrace& theirs, uint32_t top_count) {
  if (theirs.count < 1) return ours.count == 0 ? Verdict::kBothNone : Verdict::kOnlyOurs;
  if (ours.count == 0) return Verdict::kOnlyVm;
  const uint32_t mark = first_mark(ours);
  if (mark == ours.count) {
    const auto count = static_cast<uint32_t>(theirs.count);
    const bool whole = ours.count == count || ours.end == WalkEnd::kTruncated;
    if (whole && equal_from_leaf(ours, theirs) == ours.count) return Verdict::kEqual;
    return equal_but_top(ours, theirs, top_count) ? Verdict::kNextBytecode : Verdict::kDifferent;
  }
  if (equal_around_frozen(ours, theirs, mark)) return Verdict::kFrozen;
  if (equal_but_top_and_frozen(ours, theirs, top_count, mark)) return Verdict::kNextBytecode;
  const bool ends_frozen =
      ours.end == WalkEnd::kStopped && ours.frames[mark].kind == recording::kJavaFrozen;
  if (ends_frozen && equal_from_leaf(ours, theirs) == mark) return Verdict::kFrozen;
  return ours.end == WalkEnd::kStrayed || ours.end == WalkEnd::kStopped ? Verdict::kStrayed
                                                                        : Verdict::kDifferent;
}

}  // namespace java_oracle
