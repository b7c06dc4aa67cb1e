// SPDX-License-Identifier: Apache-2.0
// An unknown backend: one line that names it, and the program runs on what comes next.
// backends: next -- the option is the subject
// env: OFFHEAP_BACKEND=nonsense
// stderr: nonsense
#include "check.h"

int main(void) { free(used(malloc(1000))); }
