// SPDX-License-Identifier: Apache-2.0
//
// The entries of libshim-attach.so: attach, detach, and the JVM's way to call them. The library is
// never unloaded; attaching again finds everything but the recording in place.
#include <string.h>
#include <time.h>

#include "libshim/attach/own_allocator.h"
#include "libshim/attach/renewal.h"
#include "libshim/attach/slots.h"
#include "libshim/attach/watcher.h"
#include "libshim/entries.h"
#include "libshim/exports.h"
#include "libshim/interposed.h"
#include "libshim/options.h"
#include "libshim/process.h"
#include "libshim/sampler.h"
#include "libshim/sampling/tags.h"
#include "libshim/unwind/unwinder.h"

extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const char _end[] __attribute__((visibility("hidden")));

// Ours, of entry_points.cc, operators.cc and interposed.cc. Only their addresses are used here.
extern "C" {
void shim_reallocarray() __asm__("reallocarray");
void shim_free_sized() __asm__("free_sized");
void shim_free_aligned_sized() __asm__("free_aligned_sized");
void shim_mmap() __asm__("mmap");
void shim_munmap() __asm__("munmap");
void shim_mremap() __asm__("mremap");
void shim_sbrk() __asm__("sbrk");
void shim_brk() __asm__("brk");
void shim_dlclose() __asm__("dlclose");
void shim__Fork() __asm__("_Fork");
// clang-format off
#define SHIM_OPERATORS(X)                                                                   \
  X(_Znwm) X(_Znam) X(_ZnwmRKSt9nothrow_t) X(_ZnamRKSt9nothrow_t)                           \
  X(_ZnwmSt11align_val_t) X(_ZnamSt11align_val_t)                                           \
  X(_ZnwmSt11align_val_tRKSt9nothrow_t) X(_ZnamSt11align_val_tRKSt9nothrow_t)               \
  X(_ZdlPv) X(_ZdaPv) X(_ZdlPvm) X(_ZdaPvm) X(_ZdlPvRKSt9nothrow_t) X(_ZdaPvRKSt9nothrow_t) \
  X(_ZdlPvSt11align_val_t) X(_ZdaPvSt11align_val_t)                                         \
  X(_ZdlPvSt11align_val_tRKSt9nothrow_t) X(_ZdaPvSt11align_val_tRKSt9nothrow_t)             \
  X(_ZdlPvmSt11align_val_t) X(_ZdaPvmSt11align_val_t)
// clang-format on
#define SHIM_DECLARE(name) void shim_##name() __asm__(#name);
SHIM_OPERATORS(SHIM_DECLARE)
#undef SHIM_DECLARE
}

