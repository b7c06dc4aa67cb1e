// SPDX-License-Identifier: Apache-2.0
// An option whose value cannot be read: one line, the default, and the program runs.
// env: OFFHEAP_SAMPLE=often
// stderr: OFFHEAP_SAMPLE=often
#include "check.h"

int main(void) { free(used(malloc(1000))); }
