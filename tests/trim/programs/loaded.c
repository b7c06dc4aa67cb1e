// SPDX-License-Identifier: Apache-2.0
//
// A library that a test brings into a running program. Its constructor and its entry allocate, start a
// thread and use the processor's vector registers, as a real one would.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int constructed;
__attribute__((constructor)) static void construct(void) { constructed = 1; }

static void* work(void* size) { return malloc((size_t)size); }

int loaded_entry(const char* argument);
int loaded_entry(const char* argument) {
  char* copy = strdup(argument);
  pthread_t thread;
  void* block = NULL;
  if (copy == NULL || pthread_create(&thread, NULL, work, (void*)(size_t)1000) != 0) return -1;
  pthread_join(thread, &block);
  double sum = 0;
  for (int i = 0; i < 1000; ++i) sum += (double)i * 0.5;
  const int result = constructed * 1000 + (int)strlen(copy) + (sum > 0 && block != NULL ? 1 : 0);
  free(copy);
  free(block);
  return result;
}
