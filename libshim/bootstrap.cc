// SPDX-License-Identifier: Apache-2.0
//
// From the first allocation of the process to steady state: the entry table starts with the functions
// of this file; the first that is called chooses the backend, opens the recording and replaces the
// table. ld.so's first malloc comes before libc's constructors, so nothing here may need them.
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>

#include "libshim/entries.h"
#include "libshim/interposed.h"
#include "libshim/options.h"
#include "libshim/process.h"
#include "libshim/sampler.h"
#include "libshim/sampling/tags.h"
#include "libshim/unwind/unwinder.h"

// The linker's own bounds of this library's image.
extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const char _end[] __attribute__((visibility("hidden")));

namespace shim {
namespace {

enum Phase : int { kUntouched, kChoosing, kReady };
int phase = kUntouched;

bool allocate_early() {
  if (thread_state.bootstrapping) return true;
  bootstrap();
  return false;
}

// One a row of the entry table; what arrives while the backend is being chosen is served early.
void* boot_malloc(size_t size) {
  return allocate_early() ? early_allocate(size, 16) : entry.malloc(size);
}
void boot_free(void* block) {
  if (!allocate_early()) entry.free_slow(block);
}
void* boot_calloc(size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return allocate_early() ? early_allocate(bytes, 16) : entry.calloc(count, size);
}
void* boot_memalign(size_t alignment, size_t size) {
  return allocate_early() ? early_allocate(size, alignment) : entry.memalign(alignment, size);
}
void* boot_realloc(void* old, size_t size) {
  if (!allocate_early()) return entry.realloc(old, size);
  void* block = early_allocate(size, 16);
  return old ? copy_early(block, old, size) : block;
}
int boot_posix_memalign(void** out, size_t alignment, size_t size) {
  if (!allocate_early()) return entry.posix_memalign(out, alignment, size);
  *out = early_allocate(size, alignment);
  return *out ? 0 : ENOMEM;
}
void* boot_aligned_alloc(size_t alignment, size_t size) {
  return allocate_early() ? early_allocate(size, alignment) : entry.aligned_alloc(alignment, size);
}
void* boot_valloc(size_t size) {
  return allocate_early() ? early_allocate(size, 4096) : entry.valloc(size);
}
void* boot_pvalloc(size_t size) {
  return allocate_early() ? early_allocate((size + 4095) & ~size_t{4095}, 4096) : entry.pvalloc(size);
}
size_t boot_usable_size(void* block) {
  if (!block) return 0;
  return allocate_early() ? early_usable(block) : entry.usable_size(block);
}

bool is_wanted(const Options& options) {
  if (getauxval(AT_SECURE)) return false;
  if (!options.only) return true;
  char executable[64];
  char comm[16];
  program_names(executable, sizeof executable, comm, sizeof comm);
  return matches_any(options.only, executable) || matches_any(options.only, comm);
}

/// Each line of `complaints` on fd 2.
void complain_all(char* complaints) {
  for (char* line = complaints; *line;) {
    char* end = strchr(line, '\n');
    if (end) *end = 0;
    if (*line) complain(line);
    if (!end) return;
    line = end + 1;
  }
}

EntryTable counting_entries_of(recording::BackendKind kind) {
  switch (kind) {
    case recording::BackendKind::kGlibc:
      return counting_entries<GlibcPolicy>();
    case recording::BackendKind::kJemalloc:
      return counting_entries<JemallocPolicy>();
    case recording::BackendKind::kTcmalloc:
      fill_class_table();
      return counting_entries<TcmallocPolicy>();
    default:
      return counting_entries<ForeignPolicy>();
  }
}

/// A program that we are not wanted in keeps its own allocator and pays one jump a call.
EntryTable go_dormant() {
  the_options.sampling = false;
  return dormant_entries();
}

EntryTable set_up() {
  char complaints[2048] = "";
  the_options = parse_options(initial_environment, complaints, sizeof complaints);
  bool wanted = is_wanted(the_options);
  char complaint[512] = "";
  the_backend =
      backends::choose(wanted ? the_options.backend : backends::Choice{}, complaint, sizeof complaint);
  active_backend = *the_backend;
  resolve_interposed();
  if (!wanted) return go_dormant();
  complain_all(complaints);
  complain_all(complaint);
  register_handlers();
  if (!open_recording(the_options, the_backend)) {
    complain("no memory for a recording; counting nothing");
    return go_dormant();
  }
  unwind_init(reinterpret_cast<uint64_t>(__ehdr_start), reinterpret_cast<uint64_t>(_end));
  if (!unwind_available()) the_recording->header.flags |= recording::kFlagNoUnwind;
  start_sampler();
  return counting_entries_of(the_backend->kind);
}

[[gnu::constructor]] void on_load() {
  bootstrap();  // for a program that allocates nothing before main
  if (!the_recording) return;
  char complaint[512] = "";
  backends::tune(the_backend, the_options.backend, complaint, sizeof complaint);
  complain_all(complaint);
  note_bypass();
}

[[gnu::destructor]] void on_exit() {
  if (the_recording)
    __atomic_fetch_or(&the_recording->header.flags, recording::kFlagExiting, __ATOMIC_RELAXED);
}

}  // namespace

constinit EntryTable entry = {boot_malloc,  boot_free,     free_first,          boot_calloc,
                              boot_realloc, boot_memalign, boot_posix_memalign, boot_aligned_alloc,
                              boot_valloc,  boot_pvalloc,  boot_usable_size};

void bootstrap() {
  int expected = kUntouched;
  if (!__atomic_compare_exchange_n(&phase, &expected, kChoosing, false, __ATOMIC_ACQUIRE,
                                   __ATOMIC_ACQUIRE)) {
    while (__atomic_load_n(&phase, __ATOMIC_ACQUIRE) != kReady && !thread_state.bootstrapping)
      sched_yield();
    return;
  }
  ErrnoKeeper errno_keeper;
  thread_state.bootstrapping = true;
  tags_init();
  EntryTable chosen = set_up();
  entry = chosen;
  free_of_threads = chosen.free;
  thread_state.bootstrapping = false;
  __atomic_store_n(&phase, static_cast<int>(kReady), __ATOMIC_RELEASE);
}

}  // namespace shim
