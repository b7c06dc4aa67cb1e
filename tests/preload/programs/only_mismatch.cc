// SPDX-License-Identifier: Apache-2.0
// OFFHEAP_ONLY that names other programs: dormant, no recording.
// env: OFFHEAP_ONLY=java,*worker*
// expect: dormant
#include "own_recording.h"

int main() {
  for (int i = 0; i < 10000; ++i) free(used(malloc(1000)));
  CHECK(!own::find_recording());
  puts("dormant");
}
