// SPDX-License-Identifier: Apache-2.0
//
// parse_smaps on texts as kernels write them and as they might be.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "procfs/mapping.h"
#include "procfs/text_file.h"

namespace offheap {
namespace {

constexpr const char* kTwo =
    "55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0                          [heap]\n"
    "Size:                132 kB\n"
    "Rss:                  24 kB\n"
    "Pss:                  12 kB\n"
    "Private_Dirty:        20 kB\n"
    "Referenced:           16 kB\n"
    "Anonymous:            24 kB\n"
    "AnonHugePages:         4 kB\n"
    "Swap:                  8 kB\n"
    "THPeligible:           0\n"
    "VmFlags: rd wr mr mw me ac sd \n"
    "7f0000000000-7f0000001000 r-xs 00002000 fe:01 1234567                    /usr/lib/a b.so "
    "(deleted)\n"
    "Rss:                   4 kB\n";

TEST(ParseSmaps, TwoMappings_EveryFieldInBytes) {
  const auto parsed = parse_smaps(kTwo);
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed->size(), 2U);
  const auto& heap = (*parsed)[0];
  EXPECT_EQ(heap.range, (Range{0x55d0c0a00000, 0x55d0c0a21000}));
  EXPECT_TRUE(heap.readable && heap.writable && !heap.executable && !heap.shared);
  EXPECT_EQ(heap.path, "[heap]");
  EXPECT_EQ(heap.rss_bytes, 24U * 1024);
  EXPECT_EQ(heap.pss_bytes, 12U * 1024);
  EXPECT_EQ(heap.private_dirty_bytes, 20U * 1024);
  EXPECT_EQ(heap.referenced_bytes, 16U * 1024);
  EXPECT_EQ(heap.anonymous_bytes, 24U * 1024);
  EXPECT_EQ(heap.anon_huge_bytes, 4U * 1024);
  EXPECT_EQ(heap.swap_bytes, 8U * 1024);
  const auto& file = (*parsed)[1];
  EXPECT_TRUE(file.readable && !file.writable && file.executable && file.shared && file.deleted);
  EXPECT_EQ(file.path, "/usr/lib/a b.so");
  EXPECT_EQ(file.file_offset, 0x2000U);
  EXPECT_EQ(file.device, std::uint64_t{0xfe} << 32 | 1);
  EXPECT_EQ(file.inode, 1234567U);
}

std::string header(const std::string& path) { return "1000-2000 rw-p 00000000 00:00 0 " + path; }

TEST(ParseSmaps, AwkwardNames_AreTakenAsTheyAre) {
  const struct {
    const char* written;
    const char* path;
    bool deleted;
  } kCases[] = {
      {"", "", false},
      {"/a\\012b", "/a\nb", false},
      {"/a\\134b", "/a\\b", false},
      {"/a\\01", "/a\\01", false},
      {"/a\\999", "/a\\999", false},
      {"/a\\777", "/a\\777", false},
      {"/memfd:x y (deleted)", "/memfd:x y", true},
      {"/x (deleted) (deleted)", "/x (deleted)", true},
      {"[anon:glibc: malloc arena]", "[anon:glibc: malloc arena]", false},
      {"/Rss: 7 kB", "/Rss: 7 kB", false},
      {"/two  spaces ", "/two  spaces ", false},
  };
  for (const auto& c : kCases) {
    const auto parsed = parse_smaps(header(c.written));
    ASSERT_TRUE(parsed.ok()) << c.written;
    ASSERT_EQ(parsed->size(), 1U);
    EXPECT_EQ(parsed->front().path, c.path);
    EXPECT_EQ(parsed->front().deleted, c.deleted);
  }
}

TEST(ParseSmaps, KeysMissingUnknownOrUnreadable_LeaveZero) {
  const auto parsed =
      parse_smaps(header("") + "\nRss: many kB\nNovelty: 5 kB\nPss:\n3000-4000 ---p 0 00:00 0");
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed->size(), 2U);
  EXPECT_EQ(parsed->front().rss_bytes, 0U);
  EXPECT_EQ(parsed->front().pss_bytes, 0U);
}

TEST(ParseSmaps, HugeValue_Saturates) {
  const auto parsed =
      parse_smaps(header("") + "\nRss: 18446744073709551615 kB\nPss: 99999999999999999999 kB\n");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->front().rss_bytes, std::numeric_limits<Bytes>::max());
  EXPECT_EQ(parsed->front().pss_bytes, 0U);
}

TEST(ParseSmaps, MalformedText_NamesTheLine) {
  const struct {
    std::string text;
    const char* where;
  } kCases[] = {
      {"Rss: 4 kB\n", "smaps line 1"},
      {header("") + "\nnonsense\n", "smaps line 2"},
      {header("") + "\n1800-2800 rw-p 0 00:00 0\n", "smaps line 2"},
      {header("") + "\n0-1000 rw-p 0 00:00 0\n", "smaps line 2"},
      {"2000-1000 rw-p 0 00:00 0\n", "smaps line 1"},
      {"1000-2000 rw 0 00:00 0\n", "smaps line 1"},
      {"1000-2000 rw-p 0 00:00\n", "smaps line 1"},
      {"1001-2000 rw-p 0 00:00 0\n", "smaps line 1"},
  };
  for (const auto& c : kCases) {
    const auto parsed = parse_smaps(c.text);
    ASSERT_FALSE(parsed.ok()) << c.text;
    EXPECT_EQ(parsed.error().where, c.where) << c.text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kUnreadable);
  }
}

TEST(ParseSmaps, EveryPrefixAndManyMutations_NeverCrash) {
  const std::string text = *read_text(AT_FDCWD, "/proc/self/smaps");
  ASSERT_TRUE(parse_smaps(text).ok());
  for (std::size_t size = 0; size < std::min<std::size_t>(text.size(), 4000); ++size)
    (void)parse_smaps(std::string_view(text).substr(0, size));
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string mutated = text.substr(0, 6000);
    for (int n = 0; n < 4; ++n) mutated[random() % mutated.size()] = static_cast<char>(random());
    (void)parse_smaps(mutated);
  }
}

}  // namespace
}  // namespace offheap
