// SPDX-License-Identifier: Apache-2.0
// The same, verbose: one line on fd 2 says so.
// env: OFFHEAP_RECORD=/nonexistent/directory
// env: OFFHEAP_VERBOSE=1
// stderr: /nonexistent/directory
#include "check.h"

int main(void) { free(used(malloc(1000))); }
