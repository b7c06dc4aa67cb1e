// SPDX-License-Identifier: Apache-2.0
// A program that closes every descriptor it does not know keeps working, and finds none of ours.
// env: OFFHEAP_SAMPLE=256
#include <fcntl.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  free(used(malloc(1000)));
  for (int i = 3; i < 1024; ++i)
    if (fcntl(i, F_GETFD) != -1 && close(i) == 0) printf("descriptor %d was open\n", i);
  for (int i = 0; i < 10000; ++i) free(used(malloc(1000)));
  printf("next descriptor: %d\n", open("/dev/null", O_RDONLY));
}
