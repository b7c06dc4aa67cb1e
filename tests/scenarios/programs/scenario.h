// SPDX-License-Identifier: Apache-2.0
//
// What the scenario programs share: the truth they print, steady pacing, ordinary churn, and the
// conversation with the harness. C and C++; nothing here allocates, so that what a program prints about
// its heap stays true while it prints.
//
// The conversation: the program prints {"ready":true,...} once the cause is there. A program that grows
// goes on until it reads "hold". At rest it prints its truth and answers "trim" (malloc_trim(0)) and
// "mallinfo" (mallinfo2), each with one JSON line, and leaves at "exit" or at the end of its input.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __clang__
#define SCENARIO_NOINLINE __attribute__((noinline))
#else
#define SCENARIO_NOINLINE __attribute__((noinline, noclone))
#endif

/// One allocation site and what it has leaked so far. Counts are exact; many threads may add.
struct scenario_site {
  const char* function;
  uint64_t live_bytes;       // usable bytes
  uint64_t requested_bytes;  // what the program asked for
};

/// Tells the optimiser that somebody has seen the block.
static inline void scenario_keep(void* block) { __asm__ volatile("" : : "r"(block) : "memory"); }

static inline void scenario_count(struct scenario_site* site, void* block, size_t requested_bytes) {
  __atomic_fetch_add(&site->live_bytes, (uint64_t)malloc_usable_size(block), __ATOMIC_RELAXED);
  __atomic_fetch_add(&site->requested_bytes, (uint64_t)requested_bytes, __ATOMIC_RELAXED);
}

/// xorshift64*: the seed alone decides every run.
static inline uint64_t scenario_random(uint64_t* state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * UINT64_C(2685821657736338717);
}

/// Uniform in [low, high].
static inline size_t scenario_between(uint64_t* state, size_t low, size_t high) {
  return low + (size_t)(scenario_random(state) % (uint64_t)(high - low + 1));
}

static inline uint64_t scenario_seed(int argc, char** argv) {
  uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  return seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
}

static inline double scenario_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static inline void scenario_sleep_ms(long ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

/// Sleeps as long as `done_bytes` is ahead of `bytes_per_second` since `start`.
static inline void scenario_pace(double start, uint64_t done_bytes, double bytes_per_second) {
  double ahead = (double)done_bytes / bytes_per_second - (scenario_now() - start);
  if (ahead > 0.002) scenario_sleep_ms((long)(ahead * 1000));
}

static inline void scenario_print(const char* text) {
  size_t left = strlen(text);
  while (left > 0) {
    ssize_t written = write(STDOUT_FILENO, text, left);
    if (written <= 0) _exit(1);
    text += written;
    left -= (size_t)written;
  }
}

/// {"<event>":true,"cause":...,"sites":[...]<extra>}; `extra` is "" or starts with a comma.
static inline void scenario_say(const char* event, const char* cause, const struct scenario_site* sites,
                                int count, const char* extra) {
  char line[4096];
  int used = snprintf(line, sizeof line, "{\"%s\":true,\"cause\":\"%s\",\"sites\":[", event, cause);
  for (int i = 0; i < count; i++) {
    used += snprintf(line + used, sizeof line - (size_t)used,
                     "%s{\"function\":\"%s\",\"live_bytes\":%llu,\"requested_bytes\":%llu}",
                     i ? "," : "", sites[i].function,
                     (unsigned long long)__atomic_load_n(&sites[i].live_bytes, __ATOMIC_RELAXED),
                     (unsigned long long)__atomic_load_n(&sites[i].requested_bytes, __ATOMIC_RELAXED));
  }
  snprintf(line + used, sizeof line - (size_t)used, "]%s}\n", extra);
  scenario_print(line);
}

/// Half a second of short requests, each of which frees what it takes: the heap stays as it is, while
/// allocators and recorders that do their housekeeping along with allocations get to do it.
static inline void scenario_serve(void) {
  for (int burst = 0; burst < 50; burst++) {
    for (int i = 0; i < 2000; i++) {
      void* block = malloc(1000);
      if (block == NULL) abort();
      scenario_keep(block);
      free(block);
    }
    scenario_sleep_ms(10);
  }
}

/// Reads one line, or leaves at the end of the input.
static inline void scenario_read_line(char* line, size_t capacity) {
  size_t used = 0;
  while (used + 1 < capacity) {
    char c;
    if (read(STDIN_FILENO, &c, 1) != 1) _exit(0);
    if (c == '\n') break;
    line[used++] = c;
  }
  line[used] = 0;
}

/// True until the harness has said "hold".
static inline int scenario_working(void) {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  if (poll(&input, 1, 0) <= 0) return 1;
  char line[64];
  scenario_read_line(line, sizeof line);
  return strcmp(line, "hold") != 0;
}

/// Its first call may allocate, in the dynamic linker: not when somebody is counting blocks.
__attribute__((constructor)) static void scenario_warm_up(void) { (void)mallinfo2(); }

static inline void scenario_say_mallinfo(void) {
  char line[256];
  struct mallinfo2 info = mallinfo2();
  snprintf(line, sizeof line,
           "{\"arena\":%zu,\"uordblks\":%zu,\"fordblks\":%zu,\"fsmblks\":%zu,\"hblkhd\":%zu,\"hblks\":%"
           "zu}\n",
           info.arena, info.uordblks, info.fordblks, info.fsmblks, info.hblkhd, info.hblks);
  scenario_print(line);
}

/// Answers the harness until it says "exit"; does not return.
__attribute__((noreturn)) static inline void scenario_rest(void) {
  char line[64];
  for (;;) {
    scenario_read_line(line, sizeof line);
    if (strcmp(line, "trim") == 0) {
      scenario_print(malloc_trim(0) ? "{\"trimmed\":1}\n" : "{\"trimmed\":0}\n");
    } else if (strcmp(line, "mallinfo") == 0) {
      scenario_say_mallinfo();
    } else if (strcmp(line, "exit") == 0) {
      _exit(0);
    }
  }
}

enum { kScenarioChurnSlots = 4096 };

/// Ordinary traffic: a table of blocks of 16..2048 bytes, replaced at random.
struct scenario_churn {
  void* slots[kScenarioChurnSlots];
  uint64_t state;
};

SCENARIO_NOINLINE static void* churn_request(size_t bytes) {
  char* block = (char*)malloc(bytes);
  if (block == NULL) abort();
  block[0] = block[bytes - 1] = 1;
  return block;
}

/// Replaces blocks until about `bytes` have been allocated.
static inline void scenario_churn_step(struct scenario_churn* churn, uint64_t bytes) {
  uint64_t done = 0;
  while (done < bytes) {
    size_t size = scenario_between(&churn->state, 16, 2048);
    void** slot = &churn->slots[scenario_random(&churn->state) % kScenarioChurnSlots];
    free(*slot);
    *slot = churn_request(size);
    done += size;
  }
}
