// SPDX-License-Identifier: Apache-2.0
// Allocation on a stack that the program made itself: sampled, and never walked off its end.
// env: OFFHEAP_SAMPLE=1
#include <sys/mman.h>
#include <ucontext.h>

#include "check.h"

static ucontext_t outer, inner;

static void coroutine(void) {
  for (int i = 0; i < 1000; ++i) {
    void* block = used(malloc(100));
    swapcontext(&inner, &outer);
    free(block);
  }
}

int main(void) {
  size_t size = 16384;  // with nothing mapped behind it
  char* area = mmap(NULL, size * 3, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED && mprotect(area + size, size, PROT_READ | PROT_WRITE) == 0);
  getcontext(&inner);
  inner.uc_stack.ss_sp = area + size;
  inner.uc_stack.ss_size = size;
  inner.uc_link = &outer;
  makecontext(&inner, coroutine, 0);
  for (int i = 0; i <= 1000; ++i) {
    swapcontext(&outer, &inner);
    free(used(malloc(50)));
  }
}
