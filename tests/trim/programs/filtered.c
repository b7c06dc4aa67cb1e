// SPDX-License-Identifier: Apache-2.0
//
// A program under seccomp: "strict", "deny" (a filter that kills for mmap), or "allow" (a filter that
// denies something no call needs); or one that is not dumpable, "hidden". It answers each line.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int filter_out(unsigned number) {
  struct sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int count, char** words) {
  if (count < 2) return 2;
  int failed = 0;
  if (strcmp(words[1], "strict") == 0) failed = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  if (strcmp(words[1], "deny") == 0) failed = filter_out(SYS_mmap);
  if (strcmp(words[1], "allow") == 0) failed = filter_out(SYS_mount);
  if (strcmp(words[1], "hidden") == 0) failed = prctl(PR_SET_DUMPABLE, 0);
  static const char kReady[] = "{\"ready\": true}\n";
  static const char kAlive[] = "{\"alive\": true}\n";
  if (failed != 0 || write(1, kReady, sizeof kReady - 1) < 0) return 1;
  char line[16];
  while (read(0, line, sizeof line) > 0) {
    if (write(1, kAlive, sizeof kAlive - 1) < 0) return 1;
  }
  return 0;
}
