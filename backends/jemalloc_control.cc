// SPDX-License-Identifier: Apache-2.0
//
// Source of the names: jemalloc 5.3.0, doc/jemalloc.xml.in. 4096 is MALLCTL_ARENAS_ALL.
#include "backends/jemalloc_control.h"

#include "backends/answers.h"

namespace backends::jemalloc_control {

namespace {

constinit Api g_api = {};

template <typename Value>
bool read(const char* name, Value* value) {
  size_t bytes = sizeof *value;
  return g_api.mallctl(name, value, &bytes, nullptr, 0) == 0 && bytes == sizeof *value;
}

uint64_t read_bytes(const char* name) {
  size_t value = 0;
  return read(name, &value) ? value : 0;
}

/// What has been handed out and not come back; a block in a thread cache has not.
uint64_t difference(const char* handed_out, const char* come_back) {
  uint64_t out = 0;
  uint64_t back = 0;
  return read(handed_out, &out) && read(come_back, &back) && out > back ? out - back : 0;
}

/// Statistics are a snapshot that jemalloc takes when the epoch is written.
void refresh() {
  uint64_t epoch = 1;
  g_api.mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch);
}

void command(const char* name) { g_api.mallctl(name, nullptr, nullptr, nullptr, 0); }

}  // namespace

void use(const Api& api) { g_api = api; }

const char* version() {
  const char* text = nullptr;
  return read("version", &text) ? text : nullptr;
}

void statistics(recording::BackendStatistics* out) {
  refresh();
  unsigned arena_count = 0;
  read("arenas.narenas", &arena_count);
  uint64_t free_pages = read_bytes("stats.arenas.4096.pdirty") + read_bytes("stats.arenas.4096.pmuzzy");
  *out = recording::BackendStatistics{
      .time_ns = now_ns(),
      .allocated_bytes = read_bytes("stats.allocated"),
      .active_bytes = read_bytes("stats.active"),
      .resident_bytes = read_bytes("stats.resident"),
      .mapped_bytes = read_bytes("stats.mapped"),
      .retained_bytes = read_bytes("stats.retained"),
      .metadata_bytes = read_bytes("stats.metadata"),
      .cached_bytes = read_bytes("stats.arenas.4096.tcache_bytes"),
      .central_free_bytes = 0,
      .page_free_bytes = free_pages * read_bytes("arenas.page"),
      .arena_count = arena_count,
      .block_count = difference("stats.arenas.4096.small.nmalloc", "stats.arenas.4096.small.ndalloc") +
                     difference("stats.arenas.4096.large.nmalloc", "stats.arenas.4096.large.ndalloc"),
      .epoch_count = out->epoch_count + 1,
  };
}

bool thread_byte_counters(uint64_t** allocated, uint64_t** deallocated) {
  return read("thread.allocatedp", allocated) && read("thread.deallocatedp", deallocated);
}

size_t good_size(size_t size) { return g_api.nallocx(size != 0 ? size : 1, 0); }

void mallinfo2(void* out) {
  recording::BackendStatistics now = {};
  statistics(&now);
  mallinfo2_from(now, out);
}

void malloc_stats() { g_api.malloc_stats_print(nullptr, nullptr, nullptr); }

int malloc_trim(size_t) {
  refresh();
  uint64_t before = read_bytes("stats.resident");
  command("thread.tcache.flush");
  command("arena.4096.purge");
  refresh();
  return read_bytes("stats.resident") < before ? 1 : 0;
}

}  // namespace backends::jemalloc_control
