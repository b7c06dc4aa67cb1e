// SPDX-License-Identifier: Apache-2.0
//
// Every kind of allocation call, one after the other, over 10,000 live blocks replaced at random, for
// callgrind to count: what stands between two dumps is one kind of call and nothing else. Knows nothing
// of allocators but their entry points.
//
//   calls KIND COUNT alone|beside [ATTACHABLE OPTIONS]
//
// KIND: one of kKinds, or all. beside: another thread is there, which does nothing. It is for the sake
// of libc, which leaves out its locks in a program of one thread. ATTACHABLE is a library whose
// offheap_attach(OPTIONS) is called first.
//
// Each dump is named "KIND THREAD": main, or thread for one other than the first. Instructions are
// counted in replace_blocks alone, if callgrind is started with --instr-atstart=no
// --toggle-collect=*replace_blocks*: another thread may be at work meanwhile. Prints nothing.
#include <dlfcn.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <thread>

namespace {

constexpr size_t kBlocks = 10'000;
constexpr size_t kAlignment = 64;
std::array<void*, kBlocks> blocks;

/// A xorshift generator: what stands between two calls must be cheap.
uint32_t next_random(uint32_t state) {
  state ^= state << 13;
  state ^= state >> 17;
  return state ^ (state << 5);
}

using Replace = void* (*)(void* old, size_t size);

void* by_malloc(void* old, size_t size) {
  std::free(old);
  return std::malloc(size);
}

void* by_calloc(void* old, size_t size) {
  std::free(old);
  return std::calloc(1, size);
}

/// All these sizes have the same usable size, under every allocator.
void* by_realloc_in_place(void* old, size_t size) { return std::realloc(old, 33 + size % 8); }
void* by_realloc(void* old, size_t size) { return std::realloc(old, size); }

void* by_posix_memalign(void* old, size_t size) {
  std::free(old);
  void* block = nullptr;
  return posix_memalign(&block, kAlignment, size) == 0 ? block : nullptr;
}

void* by_aligned_alloc(void* old, size_t size) {
  std::free(old);
  return std::aligned_alloc(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment);
}

void* by_new(void* old, size_t size) {
  ::operator delete(old);
  return ::operator new(size);
}

/// The size of a block stands in its first word.
void* by_sized_delete(void* old, size_t size) {
  if (old != nullptr) ::operator delete(old, *static_cast<size_t*>(old));
  void* block = ::operator new(size);
  *static_cast<size_t*>(block) = size;
  return block;
}

struct Kind {
  const char* name;
  Replace replace;
};

constexpr std::array<Kind, 8> kKinds = {{{"malloc+free", by_malloc},
                                         {"calloc+free", by_calloc},
                                         {"realloc-in-place", by_realloc_in_place},
                                         {"realloc", by_realloc},
                                         {"posix_memalign+free", by_posix_memalign},
                                         {"aligned_alloc+free", by_aligned_alloc},
                                         {"new+delete", by_new},
                                         {"new+sized-delete", by_sized_delete}}};

[[gnu::noinline]] void replace_blocks(Replace replace, uint64_t count) {
  uint32_t state = 2463534242;
  for (uint64_t i = 0; i < count; ++i) {
    state = next_random(state);
    void*& block = blocks[(uint64_t{state} * kBlocks) >> 32];
    block = replace(block, 16 + state % 1008);
  }
}

void count(const Kind& kind, const char* thread, uint64_t calls) {
  // Each kind begins with a heap that it has filled itself.
  for (void*& block : blocks) block = kind.replace(nullptr, 100);
  replace_blocks(kind.replace, 5 * kBlocks);
  static std::string name;  // callgrind reads it when it writes the dump, later
  name = std::string(kind.name) + " " + thread;
  CALLGRIND_START_INSTRUMENTATION;
  replace_blocks(kind.replace, calls);
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  CALLGRIND_STOP_INSTRUMENTATION;
  for (void*& block : blocks) {
    std::free(block);
    block = nullptr;
  }
}

void count_all(const std::string& which, const char* thread, uint64_t calls) {
  for (const Kind& kind : kKinds) {
    if (which == "all" || which == kind.name) count(kind, thread, calls);
  }
}

void attach(const char* library, const char* options) {
  void* opened = dlopen(library, RTLD_NOW);
  void* entry = opened != nullptr ? dlsym(opened, "offheap_attach") : nullptr;
  if (entry == nullptr) {
    std::fprintf(stderr, "calls: %s\n", dlerror());
    std::exit(1);
  }
  const int result = reinterpret_cast<int (*)(const char*)>(entry)(options);
  if (result == 0) return;
  std::fprintf(stderr, "calls: %s answers %d to an attach\n", library, result);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6) {
    std::fprintf(stderr, "usage: calls KIND COUNT alone|beside [ATTACHABLE OPTIONS]\n");
    return 2;
  }
  if (argc == 6) attach(argv[4], argv[5]);
  if (std::strcmp(argv[3], "beside") == 0) std::thread(pause).detach();
  const std::string kind = argv[1];
  const uint64_t calls = std::strtoull(argv[2], nullptr, 10);
  count_all(kind, "main", calls);
  std::thread([&] { count_all(kind, "thread", calls); }).join();
}
