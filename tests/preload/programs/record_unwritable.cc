// SPDX-License-Identifier: Apache-2.0
// OFFHEAP_RECORD that cannot be written: one line says so, and the program runs, recorded in memory.
// env: OFFHEAP_RECORD=/nonexistent/directory
// stderr: /nonexistent/directory
// expect: running
#include "own_recording.h"

int main() {
  for (int i = 0; i < 10000; ++i) free(used(malloc(1000)));
  CHECK(own::find_recording());
  puts("running");
}
