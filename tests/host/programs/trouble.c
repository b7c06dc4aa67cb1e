// SPDX-License-Identifier: Apache-2.0
//
// The tasks of a host in trouble, for real: says "ready" and rests until standard input ends. Its
// children are in its process group, which the test kills.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char* what) {
  fprintf(stderr, "trouble: %s: %s\n", what, strerror(errno));
  exit(1);
}

static pid_t child(void) {
  const pid_t pid = fork();
  if (pid < 0) fail("fork");
  return pid;
}

static void rest(void) {
  for (;;) pause();
}

static void* sleeper(void* unused) {
  (void)unused;
  rest();
  return NULL;
}

static void add_threads(int count) {
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 16384);
  for (int i = 0; i < count; ++i) {
    pthread_t thread;
    const int error = pthread_create(&thread, &small, sleeper, NULL);
    if (error != 0) {
      errno = error;
      fail("a thread");
    }
  }
}

/// Children that have ended and that nobody waits for.
static void zombies(int count) {
  for (int i = 0; i < count; ++i) {
    const pid_t pid = child();
    if (pid == 0) _exit(137);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
  }
}

/// A parent in vfork() is in uninterruptible sleep until its child execs or ends.
static void stuck(int count) {
  for (int i = 0; i < count; ++i) {
    if (child() > 0) continue;
    const pid_t pid = vfork();
    if (pid == 0) rest();
    _exit(0);
  }
}

/// A process whose leader sleeps while one of its threads is in vfork().
static void* stuck_thread(void* unused) {
  (void)unused;
  const pid_t pid = vfork();
  if (pid == 0) rest();
  return NULL;
}

static void processes(int count, int threads) {
  for (int i = 0; i < count; ++i) {
    if (child() > 0) continue;
    add_threads(threads - 1);
    rest();
  }
}

static void fill(size_t bytes) {
  char* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  for (size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
}

static void grow(int each_100_ms) {
  for (;;) {
    add_threads(each_100_ms);
    usleep(100000);
  }
}

/// trouble WHAT NUMBER [NUMBER], any number of times:
///   zombies N, stuck N, stuck_threads N, threads N, processes N THREADS, fill MIB, grow N, name TEXT
int main(int count, char** words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int growth = 0;
  for (int i = 1; i + 1 < count; i += 2) {
    const char* what = words[i];
    const int number = atoi(words[i + 1]);
    pthread_t thread;
    if (strcmp(what, "zombies") == 0) zombies(number);
    if (strcmp(what, "stuck") == 0) stuck(number);
    if (strcmp(what, "threads") == 0) add_threads(number);
    if (strcmp(what, "processes") == 0) processes(number, atoi(words[++i + 1]));
    if (strcmp(what, "fill") == 0) fill((size_t)number << 20);
    if (strcmp(what, "grow") == 0) growth = number;
    if (strcmp(what, "name") == 0) prctl(PR_SET_NAME, words[i + 1]);
    if (strcmp(what, "stuck_threads") == 0)
      for (int j = 0; j < number; ++j) pthread_create(&thread, NULL, stuck_thread, NULL);
  }
  puts("ready");
  if (growth > 0) grow(growth);
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}
