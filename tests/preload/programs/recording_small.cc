// SPDX-License-Identifier: Apache-2.0
// A small program's recording keeps at most 1 MiB resident; after heavy work, at most 8 MiB.
// env: OFFHEAP_SAMPLE=512
// expect: within budget
#include <cstring>

#include "own_recording.h"

namespace {
/// Rss of the recording's mapping, from smaps, KiB.
long resident_kib() {
  FILE* smaps = fopen("/proc/self/smaps", "r");
  CHECK(smaps);
  static char line[4096];
  bool inside = false;
  long kib = -1;
  while (kib < 0 && fgets(line, sizeof line, smaps)) {
    if (strstr(line, recording::kMemfdName)) inside = true;
    if (inside && sscanf(line, "Rss: %ld", &kib) == 1) break;
  }
  fclose(smaps);
  return kib;
}

[[gnu::noinline]] void* allocate_at(int depth, size_t bytes) {
  void* block = depth ? allocate_at(depth - 1, bytes) : malloc(bytes);
  return used(block);
}
}  // namespace

int main() {
  CHECK(own::find_recording());
  long small = resident_kib();
  for (int i = 0; i < 300'000; ++i) allocate_at(i % 200, 600);
  long heavy = resident_kib();
  if (small > 1024 || heavy > 8192)
    fprintf(stderr, "resident KiB: %ld small, %ld heavy\n", small, heavy);
  CHECK(small > 0 && small <= 1024 && heavy <= 8192);
  puts("within budget");
}
