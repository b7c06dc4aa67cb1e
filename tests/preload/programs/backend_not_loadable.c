// SPDX-License-Identifier: Apache-2.0
// A backend that cannot be loaded late says why, and gives the LD_PRELOAD line that works.
// backends: next -- the option is the subject
// env: OFFHEAP_BACKEND=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2
// stderr: LD_PRELOAD
#include "check.h"

int main(void) { free(used(malloc(1000))); }
