// SPDX-License-Identifier: Apache-2.0
//
// A program whose one thread waits in the system call that its argument names, with known values in its
// registers or errno, and then says how the wait ended. What it waits for comes from the test: a line
// on standard input, a signal (SIGUSR1), a connection. It prints {"ready": true} first.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;
static void on_signal(int signal) {
  (void)signal;
  ++handled;
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long wait_read(void) {
  char line[64];
  return read(0, line, sizeof line);
}

// Everything that a system call must leave alone, loaded before it and compared after it.
static uint64_t before[6 + 32];
static uint64_t after[6 + 32];
static long wait_registers(void) {
  static char line[64];
  for (int i = 0; i < 38; ++i) before[i] = 0x0123456789abcdefULL * (uint64_t)(i + 3);
  long result;
  __asm__ volatile(
      "push %%rbx\n push %%rbp\n"
      "lea %[before], %%rax\n"
      "movdqu 48(%%rax), %%xmm0\n movdqu 64(%%rax), %%xmm1\n movdqu 80(%%rax), %%xmm2\n"
      "movdqu 96(%%rax), %%xmm3\n movdqu 112(%%rax), %%xmm4\n movdqu 128(%%rax), %%xmm5\n"
      "movdqu 144(%%rax), %%xmm6\n movdqu 160(%%rax), %%xmm7\n movdqu 176(%%rax), %%xmm8\n"
      "movdqu 192(%%rax), %%xmm9\n movdqu 208(%%rax), %%xmm10\n movdqu 224(%%rax), %%xmm11\n"
      "movdqu 240(%%rax), %%xmm12\n movdqu 256(%%rax), %%xmm13\n movdqu 272(%%rax), %%xmm14\n"
      "movdqu 288(%%rax), %%xmm15\n"
      "mov (%%rax), %%rbx\n mov 8(%%rax), %%rbp\n mov 16(%%rax), %%r12\n mov 24(%%rax), %%r13\n"
      "mov 32(%%rax), %%r14\n mov 40(%%rax), %%r15\n"
      "xor %%eax, %%eax\n xor %%edi, %%edi\n lea %[line], %%rsi\n mov $64, %%edx\n"
      "syscall\n"
      "mov %%rax, %%rdx\n lea %[after], %%rax\n"
      "movdqu %%xmm0, 48(%%rax)\n movdqu %%xmm1, 64(%%rax)\n movdqu %%xmm2, 80(%%rax)\n"
      "movdqu %%xmm3, 96(%%rax)\n movdqu %%xmm4, 112(%%rax)\n movdqu %%xmm5, 128(%%rax)\n"
      "movdqu %%xmm6, 144(%%rax)\n movdqu %%xmm7, 160(%%rax)\n movdqu %%xmm8, 176(%%rax)\n"
      "movdqu %%xmm9, 192(%%rax)\n movdqu %%xmm10, 208(%%rax)\n movdqu %%xmm11, 224(%%rax)\n"
      "movdqu %%xmm12, 240(%%rax)\n movdqu %%xmm13, 256(%%rax)\n movdqu %%xmm14, 272(%%rax)\n"
      "movdqu %%xmm15, 288(%%rax)\n"
      "mov %%rbx, (%%rax)\n mov %%rbp, 8(%%rax)\n mov %%r12, 16(%%rax)\n mov %%r13, 24(%%rax)\n"
      "mov %%r14, 32(%%rax)\n mov %%r15, 40(%%rax)\n"
      "pop %%rbp\n pop %%rbx\n mov %%rdx, %%rax\n"
      : "=&a"(result)
      : [before] "m"(before), [after] "m"(after), [line] "m"(line)
      : "rcx", "r11", "rdx", "rsi", "rdi", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3",
        "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15", "memory");
  return memcmp(before, after, sizeof before) == 0 ? result : -100;
}

static long wait_nanosleep(void) {
  const struct timespec time = {2, 0};
  return nanosleep(&time, NULL);
}

static long wait_pause(void) { return pause(); }

static long wait_poll(void) {
  struct pollfd entry = {0, POLLIN, 0};
  return poll(&entry, 1, 20000);
}

static long wait_epoll(void) {
  const int queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(queue, EPOLL_CTL_ADD, 0, &event);
  return epoll_wait(queue, &event, 1, 20000);
}

static long wait_child(void) {
  const pid_t child = fork();
  if (child == 0) {
    char line[64];
    _exit(read(0, line, sizeof line) > 0 ? 7 : 1);
  }
  int status = 0;
  const pid_t ended = waitpid(child, &status, 0);
  return ended == child ? WEXITSTATUS(status) : -1;
}

static int listener = -1;
static long wait_accept(void) { return accept(listener, NULL, NULL) >= 0 ? 1 : -1; }
static void listen_locally(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  bind(listener, (struct sockaddr*)&address, size);
  listen(listener, 1);
  getsockname(listener, (struct sockaddr*)&address, &size);
  printf("{\"port\": %d}\n", ntohs(address.sin_port));
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int told;
static void* tell(void* unused) {
  char line[64];
  // Waits where no thread can be borrowed: in a plain read of a lock's kind.
  while (read(0, line, sizeof line) <= 0) {
  }
  pthread_mutex_lock(&mutex);
  told = 1;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static long wait_condition(void) {
  pthread_mutex_lock(&mutex);
  while (!told) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  return told;
}

static long wait_spin(void) {
  while (handled == 0) {
  }
  return handled;
}

static long wait_lock(void) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_lock(&mutex);  // for ever
  return 0;
}

struct mode {
  const char* name;
  long (*wait)(void);
};
static const struct mode modes[] = {
    {"read", wait_read},     {"registers", wait_registers}, {"nanosleep", wait_nanosleep},
    {"pause", wait_pause},   {"poll", wait_poll},           {"epoll_wait", wait_epoll},
    {"accept", wait_accept}, {"wait4", wait_child},         {"condition", wait_condition},
    {"spin", wait_spin},     {"lock", wait_lock},
};

int main(int count, char** words) {
  if (count < 2) return 2;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  if (count > 2 && strcmp(words[2], "blocked") == 0) {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGUSR1);
    sigprocmask(SIG_BLOCK, &all, NULL);
  }
  if (strcmp(words[1], "accept") == 0) listen_locally();
  pthread_t teller;
  if (count > 2 && strcmp(words[2], "teller") == 0) pthread_create(&teller, NULL, tell, NULL);
  printf("{\"ready\": true}\n");
  fflush(stdout);
  for (unsigned i = 0; i < sizeof modes / sizeof *modes; ++i) {
    if (strcmp(words[1], modes[i].name) != 0) continue;
    const double begin = now_s();
    errno = 4711;
    const long result = modes[i].wait();
    const int error = errno;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf(
        "{\"result\": %ld, \"errno\": %d, \"elapsed_s\": %.3f, \"handled\": %d, \"segv_blocked\": %d, "
        "\"usr1_blocked\": %d}\n",
        result, error, now_s() - begin, (int)handled, sigismember(&mask, SIGSEGV),
        sigismember(&mask, SIGUSR1));
    fflush(stdout);
    return 0;
  }
  return 2;
}
