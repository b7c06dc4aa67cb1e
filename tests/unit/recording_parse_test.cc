// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "recording/frames.h"
#include "recording/reader.h"
#include "tests/unit/recording_builder.h"

namespace offheap {
namespace {

using testing::RecordingBuilder;

Snapshot parsed(const RecordingBuilder& builder) {
  auto snapshot = parse_recording(builder.image());
  EXPECT_TRUE(snapshot.ok()) << (snapshot.ok() ? "" : snapshot.error().what);
  return snapshot.ok() ? *snapshot : Snapshot{};
}

TEST(RecordingParse, WrongMagic_IsIncompatibleAndNamesTheBytes) {
  RecordingBuilder builder;
  builder.raw().header.magic[0] = 'X';
  auto snapshot = parse_recording(builder.image());
  ASSERT_FALSE(snapshot.ok());
  EXPECT_EQ(snapshot.error().code, ErrorCode::kIncompatible);
  EXPECT_EQ(snapshot.error().what, "not a recording: it begins with the bytes 58 66 66 68 65 61 70 0a");
}

TEST(RecordingParse, FileOfAProcessKilledAtItsStart_IsSaidToBeThat) {
  RecordingBuilder builder;
  for (char& byte : builder.raw().header.magic) byte = 0;
  const auto snapshot = parse_recording(builder.image());
  ASSERT_FALSE(snapshot.ok());
  EXPECT_EQ(snapshot.error().code, ErrorCode::kIncompatible);
  EXPECT_EQ(snapshot.error().what,
            "a recording that was never begun: its process was killed at its start");
}

TEST(RecordingParse, OtherVersion_SaysBothAndTheRemedy) {
  RecordingBuilder builder;
  builder.raw().header.version = recording::kVersion + 1;
  auto snapshot = parse_recording(builder.image().first(64));  // the check needs no whole recording
  ASSERT_FALSE(snapshot.ok());
  EXPECT_EQ(snapshot.error().code, ErrorCode::kIncompatible);
  EXPECT_NE(snapshot.error().what.find("this offheap reads"), std::string::npos)
      << snapshot.error().what;
  EXPECT_EQ(snapshot.error().remedy, "use the offheap that came with that libshim");
}

TEST(RecordingParse, EveryCutLength_IsAnErrorThatNamesTheLength) {
  RecordingBuilder builder = RecordingBuilder::populated();
  for (std::size_t length : {std::size_t{0}, std::size_t{7}, std::size_t{23}, std::size_t{4096},
                             sizeof(recording::Recording) - 1}) {
    auto snapshot = parse_recording(builder.image().first(length));
    ASSERT_FALSE(snapshot.ok()) << length;
    EXPECT_EQ(snapshot.error().code, ErrorCode::kIncompatible);
    EXPECT_NE(snapshot.error().what.find(std::to_string(length)), std::string::npos)
        << snapshot.error().what;
  }
}

TEST(RecordingParse, HeaderOfOtherSize_IsIncompatible) {
  RecordingBuilder builder;
  builder.raw().header.recording_bytes += 4096;
  EXPECT_FALSE(parse_recording(builder.image()).ok());
}

TEST(RecordingParse, TextFieldsWithoutEnd_AreCutAtTheirSize) {
  RecordingBuilder builder;
  std::memset(builder.raw().header.command, 'a', sizeof builder.raw().header.command);
  EXPECT_EQ(parsed(builder).command, std::string(64, 'a'));
}

TEST(RecordingParse, GlibcChunkBytes_BecomeUsableBytes) {
  RecordingBuilder builder;
  // 10 blocks of 24 usable (chunk 32) and one mmapped block of 1 MiB - 16 usable; 4 small ones freed.
  recording::ThreadSlot& slot = builder.add_thread(7, {10 * 32, 10, 4 * 32, 4}, "main");
  slot.mmapped = {1 << 20, 1, 0, 0};
  Snapshot snapshot = parsed(builder);
  ASSERT_EQ(snapshot.threads.size(), 1U);
  EXPECT_EQ(snapshot.threads[0].name, "main");
  EXPECT_EQ(snapshot.threads[0].allocated_bytes, 10 * 24 + (1 << 20) - 16U);
  EXPECT_EQ(snapshot.threads[0].freed_bytes, 4 * 24U);
  EXPECT_EQ(snapshot.allocated_bytes, 10 * 24 + (1 << 20) - 16U);
  ASSERT_EQ(snapshot.arenas.size(), 2U);
  EXPECT_EQ(snapshot.arenas[0].kind, RecordedArena::Kind::kMain);
  EXPECT_EQ(snapshot.arenas[0].allocated_bytes, 240U);
  EXPECT_EQ(snapshot.arenas[0].freed_bytes, 96U);
  EXPECT_EQ(snapshot.arenas[1].kind, RecordedArena::Kind::kMmappedChunks);
  EXPECT_EQ(snapshot.arenas[1].allocated_bytes, (1 << 20) - 16U);
}

TEST(RecordingParse, GlibcEvenChunkBytes_SpendOneWordOnEveryBlock) {
  RecordingBuilder builder;
  builder.raw().header.byte_unit = recording::ByteUnit::kGlibcEvenChunk;
  recording::ThreadSlot& slot = builder.add_thread(7, {10 * 32, 10, 4 * 32, 4});
  slot.mmapped = {1 << 20, 1, 0, 0};
  Snapshot snapshot = parsed(builder);
  EXPECT_EQ(snapshot.allocated_bytes, 10 * 24 + (1 << 20) - 8U);
  ASSERT_EQ(snapshot.arenas.size(), 2U);
  EXPECT_EQ(snapshot.arenas[1].allocated_bytes, (1 << 20) - 8U);
}

TEST(RecordingParse, UsableBytes_AreTakenAsTheyAre) {
  RecordingBuilder builder(recording::BackendKind::kTcmalloc);
  builder.add_thread(7, {1000, 10, 400, 4});
  Snapshot snapshot = parsed(builder);
  EXPECT_EQ(snapshot.allocated_bytes, 1000U);
  EXPECT_EQ(snapshot.freed_bytes, 400U);
  EXPECT_EQ(snapshot.live_count, 6U);
  EXPECT_TRUE(snapshot.arenas.empty());
}

TEST(RecordingParse, Jemalloc_TakesTheThreadsOwnWords) {
  RecordingBuilder builder(recording::BackendKind::kJemalloc);
  recording::ThreadSlot& slot = builder.add_thread(7, {1000, 10, 400, 4});
  slot.jemalloc_allocated_bytes = 5000;
  slot.jemalloc_deallocated_bytes = 3000;
  builder.raw().header.folded = {100, 1, 50, 1};
  Snapshot snapshot = parsed(builder);
  EXPECT_EQ(snapshot.allocated_bytes, 5100U);
  EXPECT_EQ(snapshot.freed_bytes, 3050U);
  EXPECT_FALSE(snapshot.live_count);  // jemalloc's own, in its statistics
}

TEST(RecordingParse, ArenasWithoutACell_AreInTheThreadsTotalsOnce) {
  RecordingBuilder builder;
  recording::ThreadSlot& slot = builder.add_thread(7, {320, 10, 0, 0});
  slot.rest = {64, 2, 32, 1};
  builder.raw().arenas[recording::kUnnamedArenas] = {0, 64, 2, 32, 1};
  Snapshot snapshot = parsed(builder);
  EXPECT_EQ(snapshot.threads.at(0).allocated_bytes, 10 * 24 + 2 * 24U);
  EXPECT_EQ(snapshot.allocated_bytes, 10 * 24 + 2 * 24U);
  ASSERT_EQ(snapshot.arenas.size(), 2U);
  EXPECT_EQ(snapshot.arenas[0].allocated_bytes, 240U);
  EXPECT_EQ(snapshot.arenas[1].allocated_bytes, 48U);
  EXPECT_EQ(snapshot.arenas[1].freed_bytes, 24U);
}

TEST(RecordingParse, ArenasSumToTheTotals) {
  Snapshot snapshot = parsed(RecordingBuilder::populated());
  Bytes allocated = 0;
  Bytes freed = 0;
  for (const RecordedArena& arena : snapshot.arenas) {
    allocated += arena.allocated_bytes;
    freed += arena.freed_bytes;
  }
  EXPECT_EQ(allocated, snapshot.allocated_bytes);
  EXPECT_EQ(freed, snapshot.freed_bytes);
  EXPECT_EQ(snapshot.rejected_count, 0U);
  auto own = std::find_if(snapshot.arenas.begin(), snapshot.arenas.end(),
                          [](const RecordedArena& arena) { return arena.address == 0x7f0000000020; });
  ASSERT_NE(own, snapshot.arenas.end());
  EXPECT_EQ(own->threads, std::vector<std::uint32_t>{11});
}

TEST(RecordingParse, FreedAheadOfAllocated_GivesZeroNotHuge) {
  RecordingBuilder builder;
  builder.add_thread(7, {32, 3, 64, 4});  // a count ran ahead of its bytes
  EXPECT_EQ(parsed(builder).allocated_bytes, 8U);
  builder.raw().threads[0].main.allocated_count = 1000;
  EXPECT_EQ(parsed(builder).allocated_bytes, 0U);
}

TEST(RecordingParse, ShortenedStacks_AreTruncatedToo) {
  RecordingBuilder builder;
  builder.add_site(3, {0x401000}, recording::kSiteShortened);
  builder.add_site(4, {0x401000}, recording::kSiteTruncated);
  Snapshot snapshot = parsed(builder);
  ASSERT_EQ(snapshot.sites.size(), 2U);
  EXPECT_TRUE(snapshot.sites[0].shortened);
  EXPECT_TRUE(snapshot.sites[0].truncated);
  EXPECT_FALSE(snapshot.sites[1].shortened);
  EXPECT_TRUE(snapshot.sites[1].truncated);
}

TEST(RecordingParse, SitesKeepTheirSamples_WhereverTheHashPutThem) {
  Snapshot snapshot = parsed(RecordingBuilder::populated());
  ASSERT_EQ(snapshot.sites.size(), 4U);
  EXPECT_EQ(snapshot.sites[0].frames, (std::vector<Address>{0x401000, 0x402000, 0x403000}));
  EXPECT_TRUE(snapshot.sites[1].truncated);
  EXPECT_TRUE(snapshot.sites[2].mapping);
  ASSERT_EQ(snapshot.samples.size(), 64U);
  EXPECT_EQ(snapshot.samples[0].site, 1U);
  EXPECT_EQ(snapshot.samples[1].site, 0U);
  EXPECT_EQ(snapshot.samples[1].usable_bytes, 1009U);
  EXPECT_EQ(snapshot.samples[1].born_ns, RecordingBuilder::kStartNs + 100'000'000);
  ASSERT_EQ(snapshot.mappings.size(), 1U);
  EXPECT_EQ(snapshot.mappings[0].site, 2U);
}

TEST(RecordingParse, SampleBeingWritten_IsSkippedButNotRejected) {
  constexpr std::uint64_t kBeingWritten = 1;
  RecordingBuilder builder;
  builder.add_sample(kBeingWritten, recording::kNoSite, 100, 4, 4096,
                     1);                             // its record is there already
  builder.add_sample(kBeingWritten, 0, 0, 0, 0, 0);  // its record is still empty
  builder.add_sample(0x1000, recording::kNoSite, 100, 4, 4096, 1);
  Snapshot snapshot = parsed(builder);
  ASSERT_EQ(snapshot.samples.size(), 1U);
  EXPECT_EQ(snapshot.samples[0].address, 0x1000U);
  EXPECT_EQ(snapshot.rejected_count, 0U);
}

TEST(RecordingParse, SampleWithoutSite_IsKept) {
  RecordingBuilder builder;
  builder.add_sample(0x1000, recording::kNoSite, 100, 4, 4096, 1);
  Snapshot snapshot = parsed(builder);
  ASSERT_EQ(snapshot.samples.size(), 1U);
  EXPECT_EQ(snapshot.samples[0].site, recording::kNoSite);
}

// Each change makes exactly one entry impossible; the rest must stay readable.
struct HostileCase {
  const char* name;
  void (*change)(recording::Recording&);
};

class RecordingHostile : public ::testing::TestWithParam<HostileCase> {};

TEST_P(RecordingHostile, OneBadEntry_IsDroppedAndCounted) {
  RecordingBuilder builder = RecordingBuilder::populated();
  GetParam().change(builder.raw());
  Snapshot snapshot = parsed(builder);
  EXPECT_EQ(snapshot.rejected_count, 1U);
  EXPECT_EQ(snapshot.pid, 4711U);
  EXPECT_GE(snapshot.samples.size(), 63U);
}

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

INSTANTIATE_TEST_SUITE_P(
    All, RecordingHostile,
    ::testing::Values(
        HostileCase{"SampleOfUnusedSite", [](auto& raw) { raw.live_samples.records[0].site = 5; }},
        HostileCase{"SampleBeyondTheTable", [](auto& raw) { raw.live_samples.records[0].site = 8192; }},
        HostileCase{"SampleOfHugeSize",
                    [](auto& raw) { raw.live_samples.records[0].requested_bytes = kHuge; }},
        HostileCase{"SampleWithNanMean",
                    [](auto& raw) {
                      raw.live_samples.records[0].mean_bytes = std::numeric_limits<float>::quiet_NaN();
                    }},
        HostileCase{"SampleWithNegativeMean",
                    [](auto& raw) { raw.live_samples.records[0].mean_bytes = -1; }},
        HostileCase{"SampleInKernelSpace", [](auto& raw) { raw.live_samples.addresses[0] = kHuge; }},
        HostileCase{"MappingThatWraps", [](auto& raw) { raw.direct_mappings[0].length = kHuge; }},
        HostileCase{"MappingOfUnusedSite", [](auto& raw) { raw.direct_mappings[0].site = 5; }},
        HostileCase{"ModuleBackwards", [](auto& raw) { raw.modules[0].end = 1; }},
        HostileCase{"ModuleWithLongPath", [](auto& raw) { raw.modules[0].path_length = 185; }},
        HostileCase{"ModuleWithLongBuildId", [](auto& raw) { raw.modules[0].build_id_length = 21; }},
        HostileCase{"JavaStateUnheardOf",
                    [](auto& raw) { raw.header.java_frames = static_cast<recording::JavaFrames>(99); }},
        HostileCase{"TimelineTooLong", [](auto& raw) { raw.timeline.count = 100000; }},
        HostileCase{"RangeBackwards", [](auto& raw) { raw.backend_ranges[0].end = 1; }},
        HostileCase{"ArenaBeyondTheTable", [](auto& raw) { raw.threads[0].own_index = 1024; }},
        HostileCase{
            "BackendUnheardOf",
            [](auto& raw) { raw.header.backend_kind = static_cast<recording::BackendKind>(99); }}),
    [](const auto& test) { return test.param.name; });

TEST(RecordingParse, SiteWithFramesBeyondThePool_TakesItsSamplesAlong) {
  for (std::uint32_t begin : {recording::kFrameCapacity - 1, 0xffffffffU}) {
    RecordingBuilder builder;
    builder.add_site(3, {0x401000, 0x402000});
    builder.add_sample(0x1000, 3, 100, 4, 4096, 1);
    builder.raw().sites[3].frame_begin = begin;
    Snapshot snapshot = parsed(builder);
    EXPECT_TRUE(snapshot.sites.empty());
    EXPECT_EQ(snapshot.rejected_count, 2U);
  }
}

RecordedSite java_site(const std::vector<std::uint64_t>& words, std::uint64_t rejected) {
  RecordingBuilder builder;
  builder.add_java_name(7, "shop/Cache.put");
  builder.raw().java_names[8] = {9, recording::kJavaNameBytes - 1, 2};
  builder.raw().java_names[9] = {9, 0, recording::kJavaNameLength + 1};
  builder.add_site(3, words);
  Snapshot snapshot = parsed(builder);
  EXPECT_EQ(snapshot.rejected_count, rejected);
  return snapshot.sites.at(0);
}

std::uint64_t one_java_frame(recording::JavaFrameKind kind, std::uint32_t name = 0,
                             std::uint32_t bci = 0) {
  return RecordingBuilder::java_word(RecordingBuilder::java_frame(kind, name, bci));
}

TEST(RecordingParse, JavaFramesFollowNativeOnes_TwoToAWord) {
  const auto frame = [](auto... parts) { return RecordingBuilder::java_frame(parts...); };
  const RecordedSite site = java_site(
      {0x401000,
       RecordingBuilder::java_word(frame(recording::kJavaNativeMethod, 7U),
                                   frame(recording::kJavaBytecode, 7U, 65535U)),
       RecordingBuilder::java_word(frame(recording::kJavaFrozen),
                                   frame(recording::kJavaNoBytecode, recording::kNoJavaName))},
      0);
  EXPECT_EQ(site.frames, (std::vector<Address>{0x401000}));
  const std::vector<RecordedJavaFrame> expected = {{recording::kJavaNativeMethod, "shop.Cache.put", 0},
                                                   {recording::kJavaBytecode, "shop.Cache.put", 65535},
                                                   {recording::kJavaFrozen, "", 0},
                                                   {recording::kJavaNoBytecode, "", 0}};
  EXPECT_EQ(site.java_frames, expected);
}

TEST(RecordingParse, JavaFramesThatCannotBe_EndTheStackAndAreCounted) {
  const std::uint64_t good = one_java_frame(recording::kJavaBytecode, 7, 1);
  const std::vector<std::uint64_t> bad = {
      one_java_frame(recording::kJavaNone),                      // no frame at all
      one_java_frame(static_cast<recording::JavaFrameKind>(7)),  // unheard of
      one_java_frame(recording::kJavaBytecode, 8),               // beyond the text
      one_java_frame(recording::kJavaBytecode, 9),               // too long
      one_java_frame(recording::kJavaBytecode, 10),              // no such name
      0x401000,                                                  // native after Java
  };
  for (const std::uint64_t word : bad) {
    const RecordedSite site = java_site({good, word, good}, 1);
    EXPECT_EQ(site.java_frames.size(), 1U) << std::hex << word;
    EXPECT_TRUE(site.frames.empty());
  }
}

struct Door {
  std::vector<const char*> frames;  ///< leaf first; a leading '!' marks a native method
  AllocatedBy by;
};

class AllocatedByTest : public ::testing::TestWithParam<Door> {};

TEST_P(AllocatedByTest, IsReadFromTheFramesNextToTheLeaf) {
  RecordedSite site;
  for (const char* name : GetParam().frames) {
    const bool native = *name == '!';
    site.java_frames.push_back({native ? recording::kJavaNativeMethod : recording::kJavaBytecode,
                                native ? name + 1 : name, 0});
  }
  EXPECT_EQ(allocated_by(site), GetParam().by);
}

INSTANTIATE_TEST_SUITE_P(
    Doors, AllocatedByTest,
    ::testing::Values(Door{{}, AllocatedBy::kOther}, Door{{"shop.Cache.put"}, AllocatedBy::kOther},
                      Door{{"!java.util.zip.Deflater.init", "shop.Cache.put"}, AllocatedBy::kJni},
                      Door{{"!jdk.internal.misc.Unsafe.allocateMemory0",
                            "jdk.internal.misc.Unsafe.allocateMemory",
                            "java.nio.DirectByteBuffer.<init>"},
                           AllocatedBy::kDirectBuffer},
                      Door{{"!jdk.internal.misc.Unsafe.allocateMemory0",
                            "jdk.internal.misc.Unsafe.allocateMemory", "sun.misc.Unsafe.allocateMemory",
                            "io.netty.util.internal.PlatformDependent0.allocateMemory"},
                           AllocatedBy::kUnsafe},
                      Door{{"!jdk.internal.misc.Unsafe.allocateMemory0"}, AllocatedBy::kUnsafe}));

TEST(RecordingParse, Timeline_SkipsWhatIsBeingWrittenAndSorts) {
  RecordingBuilder builder(recording::BackendKind::kTcmalloc);
  builder.add_tick(3, 300, 30);
  builder.add_tick(1, 100, 10);
  builder.add_tick(2, 200, 20).sequence = 7;
  builder.add_tick(3, 300, 30);
  Snapshot snapshot = parsed(builder);
  ASSERT_EQ(snapshot.timeline.size(), 2U);
  EXPECT_EQ(snapshot.timeline[0].allocated_bytes, 100U);
  EXPECT_EQ(snapshot.timeline[1].allocated_bytes, 300U);
  EXPECT_EQ(snapshot.taken_time_ns, RecordingBuilder::kStartNs + 3'000'000'000);
}

TEST(RecordingParse, TimelineInChunkBytes_EndsAtTheUsableLiveBytes) {
  RecordingBuilder builder;
  builder.add_thread(7, {32'000'000, 1'000'000, 16'000'000, 500'000});
  builder.add_tick(1, 32'000'000, 16'000'000);
  builder.add_tick(2, 16'000'000, 16'000'000);
  Snapshot snapshot = parsed(builder);
  ASSERT_EQ(snapshot.timeline.size(), 2U);
  EXPECT_EQ(snapshot.timeline[0].allocated_bytes - snapshot.timeline[0].freed_bytes,
            snapshot.allocated_bytes - snapshot.freed_bytes);
  EXPECT_EQ(snapshot.timeline[1].allocated_bytes, snapshot.timeline[1].freed_bytes);
}

}  // namespace
}  // namespace offheap
