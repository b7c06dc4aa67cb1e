// SPDX-License-Identifier: Apache-2.0
//
// Waits to be attached to, loads a library when told to, and leaks through it.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef TAKES_ADDRESS
void* (*volatile kept)(size_t) = malloc;
#endif

int main(int argument_count, char** arguments) {
  char word[64];
  void (*leak)(int) = NULL;
  if (argument_count < 2) return 2;
  printf("{\"ready\":true}\n");
  fflush(stdout);
  while (fgets(word, sizeof word, stdin) && strcmp(word, "exit\n") != 0) {
    if (strcmp(word, "load\n") == 0) {
      void* library = dlopen(arguments[1], RTLD_NOW);
      if (!library) return 3;
      // dlsym's answer as a function, without a cast that ISO C does not know.
      *(void**)&leak = dlsym(library, "late_leak");
      printf("{\"loaded\":true}\n");
    }
    if (strcmp(word, "leak\n") == 0 && leak) {
      leak(4000);
      printf("{\"leaked\":true}\n");
    }
    fflush(stdout);
  }
  return 0;
}
