// SPDX-License-Identifier: Apache-2.0
//
// The ledger: one owner a byte, and an exact sum whatever the page counts say.
#include <elf.h>
#include <gtest/gtest.h>

#include "image_reader.h"
#include "ledger/claims.h"
#include "ledger/ledger.h"
#include "ledger/malloc_totals.h"

namespace offheap {
namespace {

constexpr Bytes kKi = 1024;

Mapping anonymous(Address begin, Bytes size, Bytes rss_bytes) {
  Mapping mapping;
  mapping.range = {begin, begin + size};
  mapping.readable = mapping.writable = true;
  mapping.rss_bytes = rss_bytes;
  return mapping;
}

Mapping named(Address begin, Bytes size, Bytes rss_bytes, const std::string& path) {
  Mapping mapping = anonymous(begin, size, rss_bytes);
  mapping.path = path;
  mapping.inode = path.starts_with('/') ? 7 : 0;
  return mapping;
}

struct DefaultCase {
  const char* path;
  bool shared;
  const char* library;  ///< mapped as well: it decides what the process is
  Owner owner;
};

TEST(Ledger, DefaultOwner_ByPathAndProcess_IsTheTable) {
  const DefaultCase cases[] = {
      {"", false, "", Owner::kUnknown},
      {"", false, "/usr/lib/libjvm.so", Owner::kJava},
      {"[heap]", false, "/usr/lib/libjvm.so", Owner::kUnknown},
      {"", false, "/usr/lib/libjemalloc.so.2", Owner::kBackendRanges},
      {"[heap]", false, "/usr/lib/libtcmalloc_minimal.so.4", Owner::kBackendRanges},
      {"[stack]", false, "", Owner::kThreadStacks},
      {"[vdso]", false, "", Owner::kKernel},
      {"[anon: glibc: malloc arena]", false, "", Owner::kMallocArenas},
      {"/memfd:offheap-recording", true, "", Owner::kRecording},
      {"/memfd:java_heap", true, "/usr/lib/libjvm.so", Owner::kJavaHeap},
      {"/jdk/lib/server/classes.jsa", false, "/usr/lib/libjvm.so", Owner::kJavaCds},
      {"/memfd:other", true, "", Owner::kSharedMemory},
      {"/dev/shm/queue", true, "", Owner::kSharedMemory},
      {"/SYSV00000000", true, "", Owner::kSharedMemory},
      {"/dev/zero", true, "", Owner::kSharedMemory},
      {"/dev/zero", false, "", Owner::kUnknown},
      {"/var/data.bin", true, "", Owner::kFile},
  };
  for (const DefaultCase& test : cases) {
    LedgerInput input;
    Mapping library = named(0x1000, 4 * kKi, 0, test.library);
    library.executable = true;
    if (*test.library) input.mappings.push_back(library);
    Mapping mapping = named(0x100000, 64 * kKi, 64 * kKi, test.path);
    mapping.shared = test.shared;
    input.mappings.push_back(mapping);
    const Ledger ledger = build_ledger(input, ImageReader());
    EXPECT_EQ(ledger.rss_of(test.owner), 64 * kKi) << test.path << " beside " << test.library;
    EXPECT_EQ(ledger.sum(), ledger.rss_bytes);
  }
}

TEST(Ledger, SharedFile_OnTmpfs_IsSharedMemory) {
  LedgerInput input;
  Mapping mapping = named(0x100000, 8 * kKi, 8 * kKi, "/run/shared.db");
  mapping.shared = true;
  mapping.device = std::uint64_t{0} << 32 | 28;
  input.mappings = {mapping};
  input.tmpfs_devices = parse_tmpfs_devices(
      "31 23 0:28 / /run rw - tmpfs tmpfs rw\n32 31 8:1 / / rw - ext4 /dev/sda1 rw\nbroken - tmpfs \n");
  EXPECT_EQ(input.tmpfs_devices, std::set<std::uint64_t>{28});
  EXPECT_EQ(build_ledger(input, ImageReader()).rss_of(Owner::kSharedMemory), 8 * kKi);
}

TEST(Ledger, MixedMapping_CountsPagesOfEachOwner) {
  LedgerInput input;
  input.mappings = {anonymous(0x100000, 64 * kKi, 24 * kKi)};
  input.claims = {{{0x102000, 0x104000}, Owner::kThreadStacks, "worker"}};
  ImageReader memory;
  memory.set_resident({0x100000, 0x104000});
  memory.set_resident({0x108000, 0x10a000});
  const Ledger ledger = build_ledger(input, memory);
  EXPECT_EQ(ledger.rss_of(Owner::kThreadStacks), 8 * kKi);
  EXPECT_EQ(ledger.rss_of(Owner::kUnknown), 16 * kKi);
  EXPECT_EQ(ledger.settled_bytes, 0u);
  EXPECT_EQ(ledger.mixed_mapping_count, 1u);
}

TEST(Ledger, MixedMappingOfManyGigabytes_CountsPagesAcrossItsParts) {
  constexpr Bytes kGi = Bytes{1} << 30;
  constexpr Address kBegin = 64 * kGi;  // its pages are looked at by 64 GiB
  LedgerInput input;
  input.mappings = {anonymous(kBegin, 65 * kGi, 24 * kKi)};
  input.claims = {
      {{kBegin + 64 * kGi - 8 * kKi, kBegin + 64 * kGi + 8 * kKi}, Owner::kThreadStacks, "worker"}};
  ImageReader memory;
  memory.set_resident({kBegin + 64 * kGi - 12 * kKi, kBegin + 64 * kGi + 12 * kKi});
  const Ledger ledger = build_ledger(input, memory);
  EXPECT_EQ(ledger.rss_of(Owner::kThreadStacks), 16 * kKi);
  EXPECT_EQ(ledger.rss_of(Owner::kUnknown), 8 * kKi);
  EXPECT_EQ(ledger.settled_bytes, 0u);
}

TEST(Ledger, MixedMapping_PagesBelowRss_BiggestOwnerGetsTheDifference) {
  LedgerInput input;
  input.mappings = {anonymous(0x100000, 64 * kKi, 40 * kKi)};
  input.claims = {{{0x100000, 0x104000}, Owner::kMallocArenas, ""}};
  ImageReader memory;
  memory.set_resident({0x100000, 0x105000});
  const Ledger ledger = build_ledger(input, memory);
  EXPECT_EQ(ledger.rss_of(Owner::kMallocArenas), 36 * kKi);
  EXPECT_EQ(ledger.rss_of(Owner::kUnknown), 4 * kKi);
  EXPECT_EQ(ledger.settled_bytes, 20 * kKi);
}

TEST(Ledger, MixedMapping_PagesAboveRss_TakenFromTheBiggestDown) {
  LedgerInput input;
  input.mappings = {anonymous(0x100000, 64 * kKi, 4 * kKi)};
  input.claims = {{{0x100000, 0x106000}, Owner::kMallocArenas, ""}};
  ImageReader memory;
  memory.set_resident({0x100000, 0x108000});
  const Ledger ledger = build_ledger(input, memory);
  EXPECT_EQ(ledger.sum(), 4 * kKi);
  EXPECT_EQ(ledger.rss_of(Owner::kMallocArenas), 0u);
  EXPECT_EQ(ledger.rss_of(Owner::kUnknown), 4 * kKi);
}

TEST(Ledger, Claim_OnMappedFile_IsIgnored) {
  LedgerInput input;
  input.mappings = {named(0x100000, 16 * kKi, 16 * kKi, "/var/data.bin")};
  input.claims = {{{0x100000, 0x104000}, Owner::kDirectMmaps, ""}};
  EXPECT_EQ(build_ledger(input, ImageReader()).rss_of(Owner::kFile), 16 * kKi);
}

/// Header and one PT_LOAD whose bss reaches 8 KiB past its file part.
void put_elf(ImageReader& memory, Address base, Bytes memory_bytes) {
  struct {
    Elf64_Ehdr header;
    Elf64_Phdr load;
  } image{};
  std::memcpy(image.header.e_ident, ELFMAG, SELFMAG);
  image.header.e_ident[EI_CLASS] = ELFCLASS64;
  image.header.e_phoff = sizeof image.header;
  image.header.e_phentsize = sizeof image.load;
  image.header.e_phnum = 1;
  image.load.p_type = PT_LOAD;
  image.load.p_memsz = memory_bytes;
  memory.put(base, &image, sizeof image);
}

TEST(Ledger, Bss_IsBoundedByTheProgramHeader_NotByTheMapping) {
  LedgerInput input;
  input.mappings = {named(0x100000, 16 * kKi, 16 * kKi, "/usr/lib/libx.so"),
                    anonymous(0x104000, 64 * kKi, 64 * kKi)};
  ImageReader memory;
  put_elf(memory, 0x100000, 24 * kKi);
  memory.set_resident({0x104000, 0x114000});
  const Ledger ledger = build_ledger(input, memory);
  EXPECT_EQ(ledger.rss_of(Owner::kElf), 24 * kKi);
  EXPECT_EQ(ledger.rss_of(Owner::kUnknown), 56 * kKi);
}

TEST(Ledger, ShimTables_BelongToTheRecording) {
  LedgerInput input;
  input.mappings = {named(0x100000, 16 * kKi, 16 * kKi, "/opt/libshim.so"),
                    anonymous(0x104000, 8 * kKi, 8 * kKi)};
  ImageReader memory;
  put_elf(memory, 0x100000, 24 * kKi);
  memory.set_resident({0x104000, 0x106000});
  const Ledger ledger = build_ledger(input, memory);
  EXPECT_EQ(ledger.rss_of(Owner::kElf), 16 * kKi);
  EXPECT_EQ(ledger.rss_of(Owner::kRecording), 8 * kKi);
}

TEST(Ledger, AbsurdProgramHeader_ClaimsNothing) {
  LedgerInput input;
  input.mappings = {named(0x100000, 16 * kKi, 16 * kKi, "/usr/lib/libx.so"),
                    anonymous(0x104000, 8 * kKi, 8 * kKi)};
  ImageReader memory;
  put_elf(memory, 0x100000, ~Bytes{0});
  const Ledger ledger = build_ledger(input, memory);
  EXPECT_EQ(ledger.rss_of(Owner::kUnknown), 8 * kKi);
}

TEST(ClaimMap, EarlierClaim_KeepsItsPages) {
  ClaimMap claims;
  claims.add({0x2000, 0x4000}, Owner::kMallocArenas, "");
  claims.add({0x1000, 0x6000}, Owner::kThreadStacks, "");
  claims.add({0x3000, 0x3000}, Owner::kJava, "");
  const auto pieces = claims.inside({0x1000, 0x6000});
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].range, (Range{0x1000, 0x2000}));
  EXPECT_EQ(pieces[1].owner, Owner::kMallocArenas);
  EXPECT_EQ(pieces[2].range, (Range{0x4000, 0x6000}));
  EXPECT_EQ(claims.inside({0x5000, 0x9000}).at(0).range, (Range{0x5000, 0x6000}));
}

