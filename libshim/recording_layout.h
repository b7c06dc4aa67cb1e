// SPDX-License-Identifier: Apache-2.0
//
// The recording: the one mapping in which the shim publishes its counts, and the one header that the
// target's world and the outside world share. Plain data only: no functions, no pointers that the
// reader may follow without checks. The reader treats every byte as hostile (tools/recording/).
//
// Writers: the shim, in the target, without locks. Every field names its writer. "owner thread" fields
// are plain stores by one thread; the reader may see a value that is one operation old, never a torn
// one (aligned 8-byte words). "any thread" fields are written with relaxed atomic operations.
//
// When a static_assert below fires: raise kVersion, and say what changed in docs/recording.md.
#pragma once

#include <cstddef>
#include <cstdint>

namespace recording {

inline constexpr char kMagic[8] = {'o', 'f', 'f', 'h', 'e', 'a', 'p', '\n'};
inline constexpr uint32_t kVersion = 3;

/// Name of the memfd; /proc/PID/maps shows it as "/memfd:offheap-recording (deleted)". No descriptor
/// stays open: programs that count or close their descriptors see no difference.
inline constexpr char kMemfdName[] = "offheap-recording";

inline constexpr uint32_t kTimelineCapacity = 512;
inline constexpr uint32_t kModuleCapacity = 512;
inline constexpr uint32_t kBackendRangeCapacity = 2048;
inline constexpr uint32_t kArenaCapacity = 1024;
inline constexpr uint32_t kThreadCapacity = 2048;
inline constexpr uint32_t kDirectMappingCapacity = 8192;
inline constexpr uint32_t kSiteCapacity = 8192;
inline constexpr uint32_t kFrameCapacity = 176 * 1024;
/// Live samples stand in generations, each four to eight times the last, so that a small process
/// touches few pages. A generation is an array of buckets of kBucketSlots keys.
inline constexpr uint32_t kBucketSlots = 8;
inline constexpr uint32_t kGenerationCount = 4;
inline constexpr uint32_t kGenerationSlots[kGenerationCount] = {1024, 4096, 16384, 131072};
inline constexpr uint32_t kLiveSampleCapacity = 1024 + 4096 + 16384 + 131072;
/// A native stack deeper than this is cut at its root end and its site marked kSiteTruncated.
inline constexpr uint32_t kMaxFrames = 64;
/// The same for the Java frames that stand above a native stack.
inline constexpr uint32_t kMaxJavaFrames = 256;
/// Words of the frame pool that one site can take: two Java frames share a word.
inline constexpr uint32_t kMaxSiteWords = kMaxFrames + kMaxJavaFrames / 2;
/// What is kept of a stack for which the frame pool has no room, and the share of the pool that is kept
/// for such. An interpreter's stacks are all deep: without it, the table of sites stays half empty.
inline constexpr uint32_t kShortSiteWords = 8;
inline constexpr uint32_t kShortSiteReserve = kFrameCapacity / 8;
inline constexpr uint32_t kJavaNameCapacity = 4096;
inline constexpr uint32_t kJavaNameBytes = 240 * 1024;
/// Longest name that is kept; see JavaName.
inline constexpr uint32_t kJavaNameLength = 255;

/// What the shim forwards to. kNextGlibc and kGlibc have glibc chunk headers.
enum class BackendKind : uint32_t {
  kUnset = 0,
  kGlibc = 1,
  kTcmalloc = 2,
  kJemalloc = 3,
  kForeign = 4,  ///< an allocator that came next in link order, or by path, and is none of the above
};

/// Unit of the byte counters of a ThreadSlot.
enum class ByteUnit : uint32_t {
  kUsable = 0,          ///< usable bytes, as malloc_usable_size answers
  kGlibcChunk = 1,      ///< glibc chunk bytes: usable + 8 a block, + 16 a block in mmapped cells
  kGlibcEvenChunk = 2,  ///< the same from glibc 2.43 on: usable + 8 a block, mmapped or not
};

enum HeaderFlag : uint32_t {
  kFlagForked = 1u << 0,         ///< opened by a forked child: history starts at the fork
  kFlagExiting = 1u << 1,        ///< exit handlers have run; the counts are final but for late frees
  kFlagBypassed = 1u << 2,       ///< the program brings its own malloc; `backend_name` names it
  kFlagNoUnwind = 1u << 3,       ///< _dl_find_object is missing: sites carry the return address only
  kFlagArenasUnknown = 1u << 4,  ///< HEAP_MAX_SIZE could not be verified: arena cells are off
  kFlagFileBacked = 1u << 5,     ///< a file of OFFHEAP_RECORD, not a memfd
  kFlagDlcloseSeen = 1u << 6,    ///< a module was unloaded: its names are in the module table only
  kFlagAttached = 1u << 7,       ///< history starts at an attach: blocks older than that are freed too
};

/// What the attach build's entry functions return: the only thing that an agent can say to who loads
/// it.
enum class AttachResult : int32_t {
  kDone = 0,
  kAlreadyAttached = 1,
  kPreloaded = 2,       ///< libshim.so is preloaded: everything is recorded already
  kNoAllocator = 3,     ///< the program has no malloc that can be told from its own code
  kLinkedIn = 4,        ///< the allocator is part of the executable, whose calls pass no slot
  kNoUsableSize = 5,    ///< the allocator has no malloc_usable_size
  kNoRecording = 6,     ///< no memory for a recording
  kNothingToPatch = 7,  ///< no slot could be changed: /proc is not mounted, or mprotect is refused
  kNoThread = 8,        ///< the watching thread could not be started
  kNotAttached = 9,     ///< a detach of what is not attached
  kBadOptions = 10,
};

/// Whether stacks of Java threads carry Java frames, and if not, why.
enum class JavaFrames : uint32_t {
  kNoVm = 0,     ///< no Java VM seen in this process
  kWaiting = 1,  ///< seen, but no stack with Java code beneath it yet
  kOn = 2,
  kNoTables = 3,      ///< a VM without HotSpot's description of itself
  kOtherVersion = 4,  ///< a HotSpot of a version that the walk is not known to be right for
  kNoField = 5,       ///< the description lacks a field; `java_missing` names it
  kNoThread = 6,      ///< the VM's thread pointer was not found
  kSelfCheck = 7,     ///< switched off: too many walks did not reach a thread's first frame
};

/// What was lost, and why; each a count that any thread adds to. Never silent: the reader shows them.
struct Losses {
  uint64_t live_sample_full_count;  ///< sample taken, but no free slot in its buckets
  uint64_t site_full_count;    ///< sample taken, but the site table is full, or all of the frame pool
  uint64_t thread_full_count;  ///< threads that share the overflow slot (exact, but not per thread)
  uint64_t direct_mapping_full_count;
  uint64_t module_full_count;
  uint64_t backend_range_full_count;
  uint64_t arena_full_count;  ///< cells that went to the slot's unnamed rest
  uint64_t reentrant_count;   ///< allocations made while the shim was sampling, counted but not sampled
  uint64_t java_name_full_count;  ///< Java frames without a name, since the table of names is full
};

/// One point of the timeline. Written by whichever thread takes the tick; `sequence` is odd while a
/// writer is inside (a seqlock), so a reader skips or retries that entry.
struct TimelineEntry {
  uint64_t sequence;
  uint64_t time_ns;          ///< CLOCK_MONOTONIC
  uint64_t allocated_bytes;  ///< since start, in the recording's ByteUnit, all threads
  uint64_t freed_bytes;
  uint64_t rss_bytes;               ///< /proc/self/statm, 0 where unreadable
  uint64_t direct_mapped_bytes;     ///< program's own mmaps, now
  uint64_t backend_resident_bytes;  ///< the backend's own statistic, 0 where it has none
  uint64_t sample_mean_bytes;
};

struct Timeline {
  uint32_t count;  ///< entries in use, oldest first; when full every second one is dropped
  uint32_t reserved;
  uint64_t interval_ns;  ///< wanted distance of entries; doubles at each thinning
  TimelineEntry entries[kTimelineCapacity];
};

/// A loaded ELF module, kept after dlclose so that old stacks stay resolvable.
struct Module {
  uint64_t begin;  ///< lowest mapped address; 0 = slot unused
  uint64_t end;
  uint64_t load_bias;    ///< add to an ELF virtual address
  uint64_t loaded_ms;    ///< since Header::start_time_ns
  uint64_t unloaded_ms;  ///< 0 = still loaded
  uint32_t path_length;
  uint8_t build_id_length;
  uint8_t build_id[20];
  uint8_t reserved[7];
  char path[184];  ///< not terminated; cut at the front when longer
};

/// A range that an embedded backend mapped for itself (jemalloc, tcmalloc), by redirected mmap/sbrk.
struct BackendRange {
  uint64_t begin;  ///< 0 = slot unused
  uint64_t end;
};

/// A glibc arena that some thread has used, by its malloc_state address. Index 0 is the main arena
/// (address 0 until it is known from outside), index 1 stands for mmapped chunks.
struct Arena {
  uint64_t address;
  /// Counts of exited threads, of threads without a slot, and of ThreadSlot::rest; any thread.
  uint64_t folded_in_bytes;
  uint64_t folded_in_count;
  uint64_t folded_out_bytes;
  uint64_t folded_out_count;
};
inline constexpr uint32_t kMainArena = 0;
inline constexpr uint32_t kMmappedChunks = 1;
inline constexpr uint32_t kUnnamedArenas = 2;  ///< what no cell was left for
inline constexpr uint32_t kFirstSecondaryArena = 3;

/// Counts in one arena, or of one thread, in the recording's ByteUnit. Owner thread.
struct ArenaCell {
  uint64_t in_bytes;
  uint64_t in_count;
  uint64_t out_bytes;
  uint64_t out_count;
};
inline constexpr uint32_t kOtherCells = 3;

/// Counts that the hot path keeps. Owner thread.
///
///   allocated bytes = allocated_base - countdown   (the sampling countdown is the bytes-in counter)
struct HotCell {
  int64_t countdown;  ///< bytes until the next sample; below zero: the slow path runs
  uint64_t freed;     ///< in the recording's ByteUnit; words of kChunkWordBytes where that is chunks
  uint64_t allocated_count;
  uint64_t freed_count;
  int64_t allocated_base;  ///< written on the slow path
  uint64_t sample_mean_bytes;
};
inline constexpr uint64_t kChunkWordBytes = 8;

/// One thread's counters; owner thread unless said. What it allocated and freed is the sum of the
/// cells. `main` is glibc's main arena, and all there is under other backends.
struct alignas(64) ThreadSlot {
  HotCell main;
  uint64_t own_segment;       ///< address of the heap segment last seen of the own arena; 1 = none
  uint64_t own_segment_free;  ///< the same for the side of free
  HotCell own;                ///< the secondary arena that this thread allocates from

