// SPDX-License-Identifier: Apache-2.0
//
// A program whose heap is read from outside. It fills its heap as asked, says on stdout what malloc and
// its own books say of it, and then does one step for each byte that it gets on stdin: 't' calls
// malloc_trim(0), anything else ends it. Its own books are mapped, not allocated, and nothing is
// printed through stdio, so that the heap holds what the workload put there.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kMostBlocks = 400000, kMostThreads = 16 };

typedef struct {
  void** blocks;  // null = freed
  size_t count;
  uint64_t random;
  int index;
} Worker;

typedef void (*Workload)(Worker*);

static Worker workers[kMostThreads];
static int worker_count = 1;
static Workload workload;
static pthread_barrier_t filled;
static _Atomic int churning = 1;

static uint64_t next_random(Worker* w) {
  w->random ^= w->random << 13;
  w->random ^= w->random >> 7;
  w->random ^= w->random << 17;
  return w->random;
}

static size_t between(Worker* w, size_t low, size_t high) {
  return low + next_random(w) % (high - low + 1);
}

static void keep(Worker* w, void* block) {
  if (block == NULL || w->count == kMostBlocks) abort();
  w->blocks[w->count++] = block;
}

static void touch(void* block, size_t bytes) { memset(block, 0xa5, bytes); }

static void fill(Worker* w, size_t bytes, size_t low, size_t high) {
  for (size_t sum = 0; sum < bytes;) {
    const size_t size = between(w, low, high);
    void* block = malloc(size);
    touch(block, size);
    keep(w, block);
    sum += size;
  }
}

static void free_share(Worker* w, unsigned percent) {
  for (size_t i = 0; i < w->count; ++i) {
    if (w->blocks[i] == NULL || next_random(w) % 100 >= percent) continue;
    free(w->blocks[i]);
    w->blocks[i] = NULL;
  }
}

static void mixed(Worker* w) {
  fill(w, 6 << 20, 16, 2000);
  free_share(w, 50);
  fill(w, 4 << 20, 16, 30000);
  free_share(w, 30);
}

static void churn50(Worker* w) {
  for (int round = 0; round < 4; ++round) {
    fill(w, 12 << 20, 16, round % 2 != 0 ? 300 : 60000);
    free_share(w, 60);
  }
  fill(w, 10 << 20, 100, 5000);
}

// Blocks that are never touched but for their headers fill several 64 MiB segments at little cost.
static void several_heaps(Worker* w) {
  for (size_t sum = 0; sum < (size_t)150 << 20;) {
    const size_t size = between(w, 40000, 120000);
    keep(w, malloc(size));
    sum += size;
    if (w->count % 16 == 0) fill(w, 5000, 16, 200);
  }
  free_share(w, 40);
}

static void mostly_free(Worker* w) {
  fill(w, 24 << 20, 16, 1500);
  free_share(w, 97);
}

static void fastbins(Worker* w) {
  fill(w, 4 << 20, 16, 120);
  fill(w, 1 << 20, 500, 900);
  free_share(w, 70);
}

static void tcaches(Worker* w) {
  for (int n = 0; n < 7; ++n)
    for (size_t size = 16; size <= 1032; size += 16) fill(w, 1, size, size);
  free_share(w, 90);
}

static void aligned(Worker* w) {
  for (int i = 0; i < 1500; ++i) {
    const size_t alignment = (size_t)16 << next_random(w) % 12;
    void* block = NULL;
    const size_t size = between(w, 1, i % 100 == 0 ? 400000 : 9000);
    if (posix_memalign(&block, alignment, size) != 0) abort();
    touch(block, size);
    keep(w, block);
  }
  free_share(w, 50);
}

static void mmapped(Worker* w) {
  for (int i = 0; i < 60; ++i) {
    const size_t size = between(w, 200000, 1500000);
    char* block = malloc(size);
    touch(block, between(w, 1, size));
    if (i % 5 == 0) block = realloc(block, size + between(w, 1, 1000000));
    keep(w, block);
  }
  free_share(w, 40);
  fill(w, 1 << 20, 16, 600);
}

static void mmapped_aligned(Worker* w) {
  for (int i = 0; i < 80; ++i) {
    void* block = NULL;
    const size_t size = between(w, 140000, 900000);
    if (posix_memalign(&block, (size_t)32 << next_random(w) % 16, size) != 0) abort();
    touch(block, between(w, 1, size));
    if (i % 2 == 0) block = realloc(block, i % 8 == 0 ? 135000 : size + between(w, 1, 2000000));
    keep(w, block);
  }
  free_share(w, 40);
}

static void untouched(Worker* w) {
  for (int i = 0; i < 400; ++i) keep(w, calloc(1, between(w, 3000, 110000)));
  free_share(w, 20);
}

static void foreign_break(Worker* w) {
  for (int i = 0; i < 6; ++i) {
    fill(w, 2 << 20, 16, 1500);
    char* mine = sbrk((intptr_t)between(w, 1, 30000));
    if (mine != (char*)-1) touch(mine, 1);
  }
  fill(w, 1 << 20, 16, 1500);
  free_share(w, 50);
}

