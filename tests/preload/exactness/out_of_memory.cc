// SPDX-License-Identifier: Apache-2.0
// Memory is gone to the last byte: calls that fail then, of every entry point, change no counter, and
// once all is freed as much is alive as before.
// expect: unchanged
#include <malloc.h>
#include <sys/resource.h>

#include <initializer_list>

#include "own_recording.h"
#include "taken_memory.h"

namespace {
/// A block of another class than what was taken may still be had; it goes to the others.
void keep(void* block) {
  if (!block) return;
  static_cast<Block*>(block)->next = blocks;
  blocks = static_cast<Block*>(block);
}

/// Whether each entry point fails. Sizes are such that nothing cached serves them.
/// gcc is not to know that `old` is still there after a realloc that failed.
int fail_realloc(size_t old) {
  return !realloc(reinterpret_cast<void*>(opaque(old)), opaque(300'000)) +
         !reallocarray(reinterpret_cast<void*>(opaque(old)), 3, opaque(300'000));
}

int fail_all() {
  int failed = 0;
  void* aligned = nullptr;
  for (size_t size : {size_t{300'000}, size_t{3} << 20}) {
    failed += !malloc(opaque(size)) + !calloc(opaque(size), 1) + !calloc(3, opaque(size));
    failed += !realloc(nullptr, opaque(size)) + !memalign(4096, opaque(size));
    failed += posix_memalign(&aligned, 64, opaque(size)) != 0;
    failed +=
        !aligned_alloc(64, opaque(size) & ~size_t{63}) + !valloc(opaque(size)) + !pvalloc(opaque(size));
  }
  return failed;
}
}  // namespace

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  void* old = used(malloc(5000));
  own::Counts at_first = own::process_counts(*recording);
  rlimit limit{size_t{160} << 20, size_t{160} << 20};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  take_all();
  CHECK(blocks);
  for (int i = 0; i < 1000; ++i) keep(realloc(nullptr, 40));
  own::Counts before = own::process_counts(*recording);
  for (int i = 0; i < 100; ++i) CHECK(fail_all() + fail_realloc(reinterpret_cast<size_t>(old)) == 20);
  own::Counts change = own::process_counts(*recording) - before;
  CHECK(change.in_bytes == 0 && change.out_bytes == 0 && change.in_count == 0 && change.out_count == 0);
  give_all_back();
  change = own::process_counts(*recording) - at_first;
  CHECK(change.in_bytes > 50 << 20 && change.live_bytes() == 0);
  CHECK(!own::counts_blocks(recording->header) || change.live_count() == 0);
  puts("unchanged");
  free(old);
}