TEST(MallocTotals, Heap_SumsArenasAndMmappedBlocks) {
  HeapReport heap;
  ArenaReport arena;
  arena.resident = {100, 10, 20, 30, 40, 5};
  arena.rss_bytes = 205;
  arena.obtained = {400, 10, 80, 10};
  arena.system_bytes = 500;
  heap.arenas = {arena, arena};
  heap.mmapped = {{{0, 8192}, 4096}};
  const MallocTotals totals = total_of_heap(heap);
  EXPECT_EQ(totals.rss_bytes, 410u + 4096u);
  EXPECT_EQ(totals.resident.sum(), totals.rss_bytes);
  EXPECT_EQ(totals.obtained.live_bytes, 800u + 8192u - 16u);
  EXPECT_EQ(totals.system_bytes, 1000u + 8192u);
}

TEST(MallocTotals, Backend_PartsAlwaysSumToWhatIsResident) {
  recording::BackendStatistics statistics{};
  statistics.allocated_bytes = 700;
  statistics.metadata_bytes = 100;
  statistics.cached_bytes = 50;
  statistics.page_free_bytes = 200;
  for (const Bytes rss : {Bytes{0}, Bytes{120}, Bytes{1000}, Bytes{1500}}) {
    const MallocTotals totals = total_of_backend(statistics, {rss, 700, 1000, 0});
    EXPECT_EQ(totals.resident.sum(), rss);
    EXPECT_EQ(totals.obtained.live_bytes, 700u);
  }
  EXPECT_EQ(total_of_backend(statistics, {1500, 700, 1000, 0}).resident.pinned_bytes, 450u);
}

