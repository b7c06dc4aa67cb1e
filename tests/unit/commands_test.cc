// SPDX-License-Identifier: Apache-2.0
//
// The parts of commands/ that can be tested without a target.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "commands/binary_check.h"
#include "commands/doctor.h"
#include "commands/documents.h"
#include "commands/explain.h"
#include "commands/fail_on.h"
#include "commands/gather.h"
#include "commands/run.h"
#include "temporary_folder.h"

namespace offheap {
namespace {

TEST(Values, Durations) {
  EXPECT_EQ(parse_duration_ns("30s"), 30'000'000'000u);
  EXPECT_EQ(parse_duration_ns("1.5m"), 90'000'000'000u);
  EXPECT_EQ(parse_duration_ns("250ms"), 250'000'000u);
  EXPECT_EQ(parse_duration_ns("3"), 3'000'000'000u);
  for (const char* bad : {"", "s", "-1s", "3 s", "1d", "nan", "inf", "1e300h"})
    EXPECT_FALSE(parse_duration_ns(bad)) << bad;
}

TEST(Values, BytesAndPids) {
  EXPECT_EQ(parse_bytes("10M"), 10u << 20);
  EXPECT_EQ(parse_bytes("1.5KiB"), 1536u);
  EXPECT_FALSE(parse_bytes("10MB"));
  EXPECT_EQ(parse_pid("42"), 42);
  for (const char* bad : {"", "0", "-4", "42x", "99999999999"}) EXPECT_FALSE(parse_pid(bad)) << bad;
}

TEST(FailOn, Limits_AreMetByKindAndBytes) {
  Verdict leak;
  leak.kind = VerdictKind::kLeak;
  leak.bytes = 10 << 20;
  Verdict healthy;
  healthy.kind = VerdictKind::kHealthy;
  auto met = [](const Verdict& verdict, const char* limit) {
    return exceeds({verdict}, *parse_fail_on({limit}));
  };
  EXPECT_TRUE(met(leak, "leak"));
  EXPECT_TRUE(met(leak, "leak:10M"));
  EXPECT_FALSE(met(leak, "leak:11M"));
  EXPECT_TRUE(met(leak, "any"));
  EXPECT_FALSE(met(leak, "retention"));
  EXPECT_FALSE(met(healthy, "any"));
  EXPECT_TRUE(met(healthy, "healthy"));
  EXPECT_FALSE(parse_fail_on({"leek"}));
  EXPECT_FALSE(parse_fail_on({"leak:x"}));
}

TEST(Run, PreloadValue_KeepsWhatIsThere) {
  EXPECT_EQ(preload_value("/a/libshim.so", nullptr), "/a/libshim.so");
  EXPECT_EQ(preload_value("/a/libshim.so", "/b.so /c.so:/d.so"), "/a/libshim.so:/b.so:/c.so:/d.so");
  EXPECT_EQ(preload_value("/a/libshim.so", "/b.so:/a/libshim.so"), "/a/libshim.so:/b.so");
}

// Not our own executable: under clang's sanitizers it brings a malloc of its own.
TEST(BinaryCheck, OrdinaryExecutable_CanBePreloaded) {
  const auto facts = inspect_binary("/bin/ls");
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_TRUE(facts->x86_64);
  EXPECT_FALSE(facts->is_static);
  EXPECT_FALSE(facts->exports_malloc);
  EXPECT_NE(facts->interpreter.find("ld-linux"), std::string::npos);
  EXPECT_TRUE(preload_works(*facts));
}

TEST(BinaryCheck, WhatMakesAPreloadFail_IsSaid) {
  BinaryFacts facts;
  facts.elf = facts.x86_64 = true;
  facts.path = "/bin/x";
  BinaryFacts other = facts;
  other.is_static = true;
  EXPECT_NE(preload_works(other).error().what.find("statically"), std::string::npos);
  other = facts;
  other.musl = true;
  EXPECT_NE(preload_works(other).error().what.find("musl"), std::string::npos);
  other = facts;
  other.gains_rights = true;
  EXPECT_NE(preload_works(other).error().what.find("setuid"), std::string::npos);
  other = facts;
  other.x86_64 = false;
  EXPECT_FALSE(preload_works(other));
}

class TemporaryDirectory : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path;
};

TEST_F(TemporaryDirectory, BinaryCheck_FollowsScripts) {
  const auto script = inspect_binary(file("script", "#! /proc/self/exe -x\necho\n"));
  ASSERT_TRUE(script) << script.error().what;
  EXPECT_EQ(script->script_interpreter, "/proc/self/exe");
  EXPECT_FALSE(inspect_binary(file("text", "hello")));
  EXPECT_FALSE(inspect_binary(file("empty", "")));
  EXPECT_FALSE(inspect_binary(file("loop", "#!" + (path_ / "loop").string() + "\n")));
  EXPECT_FALSE(inspect_binary(path_.string()));
}

TEST_F(TemporaryDirectory, BinaryCheck_CutElf_IsNoCrash) {
  std::ifstream own("/proc/self/exe", std::ios::binary);
  std::string head(200, '\0');
  own.read(head.data(), 200);
  for (std::size_t size = 4; size < head.size(); size += 7)
    (void)inspect_binary(file("cut", head.substr(0, size)));
  SUCCEED();
}

TEST_F(TemporaryDirectory, Document_ThatIsNone_IsIncompatible) {
  const auto document = load_document(file("a.json", "{broken"));
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, ErrorCode::kIncompatible);
  EXPECT_EQ(load_document(path_.string() + "/none").error().code, ErrorCode::kUsage);
}

TEST(Doctor, Patterns) {
  EXPECT_TRUE(matches_any_pattern("java,*worker*", "my-worker-3"));
  EXPECT_TRUE(matches_any_pattern("java", "java"));
  EXPECT_FALSE(matches_any_pattern("java", "javac"));
  EXPECT_TRUE(matches_any_pattern("*", "anything"));
  EXPECT_FALSE(matches_any_pattern("a*b,c", "abc"));
}

TEST(Run, Backend_IsAKnownNameOrAFileThatIsThere) {
  EXPECT_EQ(*resolve_backend(""), "");
  EXPECT_EQ(*resolve_backend("jemalloc"), "jemalloc");
  EXPECT_EQ(*resolve_backend("/proc/self/exe"), "/proc/self/exe");
  for (const char* wrong : {"bogus", "jemalloc ", "/no/such/lib.so", "/tmp"}) {
    const auto backend = resolve_backend(wrong);
    ASSERT_FALSE(backend) << wrong;
    EXPECT_EQ(backend.error().code, ErrorCode::kUsage);
    EXPECT_NE(backend.error().remedy.find("next, glibc, tcmalloc, jemalloc"), std::string::npos);
  }
}

TEST(Run, RecordDirectory_IsAbsoluteAndMustBeWritable) {
  EXPECT_EQ(*resolve_record_directory(""), "");
  EXPECT_EQ((*resolve_record_directory(".")).front(), '/');
  for (const char* wrong : {"/no/such/directory", "/proc/self/exe", "/proc/self"}) {
    const auto directory = resolve_record_directory(wrong);
    ASSERT_FALSE(directory) << wrong;
    EXPECT_EQ(directory.error().code, ErrorCode::kUsage);
  }
}

Snapshot of_jemalloc() {
  Snapshot snapshot{};
  snapshot.backend_kind = recording::BackendKind::kJemalloc;
  snapshot.allocated_bytes = 100 << 20;
  snapshot.freed_bytes = 99 << 20;
  snapshot.backend.epoch_count = 1;
  snapshot.backend.time_ns = 500;
  snapshot.backend.block_count = 10;
  snapshot.timeline = {{.time_ns = 500, .allocated_bytes = 100 << 20, .freed_bytes = 1 << 20}};
  return snapshot;
}

TEST(BackendTotals, Jemalloc_ItsOwnCountOfBlocksBoundsWhatTheyPin) {
  const auto totals = backend_totals(of_jemalloc(), Bytes{100} << 20);
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->resident.pinned_bytes, 10 * kLargestSlabBytes);
}

TEST(BackendTotals, Jemalloc_BlocksAllocatedSinceItsCountMayBeTheSmallest) {
  Snapshot snapshot = of_jemalloc();
  snapshot.timeline[0].allocated_bytes -= 80;  // ten blocks of 8 bytes
  const auto totals = backend_totals(snapshot, Bytes{100} << 20);
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->resident.pinned_bytes, 20 * kLargestSlabBytes);
}

TEST(BackendTotals, Tcmalloc_BlocksAreCounted) {
  Snapshot snapshot = of_jemalloc();
  snapshot.backend_kind = recording::BackendKind::kTcmalloc;
  snapshot.live_count = 3;
  const auto totals = backend_totals(snapshot, Bytes{100} << 20);
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->resident.pinned_bytes, 3 * kLargestSlabBytes);
}

}  // namespace
}  // namespace offheap
