// SPDX-License-Identifier: Apache-2.0
// OFFHEAP_ONLY that names this program among others: recorded.
// env: OFFHEAP_ONLY=java,only_*
// expect: recorded
#include "own_recording.h"

int main() {
  free(used(malloc(1000)));
  CHECK(own::find_recording());
  puts("recorded");
}
