// SPDX-License-Identifier: Apache-2.0
//
// A file of 96 MB is mapped and read: resident, in the page cache too, and the kernel may drop it any
// time.
#include <fcntl.h>
#include <sys/mman.h>

#include "scenario.h"

enum { kFileBytes = 96 << 20, kPageBytes = 4096 };

/// A file that has no name any more: it goes when this process does.
static int make_file(void) {
  char path[] = "mapped-XXXXXX";
  int file = mkstemp(path);
  if (file < 0) abort();
  unlink(path);
  static char block[1 << 20];
  memset(block, 7, sizeof block);
  for (int done = 0; done < kFileBytes; done += (int)sizeof block) {
    if (write(file, block, sizeof block) != (ssize_t)sizeof block) abort();
  }
  return file;
}

int main(void) {
  const volatile char* pages = mmap(NULL, kFileBytes, PROT_READ, MAP_SHARED, make_file(), 0);
  if (pages == MAP_FAILED) abort();
  unsigned sum = 0;
  for (int at = 0; at < kFileBytes; at += kPageBytes) sum += (unsigned char)pages[at];
  char extra[64];
  snprintf(extra, sizeof extra, ",\"file_bytes\":%d,\"sum\":%u", kFileBytes, sum);
  scenario_say("ready", "mapped-files", NULL, 0, extra);
  scenario_rest();
}
