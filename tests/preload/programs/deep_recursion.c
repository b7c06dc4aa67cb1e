// SPDX-License-Identifier: Apache-2.0
// Allocation ten thousand frames deep, every one sampled: stacks are cut, time stays bounded.
// env: OFFHEAP_SAMPLE=1
#include "check.h"

__attribute__((noinline)) static size_t descend(int depth) {
  char* block = used(malloc(40));
  size_t below = depth ? descend(depth - 1) : 0;
  free(block);
  return below + 1;
}

int main(void) { CHECK(descend(9999) == 10000); }
