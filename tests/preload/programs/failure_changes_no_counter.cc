// SPDX-License-Identifier: Apache-2.0
// Calls that fail, for any reason, change no counter. (operator new is another matter: the exception
// that libstdc++ throws is allocated.)
// expect: unchanged
#include <malloc.h>
#include <sys/resource.h>

#include <cerrno>
#include <initializer_list>

#include "own_recording.h"

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  void* block = used(malloc(100));
  rlimit limit{size_t{300} << 20, size_t{300} << 20};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  own::Counts before = own::process_counts(*recording);
  for (size_t size : {size_t{400} << 20, size_t{1} << 40, ~size_t{0} >> 1, ~size_t{0}}) {
    size = opaque(size);
    void* aligned = nullptr;
    CHECK(!malloc(size) && !calloc(size, 1) && !calloc(size, 3) && !realloc(nullptr, size));
    CHECK(!realloc(block, size) && !reallocarray(block, size, 2) && !memalign(64, size));
    CHECK(posix_memalign(&aligned, 64, size) != 0 && posix_memalign(&aligned, 3, 64) != 0);
    CHECK(!aligned_alloc(64, size & ~size_t{63}));
  }
  own::Counts change = own::process_counts(*recording) - before;
  CHECK(change.in_bytes == 0 && change.out_bytes == 0 && change.in_count == 0 && change.out_count == 0);
  puts("unchanged");
  free(block);
}