  ArenaCell mmapped;
  ArenaCell others[kOtherCells];  ///< arenas that it frees into, first come
  ArenaCell rest;  ///< of arenas that no cell was left for; by arena they are in Arena::folded_*
  uint64_t other_segment[kOtherCells];  ///< heap segment last seen of each, so as not to read its arena
  uint16_t own_index;                   ///< Arena index, 0 = none yet
  uint16_t other_index[kOtherCells];
  uint32_t tid;         ///< 0 = slot free; any thread (claims by compare-and-swap)
  uint32_t generation;  ///< times this slot was given out
  char name[16];        ///< comm, as last seen on the slow path

  /// jemalloc only, which counts bytes itself and blocks not at all: addresses, in the target, of the
  /// thread's own byte counters, and their values as of the last slow path, which runs every
  /// `sample_mean_bytes` or so. The reader prefers the addresses while the process lives.
  uint64_t jemalloc_allocated_at;
  uint64_t jemalloc_deallocated_at;
  uint64_t jemalloc_allocated_bytes;
  uint64_t jemalloc_deallocated_bytes;
};

enum SiteFlag : uint16_t {
  kSiteTruncated = 1u << 0,   ///< deeper than kMaxFrames or kMaxJavaFrames
  kSiteMapping = 1u << 1,     ///< program's own mmap/mremap/brk, not an allocation
  kSiteIncomplete = 1u << 2,  ///< the unwinder had to stop before the root
  kSiteShortened = 1u << 3,   ///< the innermost kShortSiteWords only: no room for more of it
};

/// A word of the frame pool with this bit is no return address but one or two Java frames, of 31 bits
/// each: the first in bits 32..62, the second, or 0, in bits 0..30. They follow the native frames.
inline constexpr uint64_t kJavaFrameBit = uint64_t{1} << 63;

/// A Java frame is  kind:3 | name:12 | bci:16.  The last four kinds are marks that stand between frames
/// and have neither name nor bci.
enum JavaFrameKind : uint32_t {
  kJavaNone = 0,
  kJavaBytecode = 1,      ///< in the bytecode at `bci`
  kJavaNativeMethod = 2,  ///< a native method; its code is among the native frames
  kJavaNoBytecode = 3,    ///< in the method, it is not known where
  kJavaFrozen = 4,        ///< a virtual thread's frames follow that are kept in the Java heap
  kJavaNotWalkable = 5,   ///< frames may be missing from here to the root
  kJavaNativeCut = 6,     ///< native frames are missing before the first Java frame
};
inline constexpr uint32_t kJavaBciBits = 16;
inline constexpr uint32_t kJavaNameBits = 12;
inline constexpr uint32_t kJavaKindShift = kJavaBciBits + kJavaNameBits;
/// Name of a frame whose name did not fit. That slot of the table stays empty.
inline constexpr uint32_t kNoJavaName = kJavaNameCapacity - 1;

/// One name, "java/util/zip/Deflater.<init>", once. Class names are as the VM keeps them, with slashes;
/// a hidden class's number ("+0x...") is left out. Too long a class name is cut at its front, a method
/// name at its end. Inserted once, never moved or removed. `hash` is stored last (release), 0 = unused.
struct JavaName {
  uint64_t hash;
  uint32_t begin;   ///< index into java_name_text
  uint32_t length;  ///< bytes, not terminated
};

/// One stack. Inserted once, never moved or removed. `hash` is stored last (release), 0 = unused.
struct Site {
  uint64_t hash;
  uint32_t frame_begin;  ///< index into the frame pool, leaf first; return addresses, then Java frames
  uint16_t frame_count;  ///< words of the pool
  uint16_t flags;        ///< SiteFlag
  uint64_t sampled_count;             ///< any thread: samples taken
  uint64_t sampled_freed_count;       ///< any thread: of these, freed
  uint64_t allocated_estimate_bytes;  ///< any thread: sum of usable / inclusion probability
  uint64_t freed_estimate_bytes;
  uint64_t mapped_bytes;    ///< kSiteMapping: bytes mapped since start, exact
  uint64_t unmapped_bytes;  ///< kSiteMapping: of these, unmapped since, as far as matched
};

/// A sampled block that has not been freed. Keys stand apart (LiveSamples::addresses) so that a bucket
/// is one cache line; this is the record at the same index.
/// Inclusion probability = 1 - exp(-usable / mean), usable = requested + slack.
struct LiveSample {
  uint64_t requested_bytes;
  uint32_t slack_bytes;  ///< usable - requested, saturating
  uint32_t site;         ///< index into the site table; kNoSite when that was full
  /// Effective mean: the one in force when it was taken, scaled so that the formula above holds. The
  /// countdown is charged with what the hot path has at hand (chunk bytes, requested bytes), which is
  /// not quite `usable`; the scale usable / charged makes up for it.
  float mean_bytes;
  uint32_t born_ms;  ///< since Header::start_time_ns
};
inline constexpr uint32_t kNoSite = 0xffffffff;

/// The program's own mapping. `begin` is stored last (release), 0 = unused, 1 = being written.
struct DirectMapping {
  uint64_t begin;
  uint64_t length;
  uint32_t site;
  uint32_t born_ms;
};

/// What the backend says of itself; refreshed at each timeline tick. jemalloc: mallctl stats.*;
/// tcmalloc: MallocExtension numeric properties; 0 where it has no such figure.
struct BackendStatistics {
  uint64_t time_ns;
  uint64_t
      allocated_bytes;      ///< handed out (jemalloc stats.allocated, tcmalloc current_allocated_bytes)
  uint64_t active_bytes;    ///< jemalloc stats.active: pages with live blocks; tcmalloc 0
  uint64_t resident_bytes;  ///< jemalloc stats.resident; tcmalloc heap_size - pageheap_unmapped
  uint64_t mapped_bytes;    ///< jemalloc stats.mapped; tcmalloc heap_size
  uint64_t retained_bytes;  ///< given back, address space kept (jemalloc retained, tcmalloc unmapped)
  uint64_t metadata_bytes;
  uint64_t cached_bytes;        ///< thread caches (jemalloc tcache_bytes, tcmalloc thread cache total)
  uint64_t central_free_bytes;  ///< tcmalloc central + transfer caches
  uint64_t page_free_bytes;     ///< whole free pages not yet given back (jemalloc dirty+muzzy, tcmalloc
                                ///< pageheap_free)
  uint64_t arena_count;
  uint64_t block_count;  ///< jemalloc: blocks handed out, those in thread caches too
  uint64_t epoch_count;  ///< refreshes so far
};

/// The shim's cost to its host, as it measured it.
struct SelfCost {
  uint64_t sample_count;
  uint64_t sample_ns;  ///< time inside the sampler, summed over timed samples
  uint64_t sample_timed_count;
  uint64_t tick_count;
  uint64_t tick_ns;
};

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;         ///< sizeof(Header)
  uint64_t recording_bytes;      ///< sizeof(Recording)
  uint32_t pid;                  ///< in the target's own pid namespace
  uint32_t parent_pid;           ///< the forking process where kFlagForked
  uint64_t process_start_ticks;  ///< /proc/PID/stat field 22, joins a recording to a kernel report
  uint64_t start_time_ns;        ///< CLOCK_MONOTONIC at opening
  uint64_t start_realtime_ns;
  uint32_t flags;  ///< HeaderFlag; any thread, by atomic or
  BackendKind backend_kind;
  ByteUnit byte_unit;
  uint32_t thread_high_water;  ///< slots ever used; the reader need not look beyond
  uint32_t arena_count;
  uint32_t module_count;
  uint32_t site_count;
  uint32_t frame_count;
  uint32_t backend_range_count;
  uint32_t direct_mapping_high_water;
  uint32_t live_generation;     ///< generations in use - 1
  uint32_t sample_fixed;        ///< 1 = --sample BYTES given: no adaption
  uint64_t sample_mean_bytes;   ///< in force now
  uint64_t heap_segment_bytes;  ///< verified HEAP_MAX_SIZE of this glibc, 0 = unknown
  uint64_t page_bytes;
  char backend_name[64];         ///< "glibc 2.36", "jemalloc 5.3.0-0-g...", a path; zero-padded
  char command[64];              ///< comm and first arguments, for the list of recordings; zero-padded
  uint64_t foreign_brk_bytes;    ///< net growth by the program's own brk/sbrk
  uint64_t direct_mapped_bytes;  ///< net, program's own mmaps
  Losses losses;
  SelfCost self;
  BackendStatistics backend;
  JavaFrames java_frames;  ///< any thread
  uint32_t java_version;   ///< feature release, 0 = unknown
  char java_missing[48];   ///< "Type::_field" where kNoField; zero-padded
  uint32_t java_name_count;
  uint32_t java_name_bytes;   ///< of java_name_text, in use
  uint64_t java_walk_count;   ///< any thread: stacks of Java threads that were followed
  uint64_t java_stray_count;  ///< any thread: of these, how many did not reach the thread's first frame
  ArenaCell folded;           ///< counts of exited threads and of threads without a slot, all arenas
};

