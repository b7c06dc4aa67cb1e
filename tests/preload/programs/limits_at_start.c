// SPDX-License-Identifier: Apache-2.0
// Started under each resource limit, the program runs as it does without the shim: what the shim cannot
// have it does without, and no signal of a limit is drawn by it.
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const struct {
  int resource;
  const char* name;
  rlim_t value;
} kLimits[] = {
    {RLIMIT_FSIZE, "file size 0", 0},
    {RLIMIT_FSIZE, "file size 1 MiB", 1 << 20},
    {RLIMIT_NOFILE, "3 descriptors", 3},
    {RLIMIT_MEMLOCK, "no locked memory", 0},
    {RLIMIT_CORE, "no core", 0},
    {RLIMIT_STACK, "stack of 256 KiB", 256 << 10},
    {RLIMIT_STACK, "unlimited stack", RLIM_INFINITY},
    {RLIMIT_AS, "address space of 200 MiB", 200 << 20},
    {RLIMIT_DATA, "data of 100 MiB", 100 << 20},
    {RLIMIT_SIGPENDING, "no pending signals", 0},
    {RLIMIT_NPROC, "one process", 1},
};
enum { kLimitCount = sizeof kLimits / sizeof *kLimits };

/// The second life, under the limit.
static int live(void) {
  for (size_t i = 0; i < 20000; ++i) free(used(malloc(i % 5000)));
  void* large = malloc(20 << 20);
  CHECK(large);
  memset(large, 1, 20 << 20);
  free(large);
  return 21;
}

int main(int argc, char** argv) {
  if (argc > 1) return live();
  for (int i = 0; i <= kLimitCount; ++i) {
    pid_t child = fork();
    if (child == 0) {
      if (i == kLimitCount) personality(ADDR_NO_RANDOMIZE);
      struct rlimit limit = {0, 0};
      if (i < kLimitCount) {
        getrlimit(kLimits[i].resource, &limit);
        limit.rlim_cur = kLimits[i].value < limit.rlim_max ? kLimits[i].value : limit.rlim_max;
        if (setrlimit(kLimits[i].resource, &limit) != 0) _exit(3);
      }
      execl("/proc/self/exe", argv[0], "limited", (char*)NULL);
      _exit(2);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    printf("%s: %s %d\n", i < kLimitCount ? kLimits[i].name : "no randomness",
           WIFEXITED(status) ? "exit" : "signal",
           WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  }
}
