// SPDX-License-Identifier: Apache-2.0
//
// A program whose threads' stacks are read from outside: some wait, one computes, some have ended and
// left their stacks to glibc. For each it prints "KIND TID ADDRESS BYTES": an address within the
// stack, and how much of it the thread has touched below that address.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kWaiting = 12, kEnded = 3, kMostTouched = 512 << 10 };

typedef struct {
  const char* kind;
  size_t touched;
  int ready[2];  // a pipe: tells that the line is printed
} Worker;

static int end[2];  // a pipe: each byte ends one thread

__attribute__((noinline)) static void use_stack(const Worker* w) {
  volatile char room[kMostTouched + 1];
  char line[96];
  for (size_t at = 0; at < w->touched; at += 4096) room[sizeof room - 1 - at] = 1;
  const int length = snprintf(line, sizeof line, "%s %ld %lu %zu\n", w->kind, syscall(SYS_gettid),
                              (unsigned long)(uintptr_t)&room[sizeof room - 1], w->touched);
  if (write(1, line, (size_t)length) != length) abort();
}

static void* work(void* argument) {
  Worker* w = argument;
  use_stack(w);
  if (write(w->ready[1], "", 1) != 1) abort();
  char byte;
  if (w->kind[0] == 'e') return read(end[0], &byte, 1) == 1 ? NULL : w;
  for (volatile unsigned turns = 0;; ++turns)
    if (w->kind[0] == 'w') pause();
  return NULL;
}

static pthread_t start(const char* kind, size_t touched) {
  Worker* w = malloc(sizeof *w);
  *w = (Worker){kind, touched, {0, 0}};
  pthread_t thread;
  char byte;
  if (pipe(w->ready) != 0 || pthread_create(&thread, NULL, work, w) != 0) abort();
  if (read(w->ready[0], &byte, 1) != 1) abort();
  return thread;
}

int main(void) {
  pthread_t ended[kEnded];
  Worker self = {"main", 300 << 10, {0, 0}};
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0 || pipe(end) != 0) return 1;
  use_stack(&self);
  for (int i = 0; i < kWaiting; ++i) start("waiting", (size_t)(i % 4) * (100 << 10));
  start("busy", 4096);
  for (int i = 0; i < kEnded; ++i) ended[i] = start("ended", 64 << 10);
  if (write(end[1], "eee", kEnded) != kEnded) return 1;
  for (int i = 0; i < kEnded; ++i) pthread_join(ended[i], NULL);
  if (write(1, "done\n", 5) != 5) return 1;
  for (;;) pause();
}