TEST(MallocTotals, BackendWithStaleStatistics_FewBlocksCannotPinMuch) {
  recording::BackendStatistics statistics{};
  statistics.allocated_bytes = 1000;
  const MallocTotals totals =
      total_of_backend(statistics, {Bytes{100} << 20, 1000, 10, Bytes{100} << 20});
  EXPECT_EQ(totals.resident.pinned_bytes, 10 * kLargestSlabBytes);
  EXPECT_EQ(totals.resident.sum(), Bytes{100} << 20);
  EXPECT_GT(totals.resident.trimmable_bytes, Bytes{99} << 20);
  EXPECT_LE(totals.open_bytes, 10 * kLargestSlabBytes);
}

TEST(MallocTotals, BackendWithStaleStatistics_WhatWasFreedSinceIsOpenBeyondWhatWasCountedPinned) {
  recording::BackendStatistics statistics{};
  statistics.allocated_bytes = 500;
  statistics.active_bytes = 700;
  const MallocTotals freed = total_of_backend(statistics, {2000, 400, 1000, 5000});
  EXPECT_EQ(freed.resident.pinned_bytes, 1600u);
  EXPECT_EQ(freed.open_bytes, 1400u);
  EXPECT_EQ(total_of_backend(statistics, {2000, 400, 1000, 300}).open_bytes, 300u);
  EXPECT_EQ(total_of_backend(statistics, {2000, 400, 1000, 0}).open_bytes, 0u);
}

}  // namespace
}  // namespace offheap