namespace shim {

using recording::AttachResult;

constinit EntryTable entry = {};

void bootstrap() {}  // an attach has done it before any slot leads here

namespace {

constexpr uint32_t kMostExchanges = 64;
constexpr long kGraceNs = 20'000'000;

struct State {
  bool busy;
  bool prepared;
  bool attached;
  OwnAllocator allocator;
  Exchange inward[kMostExchanges];   ///< theirs -> ours
  Exchange outward[kMostExchanges];  ///< ours -> theirs
  uint32_t exchange_count;
  SlotWork attach_work;
  char options[512];
};
State state;

void add_exchange(const char* name, const void* theirs, const void* ours) {
  if (!theirs || state.exchange_count == kMostExchanges) return;
  auto* from = const_cast<void*>(theirs);
  auto* to = const_cast<void*>(ours);
  state.inward[state.exchange_count] = {name, from, to};
  state.outward[state.exchange_count++] = {name, to, from};
}

template <typename Function>
const void* address_of(Function* function) {
  return reinterpret_cast<const void*>(function);
}

/// Of a function that not every allocator has: only where it is the allocator's own.
void add_of_allocator(const char* name, const void* ours) {
  const void* theirs = own_definition(name);
  if (theirs && base_of(theirs) == state.allocator.module_base) add_exchange(name, theirs, ours);
}

template <typename Function>
void add_entry(const char* name, Function* ours) {
  add_of_allocator(name, address_of(ours));
}

void list_exchanges() {
  bool chunks = the_backend->kind == recording::BackendKind::kGlibc;
  auto* free = chunks ? free_of_attached<GlibcPolicy> : free_of_attached<ForeignPolicy>;
  add_entry("malloc", entry.malloc);
  add_entry("free", free);
  add_entry("calloc", entry.calloc);
  add_entry("realloc", entry.realloc);
  add_entry("memalign", entry.memalign);
  add_entry("posix_memalign", entry.posix_memalign);
  add_entry("aligned_alloc", entry.aligned_alloc);
  add_entry("valloc", entry.valloc);
  add_entry("pvalloc", entry.pvalloc);
  add_entry("cfree", free);
  add_entry("reallocarray", shim_reallocarray);
  add_entry("free_sized", shim_free_sized);
  add_entry("free_aligned_sized", shim_free_aligned_sized);
#define SHIM_ADD(name) add_entry(#name, shim_##name);
  SHIM_OPERATORS(SHIM_ADD)
#undef SHIM_ADD
  add_exchange("mmap", own_definition("mmap"), address_of(shim_mmap));
  add_exchange("mmap64", own_definition("mmap64"), address_of(shim_mmap));
  add_exchange("munmap", own_definition("munmap"), address_of(shim_munmap));
  add_exchange("mremap", own_definition("mremap"), address_of(shim_mremap));
  add_exchange("sbrk", own_definition("sbrk"), address_of(shim_sbrk));
  add_exchange("brk", own_definition("brk"), address_of(shim_brk));
  add_exchange("dlclose", own_definition("dlclose"), address_of(shim_dlclose));
  add_exchange("_Fork", own_definition("_Fork"), address_of(shim__Fork));
}

/// What is done once in the life of the process.
AttachResult prepare() {
  AttachResult result = find_own_allocator(&state.allocator);
  if (result != AttachResult::kDone) return result;
  the_backend = state.allocator.backend;
  active_backend = *the_backend;
  entry = the_backend->kind == recording::BackendKind::kGlibc ? counting_entries<GlibcPolicy>()
                                                              : counting_entries<ForeignPolicy>();
  free_of_threads = entry.free;
  resolve_interposed();
  list_exchanges();
  const void* spared = state.allocator.is_libc ? nullptr : state.allocator.module_base;
  state.attach_work = {state.inward, state.exchange_count, true, spared};
  tags_init();
  register_handlers();
  guard_forks();
  unwind_init(reinterpret_cast<uint64_t>(__ehdr_start), reinterpret_cast<uint64_t>(_end));
  state.prepared = true;
  return AttachResult::kDone;
}

/// NAME=VALUE, comma-separated, as in the environment of a preloaded program.
const char* option(const char* name) {
  size_t length = strlen(name);
  for (const char* word = state.options; *word; word += strlen(word) + 1)
    if (strncmp(word, name, length) == 0 && word[length] == '=') return word + length + 1;
  return nullptr;
}

bool take_options(const char* text) {
  char complaints[512] = "";
  size_t length = strlen(text);
  if (length + 2 > sizeof state.options) return false;
  memset(state.options, 0, sizeof state.options);
  for (size_t i = 0; i < length; ++i) state.options[i] = text[i] == ',' ? '\0' : text[i];
  the_options = parse_options(option, complaints, sizeof complaints);
  return complaints[0] == '\0';
}

bool begin_recording() {
  if (the_recording ? !renew_recording() : !open_recording(the_options, the_backend)) return false;
  __atomic_fetch_or(&the_recording->header.flags,
                    recording::kFlagAttached | (unwind_available() ? 0u : recording::kFlagNoUnwind),
                    __ATOMIC_RELAXED);
  start_sampler();
  return true;
}

/// After the slots led elsewhere again: lets threads that are inside come out, and ends the recording.
void finish() {
  timespec grace{0, kGraceNs};
  nanosleep(&grace, nullptr);
  the_options.sampling = false;
  end_recording();
}

void restore_slots() { exchange_slots_alone({state.outward, state.exchange_count, false, nullptr}); }

AttachResult detach() {
  if (!state.attached) return AttachResult::kNotAttached;
  stop_watching();
  restore_slots();
  finish();
  state.attached = false;
  return AttachResult::kDone;
}

AttachResult attach(const char* options) {
  if (state.attached) return AttachResult::kAlreadyAttached;
  if (!take_options(options)) return AttachResult::kBadOptions;
  if (!state.prepared) {
    AttachResult result = prepare();
    if (result != AttachResult::kDone) return result;
  }
  if (!begin_recording()) return AttachResult::kNoRecording;
  SlotResult slots{};
  if (!start_watching(state.attach_work, &slots)) {
    finish();
    return AttachResult::kNoThread;
  }
  state.attached = true;
  if (slots.changed_count) return AttachResult::kDone;
  detach();
  return AttachResult::kNothingToPatch;
}

/// One at a time; the calling thread's own allocations are no samples meanwhile.
template <typename Work>
int alone(Work work) {
  if (__atomic_exchange_n(&state.busy, true, __ATOMIC_ACQUIRE))
    return static_cast<int>(AttachResult::kAlreadyAttached);
  ErrnoKeeper errno_keeper;
  bool was_inside = thread_state.inside;
  thread_state.inside = true;
  AttachResult result = work();
  thread_state.inside = was_inside;
  __atomic_store_n(&state.busy, false, __ATOMIC_RELEASE);
  return static_cast<int>(result);
}

[[gnu::destructor]] void on_exit() {
  if (state.attached)
    __atomic_fetch_or(&the_recording->header.flags, recording::kFlagExiting, __ATOMIC_RELAXED);
}

}  // namespace

extern "C" {

/// Starts recording. `options`: NAME=VALUE, comma-separated, names as in the environment of the preload
/// build (OFFHEAP_SAMPLE, OFFHEAP_BUDGET). Returns an AttachResult.
SHIM_EXPORT int offheap_attach(const char* options) {
  return alone([options] { return attach(options ? options : ""); });
}

/// Ends recording and leaves every slot as it was. `options` is not used.
SHIM_EXPORT int offheap_detach(const char*) {
  return alone([] { return detach(); });
}

/// What a JVM calls when it is told to load the library: "detach", or the options of offheap_attach.
/// Source: JVM TI, "Agent_OnAttach".
SHIM_EXPORT int Agent_OnAttach(void* /* JavaVM */, const char* options, void* /* reserved */) {
  bool detaching = options && strcmp(options, "detach") == 0;
  return detaching ? offheap_detach(options) : offheap_attach(options);
}

}  // extern "C"
}  // namespace shim
