// SPDX-License-Identifier: Apache-2.0
#include "libshim/java/java_frames.h"

#include <string.h>

#include "libshim/java/code_cache.h"
#include "libshim/java/names.h"
#include "libshim/java/thread.h"
#include "libshim/java/vm_layout.h"
#include "libshim/java/walk.h"
#include "libshim/sampling/atomics.h"
#include "libshim/sampling/site_table.h"
#include "libshim/unwind/find_object.h"
#include "libshim/unwind/module_list.h"

namespace shim {
namespace {

using recording::JavaFrames;
using recording::Recording;

/// Searches for the thread key that may fail: a call may leave no record of where it left Java.
constexpr uint32_t kMostSearches = 1024;
/// Walks before the share of those that strayed means anything, and the share that is too many.
constexpr uint64_t kFewestWalks = 256;
constexpr uint64_t kStrayedPercent = 1;

enum Phase : uint32_t {
  kUnseen = 0,
  kBusy,    ///< one thread is reading the VM's tables, or its own keys
  kSeen,    ///< the VM is loaded, its tables are not read yet
  kNoKey,   ///< tables read
  kFollow,  ///< all known
  kOff,
};

uint32_t phase = kUnseen;
uint32_t searches = 0;
uint32_t modules_seen = 0;
uint32_t samples_seen = 0;
const link_map* vm_map;
uint64_t vm_begin;
uint64_t vm_end;
VmLayout vm;
ThreadKey thread_key;
JavaFrames state = JavaFrames::kNoVm;
char missing_field[sizeof(recording::Header::java_missing)];

void set_state(Recording* recording, JavaFrames now) {
  state = now;
  publish_java(recording);
}

bool is_vm_module(const recording::Module& module) {
  constexpr char kName[] = "/libjvm.so";
  constexpr uint32_t kLength = sizeof(kName) - 1;
  const uint32_t length = module.path_length;
  return length >= kLength && length <= sizeof(module.path) && module.unloaded_ms == 0 &&
         memcmp(module.path + length - kLength, kName, kLength) == 0;
}

// libjvm.so allocates while its own constructors run, before its tables are filled: what they lack then
// may be there later. Tried at the 1st, 2nd, 4th, 8th ... sample from there on.
void read_vm(Recording* recording) {
  const uint32_t sample = __atomic_add_fetch(&samples_seen, 1, __ATOMIC_RELAXED);
  if ((sample & (sample - 1)) != 0 || !replace_if<uint32_t>(&phase, kSeen, kBusy)) return;
  const JavaFrames found = read_vm_layout(vm_map, vm_begin, vm_end, &vm, missing_field);
  set_state(recording, found);
  store_release<uint32_t>(&phase, found == JavaFrames::kWaiting ? kNoKey : kSeen);
}

void note_vm(Recording* recording, uint64_t begin, uint64_t end) {
  FoundObject object;
  const link_map* map = find_object(begin, &object) ? object.map : nullptr;
  if (map == nullptr) map = find_listed_map(begin, end);
  if (map == nullptr || !replace_if<uint32_t>(&phase, kUnseen, kBusy)) return;
  vm_map = map;
  vm_begin = begin;
  vm_end = end;
  store_release<uint32_t>(&phase, kSeen);
  read_vm(recording);
}

void turn_off(Recording* recording, JavaFrames why) {
  store_release<uint32_t>(&phase, kOff);
  set_state(recording, why);
}

// On the first stack that leads into Java code.
void search_key(Recording* recording) {
  if (!replace_if<uint32_t>(&phase, kNoKey, kBusy)) return;
  if (find_thread_key(vm, &thread_key)) {
    set_state(recording, JavaFrames::kOn);
    store_release<uint32_t>(&phase, kFollow);
  } else if (++searches == kMostSearches) {
    turn_off(recording, JavaFrames::kNoThread);
  } else {
    store_release<uint32_t>(&phase, kNoKey);
  }
}

/// Words of the frame pool, in the making.
struct Words {
  uint64_t words[recording::kMaxSiteWords];
  uint32_t count;
  bool is_half;  ///< the last word has room for a second Java frame

