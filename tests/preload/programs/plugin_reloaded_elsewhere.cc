// SPDX-License-Identifier: Apache-2.0
// Two plugins take turns at one address with frames of different sizes: every recorded stack is right.
// env: OFFHEAP_SAMPLE=1
// expect: 40 stacks are right
#include <dlfcn.h>
#include <execinfo.h>

#include "own_recording.h"

namespace {
constexpr int kMaxFrames = 32;
void* true_stack[kMaxFrames];
int true_depth = 0;

void note_stack(void*) { true_depth = backtrace(true_stack, kMaxFrames); }

/// The recorded frames above the plugin's own must be those that backtrace() sees above it.
bool same_callers(const recording::Recording& recording, const recording::Site& site,
                  uintptr_t plugin) {
  const uint64_t* frames = recording.frames + site.frame_begin;
  auto inside = [plugin](uint64_t pc) { return pc >= plugin && pc < plugin + 0x10000; };
  int recorded = 0;
  while (recorded < site.frame_count && inside(frames[recorded])) ++recorded;
  int expected = 1;  // past note_stack
  while (expected < true_depth && inside(reinterpret_cast<uintptr_t>(true_stack[expected]))) ++expected;
  if (recorded != 3 || site.frame_count - recorded != true_depth - expected) return false;
  for (++recorded, ++expected; expected < true_depth; ++recorded, ++expected)
    if (frames[recorded] != reinterpret_cast<uintptr_t>(true_stack[expected])) return false;
  return true;
}

[[gnu::noinline]] bool allocate_and_compare(const recording::Recording& recording, void* plugin) {
  auto* allocate = reinterpret_cast<void* (*)(size_t)>(dlsym(plugin, "plugin_allocate"));
  auto* call = reinterpret_cast<void (*)(void (*)(void*), void*)>(dlsym(plugin, "plugin_call"));
  Dl_info info{};
  CHECK(dladdr(reinterpret_cast<void*>(allocate), &info) != 0);
  call(note_stack, nullptr);
  void* block = allocate(100);
  const recording::LiveSample* sample = own::find_sample(recording, block);
  CHECK(sample && sample->site < recording::kSiteCapacity);
  bool same = same_callers(recording, recording.sites[sample->site],
                           reinterpret_cast<uintptr_t>(info.dli_fbase));
  free(block);
  return same;
}
}  // namespace

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  void* warm_up[4];
  backtrace(warm_up, 4);
  int right = 0;
  for (int i = 0; i < 40; ++i) {
    void* plugin = dlopen(
        i % 2 ? PLUGIN_DIR "/plugin_small_frames.so" : PLUGIN_DIR "/plugin_large_frames.so", RTLD_NOW);
    CHECK(plugin);
    right += allocate_and_compare(*recording, plugin);
    CHECK(dlclose(plugin) == 0);
  }
  printf("%d stacks are right\n", right);
}
