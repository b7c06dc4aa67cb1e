// SPDX-License-Identifier: Apache-2.0
// Work to be recorded, one kind a word:
//   hold BYTES           takes so much in blocks of 1000 bytes, and waits until its input ends
//   churn                threads come, allocate and go until it is killed
//   overflow DIRECTORY   more stacks, threads, mappings, samples and modules than a recording has room
//   for;
//                        DIRECTORY holds copies of a plugin; then waits
//   until-killed FILE    takes memory and never gives it back; what it has taken stands in FILE, mapped
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void wait_for_end_of_input(void) {
  char byte;
  while (read(0, &byte, 1) > 0) continue;
}

static void say_ready(size_t live_bytes) {
  printf("{\"ready\": 1, \"pid\": %d, \"live_bytes\": %zu}\n", getpid(), live_bytes);
  fflush(stdout);
}

static void hold(size_t bytes) {
  size_t live_bytes = 0;
  for (size_t i = 0; i < bytes / 1000; ++i) live_bytes += malloc_usable_size(malloc(1000));
  say_ready(live_bytes);
  wait_for_end_of_input();
}

static void* come_and_go(void* seed) {
  void* blocks[100] = {0};
  unsigned random = (unsigned)(uintptr_t)seed;
  for (int i = 0; i < 2000; ++i) {
    void** block = &blocks[rand_r(&random) % 100];
    free(*block);
    *block = malloc((size_t)rand_r(&random) % 5000);
  }
  for (int i = 0; i < 100; ++i) free(blocks[i]);
  return NULL;
}

static void churn(void) {
  say_ready(0);
  for (uintptr_t round = 0;; ++round) {
    pthread_t threads[8];
    for (uintptr_t i = 0; i < 8; ++i)
      pthread_create(&threads[i], NULL, come_and_go, (void*)(round * 8 + i + 1));
    for (int i = 0; i < 8; ++i) pthread_join(threads[i], NULL);
  }
}

// A stack of its own for each path through these two.
static void* descend(unsigned path, int depth);
__attribute__((noinline)) static void* left(unsigned path, int depth) {
  void* block = descend(path, depth);
  __asm__ volatile("" : "+r"(block));
  return block;
}
__attribute__((noinline)) static void* right(unsigned path, int depth) {
  void* block = descend(path, depth);
  __asm__ volatile("" : "+r"(block));
  return block;
}
__attribute__((noinline)) static void* descend(unsigned path, int depth) {
  if (depth == 0) return malloc(16);
  return path & 1 ? left(path >> 1, depth - 1) : right(path >> 1, depth - 1);
}

// 4,096 calls, so as many stacks that are told apart by their innermost frame.
#define CALL __asm__ volatile("" : : "r"(malloc(16)));
#define CALLS_8 CALL CALL CALL CALL CALL CALL CALL CALL
#define CALLS_64 CALLS_8 CALLS_8 CALLS_8 CALLS_8 CALLS_8 CALLS_8 CALLS_8 CALLS_8
#define CALLS_512 CALLS_64 CALLS_64 CALLS_64 CALLS_64 CALLS_64 CALLS_64 CALLS_64 CALLS_64
__attribute__((noinline)) static void call_from_everywhere(void) {
  CALLS_512 CALLS_512 CALLS_512 CALLS_512 CALLS_512 CALLS_512 CALLS_512 CALLS_512
}

static pthread_barrier_t all_here;
static void* stay(void* unused) {
  free(malloc(100));
  pthread_barrier_wait(&all_here);
  for (;;) pause();
  return unused;
}

static void start_threads(unsigned count) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_barrier_init(&all_here, NULL, count + 1);
  for (unsigned i = 0; i < count; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, stay, NULL) != 0) exit(3);
  }
  pthread_barrier_wait(&all_here);
}

static void load_all(const char* path) {
  DIR* directory = opendir(path);
  if (!directory) exit(4);
  for (struct dirent* entry = readdir(directory); entry; entry = readdir(directory)) {
    char name[512];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    void* plugin = dlopen(name, RTLD_NOW);
    if (!plugin) exit(5);
    void* (*allocate)(size_t) = NULL;
    *(void**)&allocate = dlsym(plugin, "plugin_allocate");
    free(allocate(100));  // a sample, in whose stack the module stands
  }
  closedir(directory);
}

static void overflow(const char* directory) {
  load_all(directory);
  for (unsigned path = 0; path < 1u << 14; ++path)
    descend(path, 14);            // deep: room for frames ends first
  call_from_everywhere();         // and then that for stacks
  for (int i = 0; i < 9000; ++i)  // neighbours differ in protection, so they stay apart
    mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 170000; ++i) malloc(16);
  start_threads(2100);
  say_ready(0);
  wait_for_end_of_input();
}

static void until_killed(const char* path) {
  int fd = open(path, O_RDWR);
  volatile uint64_t* taken = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (taken == MAP_FAILED) exit(6);
  for (size_t i = 0;; ++i) {
    size_t size = 1000 + i % 3000;
    char* block = malloc(size);
    if (!block) exit(7);
    taken[0] += malloc_usable_size(block);
    taken[1] += 1;
    memset(block, 1, size);
  }
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "hold") == 0) hold((size_t)atoll(argv[2]));
  if (argc == 2 && strcmp(argv[1], "churn") == 0) churn();
  if (argc == 3 && strcmp(argv[1], "overflow") == 0) overflow(argv[2]);
  if (argc == 3 && strcmp(argv[1], "until-killed") == 0) until_killed(argv[2]);
  return argc < 2 ? 2 : 0;
}