  void add(uint32_t frame) {
    if (is_half) {
      words[count - 1] |= frame;
    } else if (count < recording::kMaxSiteWords) {
      words[count++] = recording::kJavaFrameBit | static_cast<uint64_t>(frame) << 32;
    }
    is_half = !is_half;
  }
};

uint32_t pack_frame(Recording* recording, const JavaFrame& frame) {
  const uint32_t kind = static_cast<uint32_t>(frame.kind) << recording::kJavaKindShift;
  if (frame.method == 0) return kind;
  return kind | name_of_method(recording, vm, frame.method) << recording::kJavaBciBits | frame.bci;
}

void add_java(Recording* recording, const JavaStack& java, bool is_cut, Words* out) {
  constexpr auto kCut = static_cast<uint32_t>(recording::kJavaNativeCut) << recording::kJavaKindShift;
  constexpr auto kLost = static_cast<uint32_t>(recording::kJavaNotWalkable)
                         << recording::kJavaKindShift;
  if (java.end == WalkEnd::kNoJava) {
    if (!is_cut) out->add(kLost);
    return;
  }
  if (is_cut) out->add(kCut);
  for (uint32_t i = 0; i < java.count; i++) out->add(pack_frame(recording, java.frames[i]));
}

void count_walk(Recording* recording, WalkEnd end) {
  if (end == WalkEnd::kNoJava) return;
  recording::Header& header = recording->header;
  add_relaxed<uint64_t>(&header.java_walk_count, 1);
  if (end != WalkEnd::kStrayed) return;
  add_relaxed<uint64_t>(&header.java_stray_count, 1);
  const uint64_t walks = load_relaxed(&header.java_walk_count);
  if (walks >= kFewestWalks && load_relaxed(&header.java_stray_count) * 100 > walks * kStrayedPercent)
    turn_off(recording, JavaFrames::kSelfCheck);
}

uint16_t flags_of(const Stack& stack, WalkEnd end) {
  uint16_t flags = 0;
  if (stack.truncated || end == WalkEnd::kTruncated) flags |= recording::kSiteTruncated;
  if (stack.incomplete || end == WalkEnd::kStopped || end == WalkEnd::kStrayed)
    flags |= recording::kSiteIncomplete;
  return flags;
}

// Apart, for its frame: threads that never run Java must not need the room.
__attribute__((noinline)) uint32_t site_on_java_thread(Recording* recording, const Stack& stack,
                                                       uint64_t thread, bool is_cut, uint16_t flags,
                                                       bool* inserted) {
  JavaStack java;
  walk_java(vm, thread, &java);
  count_walk(recording, java.end);
  Words words;
  memcpy(words.words, stack.frames, stack.count * sizeof(uint64_t));
  words.count = stack.count;
  words.is_half = false;
  add_java(recording, java, is_cut, &words);
  flags |= flags_of(stack, java.end);
  if (words.count == 0) flags |= recording::kSiteIncomplete;
  return site_of(recording, SiteWords{words.words, words.count}, flags, inserted);
}

// Generated code has no unwind rows, so the native walk ends with its first return address there.
bool cut_at_java(Stack* stack) {
  if (stack->count == 0 || !is_in_code_cache(vm, stack->frames[stack->count - 1])) return false;
  stack->count--;
  stack->incomplete = false;
  return true;
}

}  // namespace

bool java_frames_possible() {
  const uint32_t now = load_acquire(&phase);
  return now == kSeen || now == kNoKey || now == kFollow;
}

void look_for_java(Recording* recording) {
  if (load_relaxed(&phase) != kUnseen) return;
  const uint32_t count = load_acquire(&recording->header.module_count);
  for (uint32_t i = load_relaxed(&modules_seen); i < count && i < recording::kModuleCapacity; i++) {
    const recording::Module& module = recording->modules[i];
    const uint64_t begin = load_acquire(&module.begin);
    if (begin == 0) return;  // being entered by another thread
    if (is_vm_module(module)) return note_vm(recording, begin, module.end);
    store_relaxed(&modules_seen, i + 1);
  }
}

uint32_t site_with_java(Recording* recording, Stack* stack, uint16_t flags, bool* inserted) {
  if (load_acquire(&phase) == kSeen) read_vm(recording);
  if (load_acquire(&phase) < kNoKey) return site_of(recording, *stack, flags, inserted);
  const bool is_whole = cut_at_java(stack);
  if (is_whole && load_acquire(&phase) == kNoKey) search_key(recording);
  const uint64_t thread = load_acquire(&phase) == kFollow ? java_thread(vm, thread_key) : 0;
  if (thread == 0) return site_of(recording, *stack, flags, inserted);
  return site_on_java_thread(recording, *stack, thread, !is_whole, flags, inserted);
}

void publish_java(Recording* recording) {
  if (load_relaxed(&phase) == kUnseen) store_relaxed(&modules_seen, 0u);
  recording::Header& header = recording->header;
  header.java_version = vm.feature_version;
  memcpy(header.java_missing, missing_field, sizeof(header.java_missing));
  store_release(&header.java_frames, state);
}

}  // namespace shim
