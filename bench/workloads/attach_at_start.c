// SPDX-License-Identifier: Apache-2.0
//
// A library that attaches to the program it is preloaded into, before main: what `offheap attach` does
// to a process that runs, where no second process can do it, as under callgrind. ATTACH_LIBRARY names
// libshim-attach.so, ATTACH_OPTIONS its options. A failed attach ends the program: a measurement of
// nothing must not look like one. Without ATTACH_LIBRARY it starts a thread that does nothing, so that
// the program is told from an attached one by the attach alone: glibc leaves out its locks where there
// is one thread, and an attach brings a second.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void* wait_for_ever(void* unused) {
  for (;;) pause();
  return unused;
}

static void start_idle_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) exit(1);
}

static void attach(void) {
  int (*enter)(const char*) = NULL;
  void* library = dlopen(getenv("ATTACH_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
  if (library != NULL) *(void**)&enter = dlsym(library, "offheap_attach");
  const int result = enter != NULL ? enter(getenv("ATTACH_OPTIONS")) : -1;
  if (result == 0) return;
  fprintf(stderr, "attach_at_start: %s: %d\n", library == NULL ? dlerror() : "offheap_attach", result);
  exit(1);
}

__attribute__((constructor)) static void begin(void) {
  if (getenv("ATTACH_LIBRARY") != NULL)
    attach();
  else
    start_idle_thread();
}
