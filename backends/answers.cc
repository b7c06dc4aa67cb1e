// SPDX-License-Identifier: Apache-2.0
#include "backends/answers.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backends/text.h"

namespace backends {

void mallinfo2_from(const recording::BackendStatistics& statistics, void* out) {
  WideMallinfo info = {};
  info.arena = statistics.resident_bytes;
  info.uordblks = statistics.allocated_bytes;
  // The two are read at slightly different moments.
  info.fordblks = info.arena > info.uordblks ? info.arena - info.uordblks : 0;
  info.fsmblks = statistics.cached_bytes;
  info.keepcost = statistics.page_free_bytes;
  memcpy(out, &info, sizeof info);
}

/// Source: glibc 2.36 malloc/malloc.c, __malloc_info.
int malloc_info_from(const WideMallinfo& info, FILE* out) {
  char xml[512];
  Text(xml, sizeof xml) << "<malloc version=\"1\">\n<total type=\"rest\" count=\"0\" size=\""
                        << info.fordblks << "\"/>\n<system type=\"current\" size=\"" << info.arena
                        << "\"/>\n</malloc>\n";
  fputs(xml, out);
  return 0;
}

uint64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace backends
