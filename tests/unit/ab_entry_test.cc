// SPDX-License-Identifier: Apache-2.0
//
// Entries of a comparison: what their text means, and the environment that comes of it.
#include "ab/entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace offheap::ab {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

std::vector<std::string> names_of(const std::vector<Entry>& entries) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.push_back(entry.name);
  return names;
}

std::vector<std::string> environment(std::string_view entry, std::vector<std::string> inherited = {}) {
  const auto parsed = parse_entry(entry);
  EXPECT_TRUE(parsed.ok()) << entry;
  return parsed ? environment_of(*parsed, {std::move(inherited), "/opt/libshim.so", 3})
                : std::vector<std::string>();
}

TEST(AbEntry, glibc_tunings_go_to_the_shim_where_it_has_them) {
  const auto entry = parse_entry("glibc:arena_max=auto,trim_threshold=1M,tcache_count=0");
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->kind, EntryKind::kShim);
  EXPECT_THAT(entry->variables, ElementsAre(Pair("OFFHEAP_GLIBC_ARENA_MAX", "auto"),
                                            Pair("OFFHEAP_GLIBC_TRIM_THRESHOLD", "1048576"),
                                            Pair("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")));
}

TEST(AbEntry, without_shim_everything_is_a_tunable) {
  EXPECT_THAT(environment("none:arena_max=auto,hugetlb=1"),
              ElementsAre("GLIBC_TUNABLES=glibc.malloc.arena_max=3:glibc.malloc.hugetlb=1"));
}

TEST(AbEntry, jemalloc_and_tcmalloc_read_their_own_variables) {
  EXPECT_THAT(environment("jemalloc:dirty_decay_ms=0,narenas=2", {"MALLOC_CONF=tcache:false"}),
              Contains("MALLOC_CONF=tcache:false,dirty_decay_ms:0,narenas:2"));
  EXPECT_THAT(environment("tcmalloc:max_total_thread_cache_bytes=4M"),
              Contains("TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES=4194304"));
  EXPECT_THAT(environment("/usr/lib/libjemalloc.so.2:thp=never"), Contains("MALLOC_CONF=thp:never"));
}

TEST(AbEntry, preload_is_the_shim_before_what_is_inherited_and_never_twice) {
  const std::vector<std::string> inherited = {"LD_PRELOAD=/else/libshim.so:/lib/x.so", "HOME=/home/a=b",
                                              "OFFHEAP_BACKEND=jemalloc", "OFFHEAP_GLIBC_ARENA_MAX=9"};
  EXPECT_THAT(
      environment("glibc", inherited),
      ElementsAre("HOME=/home/a=b", "LD_PRELOAD=/opt/libshim.so:/lib/x.so", "OFFHEAP_BACKEND=glibc"));
  EXPECT_THAT(environment("none", inherited), ElementsAre("HOME=/home/a=b", "LD_PRELOAD=/lib/x.so"));
  EXPECT_THAT(environment("none", {"LD_PRELOAD=/else/libshim.so"}),
              Not(Contains(StartsWith("LD_PRELOAD"))));
}

TEST(AbEntry, bare_entry_preloads_the_library_alone) {
  const std::string library = std::filesystem::canonical("/proc/self/exe").string();
  const auto entry = parse_entry("bare:" + library);
  ASSERT_TRUE(entry.ok());
  const auto resolved = resolve_entry(*entry);
  ASSERT_TRUE(resolved.ok());
  EXPECT_THAT(environment_of(*resolved, {{}, "/opt/libshim.so", 1}),
              ElementsAre("LD_PRELOAD=" + library));
  EXPECT_THAT(resolved->files(), ElementsAre(library));
}

TEST(AbEntry, list_separates_by_blank_semicolon_and_comma) {
  const auto entries = parse_entry_list(
      "glibc, glibc:arena_max=2,trim_threshold=64K;jemalloc:narenas=1,tcache=false "
      "tcmalloc,/lib/a=b.so,none");
  ASSERT_TRUE(entries.ok());
  EXPECT_THAT(names_of(*entries),
              ElementsAre("glibc", "glibc:arena_max=2,trim_threshold=64K",
                          "jemalloc:narenas=1,tcache=false", "tcmalloc", "/lib/a=b.so", "none"));
}

TEST(AbEntry, wrong_texts_are_errors_that_list_what_is_known) {
  struct Wrong {
    std::string_view text;
    const char* remedy;
  };
  for (const Wrong& wrong : {Wrong{"mymalloc", "tcmalloc"},
                             {"", "jemalloc"},
                             {"glibc:arena_maximum=2", "arena_max"},
                             {"jemalloc:arena_max=2", "dirty_decay_ms"},
                             {"tcmalloc:x", "release_rate"},
                             {"glibc:arena_max=0", "auto"},
                             {"glibc:arena_max=-1", "auto"},
                             {"glibc:trim_threshold=1T", "K, M"},
                             {"glibc:arena_max=", "auto"},
                             {"glibc:", "arena_max"},
                             {"next:arena_max=1", "environment"},
                             {"bare:", "jemalloc"},
                             {"bare:none", "jemalloc"},
                             {"jemalloc:thp=a:b", "manual"}}) {
    const auto entry = parse_entry(wrong.text);
    ASSERT_FALSE(entry.ok()) << wrong.text;
    EXPECT_EQ(entry.error().code, ErrorCode::kUsage);
    EXPECT_THAT(entry.error().remedy, HasSubstr(wrong.remedy)) << wrong.text;
  }
  EXPECT_FALSE(parse_entry_list(" ,; ").ok());
}

TEST(AbEntry, same_entry_twice_is_an_error) {
  EXPECT_FALSE(check_distinct(*parse_entry_list("glibc,jemalloc,glibc")).ok());
  EXPECT_TRUE(check_distinct(*parse_entry_list("glibc,glibc:arena_max=1")).ok());
}

TEST(AbEntry, missing_library_is_named) {
  const auto entry = resolve_entry(*parse_entry("/nowhere/libx.so"));
  ASSERT_FALSE(entry.ok());
  EXPECT_EQ(entry.error().where, "/nowhere/libx.so");
}

}  // namespace
}  // namespace offheap::ab
