// SPDX-License-Identifier: Apache-2.0
// Other threads load and unload a plugin all the while: no recorded stack is wrong, and hardly one is
// cut.
// env: OFFHEAP_SAMPLE=1
// expect: the stacks are right
#include <dlfcn.h>
#include <execinfo.h>

#include <atomic>
#include <thread>

#include "own_recording.h"

namespace {
constexpr int kMaxFrames = 32;
constexpr int kStacks = 2000;
std::atomic<bool> stop{false};

struct Tally {
  const recording::Recording* recording;
  int whole = 0;
  int cut = 0;
};

/// Frame 0 is this function's own, whose two calls return to two places.
[[gnu::noinline]] void compare_here(void* argument) {
  auto* tally = static_cast<Tally*>(argument);
  void* truth[kMaxFrames];
  int depth = backtrace(truth, kMaxFrames);
  void* block = used(malloc(100));
  const recording::LiveSample* sample = own::find_sample(*tally->recording, block);
  CHECK(sample && sample->site < recording::kSiteCapacity);
  const recording::Site& site = tally->recording->sites[sample->site];
  CHECK(site.frame_count >= 1 && site.frame_count <= depth);
  for (int i = 1; i < site.frame_count; ++i)
    CHECK(tally->recording->frames[site.frame_begin + i] == reinterpret_cast<uintptr_t>(truth[i]));
  ++(site.frame_count == depth ? tally->whole : tally->cut);
  free(block);
}

void reload() {
  while (!stop) {
    void* plugin = dlopen(PLUGIN_DIR "/plugin_large_frames.so", RTLD_NOW);
    CHECK(plugin && dlclose(plugin) == 0);
  }
}
}  // namespace

int main() {
  Tally tally{own::find_recording()};
  CHECK(tally.recording);
  void* plugin = dlopen(PLUGIN_DIR "/plugin_small_frames.so", RTLD_NOW);
  CHECK(plugin);
  auto* call = reinterpret_cast<void (*)(void (*)(void*), void*)>(dlsym(plugin, "plugin_call"));
  CHECK(call);
  std::thread first(reload);
  std::thread second(reload);
  for (int i = 0; i < kStacks; ++i) call(compare_here, &tally);
  stop = true;
  first.join();
  second.join();
  fprintf(stderr, "%d whole, %d cut\n", tally.whole, tally.cut);
  CHECK(tally.cut < kStacks / 10);
  puts("the stacks are right");
}