// With something in its way the break cannot move: the main arena goes on in mappings.
static void blocked_break(Worker* w) {
  fill(w, 1 << 20, 16, 1500);
  char* end = (char*)(((uintptr_t)sbrk(0) + 4095) / 4096 * 4096);
  if (mmap(end + 65536, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
      MAP_FAILED)
    abort();
  fill(w, 700 << 10, 16, 1500);
  free_share(w, 40);
}

static void small(Worker* w) {
  fill(w, 200 << 10, 16, 1500);
  free_share(w, 50);
  fill(w, 40 << 10, 16, 100);
  free_share(w, 30);
}

// A gigabyte for the clock, in blocks large enough to be quick to make.
static void gigabyte(Worker* w) {
  fill(w, (size_t)128 << 20, 200, 4000);
  free_share(w, 50);
}

// One arena of half a gigabyte, which takes longer to copy than a stop may last.
static void large_main(Worker* w) {
  fill(w, (size_t)512 << 20, 2000, 6000);
  free_share(w, 50);
}

// Never ends: blocks of all threads are freed by one another.
static void restless(Worker* w) {
  static _Atomic(void*) shared[4096];
  pthread_barrier_wait(&filled);
  while (atomic_load(&churning)) {
    const size_t size = between(w, 1, next_random(w) % 50 == 0 ? 60000 : 800);
    void* block = malloc(size);
    touch(block, size);
    free(atomic_exchange(&shared[next_random(w) % 4096], block));
  }
}

static size_t live_usable(size_t* count);

// The same among 256 MB that stay: says how much of these is in use, then never ends.
static void restless_main(Worker* w) {
  static char line[64];
  size_t count = 0;
  fill(w, (size_t)256 << 20, 2000, 6000);
  free_share(w, 50);
  const int length = snprintf(line, sizeof line, "%zu\n", live_usable(&count));
  if (write(1, line, (size_t)length) != length) abort();
  restless(w);
}

static const struct {
  const char* name;
  Workload run;
  int threads;
} kWorkloads[] = {
    {"churn50", churn50, 4},
    {"several_heaps", several_heaps, 8},
    {"mostly_free", mostly_free, 2},
    {"fastbins", fastbins, 3},
    {"tcaches", tcaches, 6},
    {"aligned", aligned, 3},
    {"mmapped", mmapped, 2},
    {"mmapped_aligned", mmapped_aligned, 2},
    {"untouched", untouched, 3},
    {"main_only", mixed, 1},
    {"small", small, 2},
    {"mixed", mixed, 6},
    {"foreign_break", foreign_break, 1},
    {"blocked_break", blocked_break, 1},
    {"gigabyte", gigabyte, 8},
    {"gigabyte_main", gigabyte, 1},
    {"large_main", large_main, 1},
    {"restless", restless, 4},
    {"restless_main", restless_main, 1},
};

static void* work(void* argument) {
  Worker* w = argument;
  workload(w);
  if (workload != restless) pthread_barrier_wait(&filled);
  for (;;) pause();
  return NULL;
}

// Usable bytes of the blocks that are alive and lie in an arena: bit 1 of the size word is IS_MMAPPED.
static size_t live_usable(size_t* count) {
  size_t sum = 0;
  for (int t = 0; t < worker_count; ++t)
    for (size_t i = 0; i < workers[t].count; ++i) {
      void* block = workers[t].blocks[i];
      if (block == NULL || (((size_t*)block)[-1] & 2) != 0) continue;
      sum += malloc_usable_size(block);
      ++*count;
    }
  return sum;
}

#ifdef HEAP_TARGET_STATIC
static struct mallinfo2 read_info(void) { return mallinfo2(); }
#else
// Before 2.33 there is mallinfo alone, whose fields end at 2 GB.
static struct mallinfo2 read_info(void) {
  struct mallinfo2 (*wide)(void) = NULL;
  struct mallinfo (*narrow)(void) = NULL;
  *(void**)&wide = dlsym(RTLD_DEFAULT, "mallinfo2");
  if (wide != NULL) return wide();
  *(void**)&narrow = dlsym(RTLD_DEFAULT, "mallinfo");
  const struct mallinfo info = narrow();
  struct mallinfo2 result = {0};
  result.arena = (unsigned)info.arena;
  result.uordblks = (unsigned)info.uordblks;
  result.fordblks = (unsigned)info.fordblks;
  result.hblkhd = (unsigned)info.hblkhd;
  result.hblks = (unsigned)info.hblks;
  return result;
}
#endif

static void report(void) {
  static char line[256];
  size_t count = 0;
  const struct mallinfo2 info = read_info();
  const size_t live = live_usable(&count);
  const int length = snprintf(line, sizeof line, "%zu %zu %zu %zu %zu %zu %zu\n", info.arena,
                              info.uordblks, info.fordblks, info.hblkhd, info.hblks, live, count);
  if (write(1, line, (size_t)length) != length) abort();
}

static void start(int threads, uint64_t seed) {
  worker_count = threads;
  pthread_barrier_init(&filled, NULL, (unsigned)threads);
  for (int t = 0; t < threads; ++t) {
    void* books = mmap(NULL, kMostBlocks * sizeof(void*), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (books == MAP_FAILED) abort();
    workers[t] = (Worker){books, 0, (seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)t * 77, t};
  }
  for (int t = 1; t < threads; ++t) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &workers[t]) != 0) abort();
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);  // fixed: it would grow with the first large free
  for (size_t i = 0; i < sizeof kWorkloads / sizeof *kWorkloads; ++i) {
    if (strcmp(argv[1], kWorkloads[i].name) != 0) continue;
    workload = kWorkloads[i].run;
    start(kWorkloads[i].threads, strtoull(argv[2], NULL, 10));
  }
  if (workload == NULL) return 2;
  if (workload == restless && write(1, "restless\n", 9) != 9) return 1;
  workload(&workers[0]);
  pthread_barrier_wait(&filled);
  report();
  char step;
  while (read(0, &step, 1) == 1 && step == 't') {
    malloc_trim(0);
    if (write(1, "trimmed\n", 8) != 8) return 1;
  }
  return 0;
}
