// SPDX-License-Identifier: Apache-2.0
// A backend's path that does not exist: one line that names it, then next.
// backends: next -- the option is the subject
// env: OFFHEAP_BACKEND=/nonexistent/liballocator.so
// stderr: /nonexistent/liballocator.so
#include "check.h"

int main(void) { free(used(malloc(1000))); }
