// SPDX-License-Identifier: Apache-2.0
// free(NULL) does nothing, before and after the first allocation.
#include "check.h"

int main(void) {
  free((void*)opaque(0));
  free(used(malloc(100)));
  free((void*)opaque(0));
}
