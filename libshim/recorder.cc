// SPDX-License-Identifier: Apache-2.0
#include "libshim/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backends/glibc.h"
#include "libshim/backend_ranges.h"
#include "libshim/process.h"
#include "libshim/raw_syscall.h"
#include "libshim/unwind/modules.h"

namespace shim {

namespace {

/// Negative whatever the hot path takes or adds before the thread has its own slot.
constexpr ThreadSlot make_sentinel() {
  ThreadSlot slot{};
  slot.main.countdown = kNoCountdown;
  slot.main.freed = uint64_t{1} << 63;  // the attach build's free goes by it
  slot.own_segment = slot.own_segment_free = 1;
  return slot;
}

}  // namespace

constinit ThreadSlot sentinel_slot = make_sentinel();
thread_local constinit ThreadState thread_state;
FreeFunction free_of_threads = free_first;

Recording* the_recording = nullptr;
Options the_options;
const backends::Backend* the_backend = nullptr;

namespace {

constexpr long kRecordingBytes = sizeof(Recording);
long map_recording(void* at, long fd, int extra_flags) {
  int flags = (fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS) | extra_flags | MAP_NORESERVE;
  return raw_syscall(SYS_mmap, reinterpret_cast<long>(at), kRecordingBytes, PROT_READ | PROT_WRITE,
                     flags, fd, 0);
}

/// Says it once: the children of a forking server would repeat it.
void explain_file_failure(const char* path, const char* step, long error) {
  static bool said = false;
  if (said) return;
  said = true;
  char text[768] = "cannot record into ";
  append(text, sizeof text, path);
  append(text, sizeof text, ": ");
  append(text, sizeof text, step);
  append(text, sizeof text, " failed with errno ");
  append_number(text, sizeof text, static_cast<uint64_t>(-error));
  append(text, sizeof text, "; recording in memory instead");
  complain(text);
}

/// What stands against a file of the recording's size, as -errno, or 0. Beyond RLIMIT_FSIZE the kernel
/// would not only refuse but kill by SIGXFSZ, for memfds too.
long refusal_of_size() {
  rlimit limit{};
  long failed = raw_syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, reinterpret_cast<long>(&limit));
  return failed == 0 && limit.rlim_cur < static_cast<rlim_t>(kRecordingBytes) ? -EFBIG : 0;
}

char kept_directory[576];  // no shorter than a path may be: one that is cut is found out there

/// OFFHEAP_RECORD from the root down, as it was at the start: a child that has changed its directory
/// still means the same one, and a program that writes its title over its environment does not change
/// it.
const char* record_directory(const char* directory) {
  if (kept_directory[0]) return kept_directory;
  if (directory[0] != '/' &&
      raw_syscall(SYS_getcwd, reinterpret_cast<long>(kept_directory), sizeof kept_directory) > 0)
    append(kept_directory, sizeof kept_directory, "/");
  append(kept_directory, sizeof kept_directory, directory);
  return kept_directory;
}

/// DIR/COMMAND-PID-STARTTICKS[-N].offheap. Containers that share DIR and a pid differ in start time. A
/// process that execs itself differs in nothing: it is the Nth of that name.
void record_path(char* out, size_t out_bytes, const char* directory, uint32_t ordinal) {
  char executable[64];
  char comm[16];
  program_names(executable, sizeof executable, comm, sizeof comm);
  for (char* c = comm; *c; ++c)
    if (*c == '/' || *c < ' ') *c = '_';
  out[0] = 0;
  append(out, out_bytes, directory);
  append(out, out_bytes, "/");
  append(out, out_bytes, comm[0] ? comm : "process");
  append(out, out_bytes, "-");
  append_number(out, out_bytes, static_cast<uint64_t>(raw_syscall(SYS_getpid)));
  append(out, out_bytes, "-");
  append_number(out, out_bytes, process_start_ticks());
  if (ordinal > 1) append(out, out_bytes, "-");
  if (ordinal > 1) append_number(out, out_bytes, ordinal);
  append(out, out_bytes, ".offheap");
}

/// Creates a file of that name, never opens one that is there. *path is the last that was tried.
long create_record_file(const char* directory, char* path, size_t path_bytes) {
  long fd = -EEXIST;
  for (uint32_t ordinal = 1; fd == -EEXIST && ordinal <= 64; ++ordinal) {
    record_path(path, path_bytes, directory, ordinal);
    if (strlen(path) + 1 == path_bytes) return -ENAMETOOLONG;  // cut, so it names something else
    fd = raw_syscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path),
                     O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  }
  return fd;
}

