// SPDX-License-Identifier: Apache-2.0
// Threads load and unload plugins, throw, fork, vfork, end, walk the loader's list and allocate, all at
// once, while many allocations are sampled. Nothing may deadlock, crash, or lose a byte for good.
// env: OFFHEAP_SAMPLE=512
// expect: survived
#include <dlfcn.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include "own_recording.h"

namespace {
std::atomic<bool> stop{false};
std::array<std::atomic<void*>, 512> shared_blocks;

/// One job a thread; each does a little of its own and of everybody's allocating, until told to stop.
using Job = void (*)(std::minstd_rand&);

void allocate(std::minstd_rand& random) {
  for (int i = 0; i < 200; ++i) {
    auto& slot = shared_blocks[random() % shared_blocks.size()];
    free(slot.exchange(used(malloc(random() % 3000))));
    auto& grown = shared_blocks[random() % shared_blocks.size()];
    free(grown.exchange(realloc(grown.exchange(nullptr), 1 + random() % 200'000)));
  }
}

void load_and_unload(std::minstd_rand& random) {
  const char* path =
      random() % 2 ? PLUGIN_DIR "/plugin_small_frames.so" : PLUGIN_DIR "/plugin_large_frames.so";
  void* plugin = dlopen(path, RTLD_NOW);
  CHECK(plugin);
  auto* make = reinterpret_cast<void* (*)(size_t)>(dlsym(plugin, "plugin_allocate"));
  void* block = make(500);
  CHECK(dlclose(plugin) == 0);
  free(block);
}

void throw_and_catch(std::minstd_rand& random) {
  try {
    throw std::runtime_error(std::string(100 + random() % 500, 'x'));
  } catch (const std::exception& error) {
    CHECK(std::string(error.what()).size() >= 100);
  }
}

void wait_for(pid_t child, int wanted) {
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == wanted);
}

void fork_and_allocate(std::minstd_rand& random) {
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 200; ++i) free(used(malloc(random() % 3000)));
    _exit(17);
  }
  wait_for(child, 17);
}

void vfork_and_exec(std::minstd_rand&) {
  pid_t child = vfork();
  if (child == 0) {
    execl("/bin/false", "false", static_cast<char*>(nullptr));
    _exit(2);
  }
  wait_for(child, 1);
}

void start_and_end_thread(std::minstd_rand& random) {
  void* block = malloc(random() % 1000);
  std::thread([block] {
    free(block);
    free(used(malloc(2000)));
  }).join();
}

int allocate_inside(dl_phdr_info*, size_t, void*) {
  free(used(malloc(300)));
  return 0;
}
void walk_modules(std::minstd_rand&) { dl_iterate_phdr(allocate_inside, nullptr); }

constexpr Job kJobs[] = {load_and_unload, throw_and_catch,      fork_and_allocate, vfork_and_exec,
                         allocate,        start_and_end_thread, walk_modules,      throw_and_catch};

void run_job(unsigned index) {
  std::minstd_rand random(index + 1);
  while (!stop.load(std::memory_order_relaxed)) {
    kJobs[index](random);
    allocate(random);
  }
}

int wanted_seconds() {
  const char* seconds = getenv("OFFHEAP_STRESS_SECONDS");
  return seconds ? atoi(seconds) : 2;
}
}  // namespace

int main() {
  std::array<std::thread, std::size(kJobs)> threads;
  for (unsigned i = 0; i < threads.size(); ++i) threads[i] = std::thread(run_job, i);
  std::this_thread::sleep_for(std::chrono::seconds(wanted_seconds()));
  stop = true;
  for (auto& thread : threads) thread.join();
  for (auto& slot : shared_blocks) free(slot.exchange(nullptr));
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  own::Counts counts = own::process_counts(*recording);
  // The loader and the threads' cached stacks keep little; a systematic loss would show as megabytes.
  if (counts.live_bytes() < 0 || counts.live_bytes() > 1 << 20)
    fprintf(stderr, "%" PRId64 " bytes live in the end\n", counts.live_bytes());
  CHECK(counts.live_bytes() >= 0 && counts.live_bytes() < 1 << 20);
  puts("survived");
}
