// SPDX-License-Identifier: Apache-2.0
//
// A second source for the JVM scenario: what one deflateInit2 asks for and gets from malloc, as zlib's
// own allocation callback sees it.
#include <zlib.h>

#include "scenario.h"

static struct scenario_site site = {"deflateInit2_", 0, 0};

static void* take(void* unused, unsigned items, unsigned bytes_each) {
  (void)unused;
  size_t bytes = (size_t)items * bytes_each;
  void* block = malloc(bytes);
  if (block != NULL) scenario_count(&site, block, bytes);
  return block;
}

static void give(void* unused, void* block) {
  (void)unused;
  free(block);
}

int main(void) {
  z_stream stream;
  memset(&stream, 0, sizeof stream);
  stream.zalloc = take;
  stream.zfree = give;
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK)
    return 1;
  scenario_say("ready", "leak", &site, 1, "");
  deflateEnd(&stream);
  return 0;
}