/// An open, sized, reserved file, or -1 after one line that says why.
long open_record_file(const char* directory) {
  char path[576];
  long fd = create_record_file(record_directory(directory), path, sizeof path);
  if (fd < 0) {
    explain_file_failure(path, "open", fd);
    return -1;
  }
  // Reserved whole: a write to a hole of a full disk would be a SIGBUS in somebody else's malloc.
  long failed = refusal_of_size();
  if (failed == 0) failed = raw_syscall(SYS_fallocate, fd, 0, 0, kRecordingBytes);
  if (failed == 0) return fd;
  explain_file_failure(path, "reserving its blocks", failed);
  raw_syscall(SYS_close, fd);
  raw_syscall(SYS_unlinkat, AT_FDCWD, reinterpret_cast<long>(path), 0);
  return -1;
}

long open_memfd() {
  if (refusal_of_size() != 0) return -1;
  long fd = raw_syscall(SYS_memfd_create, reinterpret_cast<long>(recording::kMemfdName), MFD_CLOEXEC);
  if (fd < 0) return -1;
  if (raw_syscall(SYS_ftruncate, fd, kRecordingBytes) == 0) return fd;
  raw_syscall(SYS_close, fd);
  return -1;
}

/// Maps a new recording at `at` (null: anywhere). Sets *file_backed. Null when nothing could be mapped.
Recording* map_new(void* at, const Options& options, bool* file_backed) {
  long fd = options.record_directory ? open_record_file(options.record_directory) : -1;
  *file_backed = fd >= 0;
  if (fd < 0) fd = open_memfd();
  long address = map_recording(at, fd, at ? MAP_FIXED : 0);
  if (fd >= 0) raw_syscall(SYS_close, fd);
  if (is_error(address) && fd >= 0) {  // a limit on shared mappings, or a seccomp rule on memfd
    *file_backed = false;
    fd = -1;
    address = map_recording(at, -1, at ? MAP_FIXED : 0);
  }
  if (is_error(address)) return nullptr;
  if (fd < 0)
    raw_syscall(SYS_prctl, 0x53564d41 /* PR_SET_VMA */, 0 /* PR_SET_VMA_ANON_NAME */, address,
                kRecordingBytes, reinterpret_cast<long>(recording::kMemfdName));
  return reinterpret_cast<Recording*>(address);
}

recording::ByteUnit byte_unit(recording::BackendKind kind) {
  if (kind != recording::BackendKind::kGlibc) return recording::ByteUnit::kUsable;
  return backends::glibc::mmapped_header_bytes() == 8 ? recording::ByteUnit::kGlibcEvenChunk
                                                      : recording::ByteUnit::kGlibcChunk;
}

/// glibc 2.35-2.41 makes heap segments of four huge pages when told to use them; the shim finds a
/// segment by masking an address, so it must know. Asked once: the environment may be written over
/// later. Source: glibc malloc/arena.c heap_max_size(), malloc/malloc.c ptmalloc_init, 2.35.
uint64_t heap_segment_bytes(recording::BackendKind kind) {
  constexpr uint64_t kNotAsked = 1;
  static uint64_t known = kNotAsked;
  if (known != kNotAsked) return known;
  known = 0;
  if (kind != recording::BackendKind::kGlibc) return known;
  const char* tunables = initial_environment("GLIBC_TUNABLES");
  const char* hugetlb = tunables ? strstr(tunables, "glibc.malloc.hugetlb=") : nullptr;
  if (hugetlb && hugetlb[21] != '0' && hugetlb[21] != '1') return known;
  return known = 64u << 20;
}

void describe_command(char* out, size_t out_bytes) {
  out[0] = 0;
  for (int i = 0; initial_argument(i) && i < 8; ++i) {
    if (i) append(out, out_bytes, " ");
    append(out, out_bytes, initial_argument(i));
  }
}