struct LiveSamples {
  alignas(64) uint64_t addresses[kLiveSampleCapacity];  ///< 0 = free, 1 = being written; any thread
  LiveSample records[kLiveSampleCapacity];
};

/// The whole mapping. Sections that a small process touches stand first.
struct Recording {
  Header header;
  alignas(4096) Timeline timeline;
  alignas(4096) BackendRange backend_ranges[kBackendRangeCapacity];
  alignas(4096) Arena arenas[kArenaCapacity];
  alignas(4096) ThreadSlot threads[kThreadCapacity];
  alignas(4096) Module modules[kModuleCapacity];
  alignas(4096) Site sites[kSiteCapacity];
  alignas(4096) DirectMapping direct_mappings[kDirectMappingCapacity];
  alignas(4096) JavaName java_names[kJavaNameCapacity];
  alignas(4096) char java_name_text[kJavaNameBytes];
  alignas(4096) uint64_t frames[kFrameCapacity];
  alignas(4096) LiveSamples live_samples;
};

static_assert(sizeof(TimelineEntry) == 64);
static_assert(sizeof(Module) == 256);
static_assert(sizeof(Site) == 64);
static_assert(sizeof(JavaName) == 16);
static_assert(kJavaNameCapacity == 1u << kJavaNameBits && kJavaKindShift + 3 == 31);
static_assert(sizeof(LiveSample) == 24);
static_assert(sizeof(DirectMapping) == 24);
static_assert(sizeof(HotCell) == 48);
static_assert(offsetof(ThreadSlot, own) == 64, "the main arena's hot words fill the first cache line");
static_assert(sizeof(Header) <= 4096);
static_assert(sizeof(Recording) <= 8u << 20, "the recording's budget is 8 MiB resident");

}  // namespace recording
