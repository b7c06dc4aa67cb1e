// SPDX-License-Identifier: Apache-2.0
//
// Source of the names: gperftools 2.10, src/gperftools/malloc_extension.h.
#include "backends/tcmalloc_extension.h"

#include "backends/answers.h"

namespace backends::tcmalloc_extension {

namespace {

constinit Api g_api = {};

uint64_t read_bytes(const char* name) {
  size_t value = 0;
  return g_api.get_numeric_property(name, &value) != 0 ? value : 0;
}

uint64_t unmapped_bytes() { return read_bytes("tcmalloc.pageheap_unmapped_bytes"); }

}  // namespace

void use(const Api& api) { g_api = api; }

void statistics(recording::BackendStatistics* out) {
  uint64_t heap = read_bytes("generic.heap_size");
  uint64_t unmapped = unmapped_bytes();
  *out = recording::BackendStatistics{
      .time_ns = now_ns(),
      .allocated_bytes = read_bytes("generic.current_allocated_bytes"),
      .active_bytes = 0,
      .resident_bytes = heap > unmapped ? heap - unmapped : 0,
      .mapped_bytes = heap,
      .retained_bytes = unmapped,
      .metadata_bytes = 0,
      .cached_bytes = read_bytes("tcmalloc.current_total_thread_cache_bytes"),
      .central_free_bytes = read_bytes("tcmalloc.central_cache_free_bytes") +
                            read_bytes("tcmalloc.transfer_cache_free_bytes"),
      .page_free_bytes = read_bytes("tcmalloc.pageheap_free_bytes"),
      .arena_count = 0,
      .block_count = 0,
      .epoch_count = out->epoch_count + 1,
  };
}

size_t good_size(size_t size) { return g_api.nallocx(size, 0); }

void mallinfo2(void* out) {
  recording::BackendStatistics now = {};
  statistics(&now);
  mallinfo2_from(now, out);
}

int malloc_trim(size_t) {
  uint64_t before = unmapped_bytes();
  g_api.release_free_memory();
  return unmapped_bytes() > before ? 1 : 0;
}

}  // namespace backends::tcmalloc_extension