void fill_header(Recording* recording, const Options& options, const backends::Backend* backend) {
  recording::Header& header = recording->header;
  header.version = recording::kVersion;
  header.header_bytes = sizeof(recording::Header);
  header.recording_bytes = sizeof(Recording);
  header.pid = static_cast<uint32_t>(raw_syscall(SYS_getpid));
  header.process_start_ticks = process_start_ticks();
  header.start_time_ns = monotonic_ns();
  header.start_realtime_ns = realtime_ns();
  header.backend_kind = backend->kind;
  header.byte_unit = byte_unit(backend->kind);
  header.arena_count = recording::kFirstSecondaryArena;
  header.sample_fixed = options.sample_bytes != 0;
  header.heap_segment_bytes = heap_segment_bytes(backend->kind);
  if (backend->kind == recording::BackendKind::kGlibc && !header.heap_segment_bytes)
    header.flags |= recording::kFlagArenasUnknown;
  header.page_bytes = 4096;
  append(header.backend_name, sizeof header.backend_name, backend->name);
  describe_command(header.command, sizeof header.command);
  // Last, so that a reader that finds the magic finds the rest.
  for (size_t i = 0; i < sizeof header.magic; ++i)
    __atomic_store_n(&header.magic[i], recording::kMagic[i], __ATOMIC_RELEASE);
}

}  // namespace

bool open_recording(const Options& options, const backends::Backend* backend) {
  bool file_backed = false;
  kept_directory[0] = 0;  // an attach may follow another, into another directory
  Recording* mapped = map_new(nullptr, options, &file_backed);
  if (!mapped) return false;
  if (file_backed) mapped->header.flags |= recording::kFlagFileBacked;
  fill_header(mapped, options, backend);
  note_program_path();
  __atomic_store_n(&the_recording, mapped, __ATOMIC_RELEASE);
  publish_backend_ranges();
  return true;
}

bool replace_recording(Recording* recording) {
  bool file_backed = false;
  if (!map_new(recording, the_options, &file_backed)) return false;
  recording->header.flags = recording::kFlagForked | (file_backed ? recording::kFlagFileBacked : 0u);
  fill_header(recording, the_options, the_backend);
  publish_backend_ranges();
  return true;
}

uint64_t recording_ms(uint64_t now_ns) {
  uint64_t start_ns = the_recording->header.start_time_ns;
  return now_ns > start_ns ? (now_ns - start_ns) / 1'000'000 : 0;
}

uint32_t arena_index(uint64_t arena_address) {
  using namespace recording;
  Recording* recording = the_recording;
  for (uint32_t i = kFirstSecondaryArena; i < kArenaCapacity; ++i) {
    uint64_t expected = 0;
    uint64_t* address = &recording->arenas[i].address;
    if (__atomic_load_n(address, __ATOMIC_RELAXED) == arena_address) return i;
    if (__atomic_load_n(address, __ATOMIC_RELAXED) != 0) continue;
    if (__atomic_compare_exchange_n(address, &expected, arena_address, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
      add_relaxed(&recording->header.arena_count, 1u);
      return i;
    }
    if (expected == arena_address) return i;
  }
  add_relaxed(&recording->header.losses.arena_full_count, uint64_t{1});
  return kUnnamedArenas;
}

void count_shared_in(uint32_t arena, uint64_t bytes) {
  ArenaCell& folded = the_recording->header.folded;
  add_relaxed(&folded.in_bytes, bytes);
  add_relaxed(&folded.in_count, uint64_t{1});
  if (arena == recording::kMainArena) return;
  add_relaxed(&the_recording->arenas[arena].folded_in_bytes, bytes);
  add_relaxed(&the_recording->arenas[arena].folded_in_count, uint64_t{1});
}

void count_shared_out(uint32_t arena, uint64_t bytes) {
  ArenaCell& folded = the_recording->header.folded;
  add_relaxed(&folded.out_bytes, bytes);
  add_relaxed(&folded.out_count, uint64_t{1});
  if (arena == recording::kMainArena) return;
  add_relaxed(&the_recording->arenas[arena].folded_out_bytes, bytes);
  add_relaxed(&the_recording->arenas[arena].folded_out_count, uint64_t{1});
}

}  // namespace shim
