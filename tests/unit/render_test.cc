// SPDX-License-Identifier: Apache-2.0
//
// What people and machines read: hostile names, widths, sums, and the JSON contract.
#include <gtest/gtest.h>

#include <sstream>

#include "base/format.h"
#include "render/diff.h"
#include "render/json.h"
#include "render/page.h"
#include "render/sanitise.h"
#include "render/text.h"
#include "verdict_fixtures.h"

namespace offheap {
namespace {

Explanation example() {
  const Evidence evidence = with_heap({50 * kMi, kMi, 300 * kMi, 2 * kMi, kMi, kMi});
  Explanation explanation;
  explanation.target.pid = 42;
  explanation.target.command = "evil\x1b[31m\nname \xff";
  explanation.target.libc = "glibc 2.36";
  explanation.target.allocator = "glibc 2.36";
  explanation.ledger = evidence.ledger;
  explanation.heap = evidence.heap;
  explanation.malloc = evidence.malloc;
  explanation.verdicts = judge(evidence);
  SiteLine site;
  site.live_bytes = 5000;
  site.frames = {{std::string(300, 'f'), "lib\x07x.so", "native"}};
  explanation.sites = {site};
  explanation.site_count = 1;
  return explanation;
}

TEST(Sanitise, ControlCharacters_AreWrittenOut) {
  EXPECT_EQ(sanitise("a\x1b[0m\n\tb\x7f"), "a\\x1b[0m\\x0a\\x09b\\x7f");
  EXPECT_EQ(sanitise("\xc2\x9b"
                     "31m"),
            "\\xc2\\x9b31m")
      << "C1 control, as UTF-8";
  EXPECT_EQ(sanitise("\xe2\x80\xae"
                     "abc")
                .find("\xe2"),
            std::string::npos)
      << "bidirectional override";
  EXPECT_EQ(sanitise("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(sanitise("grün"), "grün");
}

TEST(Sanitise, LongText_IsCutInTheMiddle) {
  EXPECT_EQ(sanitise("abcdefghij", 7), "ab...ij");
  EXPECT_EQ(width_of(sanitise(std::string(500, 'x') + "ü", 40)), 40u);
}

TEST(Format, Bytes_HaveIecUnits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(4096), "4.0 KiB");
  EXPECT_EQ(format_bytes(64 * kMi), "64.0 MiB");
  EXPECT_EQ(format_bytes((Bytes{1} << 30) - 1), "1.0 GiB") << "never 1024.0 MiB";
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(12), "12");
}

TEST(Text, EveryLine_FitsAHundredColumnsAndIsPrintable) {
  std::istringstream text(render_text(example(), {false}));
  for (std::string line; std::getline(text, line);) {
    EXPECT_LE(width_of(line), kTextColumns) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
    EXPECT_EQ(line.find('\x07'), std::string::npos) << line;
  }
}

TEST(Text, Colours_OnlyWhereAskedFor) {
  EXPECT_NE(render_text(example(), {true}).find("\x1b[1m"), std::string::npos);
}

TEST(Text, Ledger_ShowsUnknownAndTheSum) {
  const std::string text = render_text(example(), {false});
  EXPECT_NE(text.find("unknown"), std::string::npos);
  EXPECT_NE(text.find("= smaps 372,244,480"), std::string::npos) << text;
}

TEST(Json, Contract_HasEveryKeyAndSums) {
  const Json json = Json::parse(json_text(to_json(example())));
  EXPECT_EQ(json["schema"], "offheap.explain/1");
  for (const char* key :
       {"target", "rss_bytes", "ledger", "malloc", "threads", "sites", "cgroup", "verdicts", "self"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  for (const char* key : {"pid", "command", "container", "jvm", "libc", "allocator", "shim"}) {
    EXPECT_TRUE(json["target"].contains(key)) << key;
  }
  Bytes sum = 0;
  for (const Json& row : json["ledger"]) sum += row["rss_bytes"].get<Bytes>();
  EXPECT_EQ(sum, json["rss_bytes"].get<Bytes>());
  EXPECT_EQ(json["ledger"].back()["owner"], "unknown");
  const Json& arena = json["malloc"]["arenas"][0];
  Bytes parts = 0;
  for (const char* part : {"live_bytes", "cached_bytes", "trimmable_bytes", "pinned_bytes", "top_bytes",
                           "metadata_bytes"}) {
    parts += arena[part].get<Bytes>();
  }
  EXPECT_EQ(parts, arena["rss_bytes"].get<Bytes>());
  EXPECT_TRUE(json["cgroup"].is_null());
  EXPECT_TRUE(json["sites"][0]["growth_bytes_per_second"].is_null())
      << "unknown growth is not zero growth";
  EXPECT_EQ(json["sites"][0]["frames"][0]["kind"], "native");
}

TEST(Diff, Growth_ByOwnerArenaAndSite) {
  Explanation later = example();
  later.ledger.owners[static_cast<std::size_t>(Owner::kMallocArenas)].rss_bytes += 5 * kMi;
  later.ledger.rss_bytes += 5 * kMi;
  later.heap->arenas[0].rss_bytes += 5 * kMi;
  later.sites[0].live_bytes += 700;
  const auto diff = diff_json(to_json(example()), to_json(later));
  ASSERT_TRUE(diff);
  EXPECT_EQ((*diff)["rss_growth_bytes"], 5 * kMi);
  EXPECT_EQ((*diff)["ledger"].size(), kOwnerCount);
  EXPECT_EQ((*diff)["ledger"][0]["owner"], "malloc-arenas");
  EXPECT_EQ((*diff)["arenas"][0]["growth_bytes"], 5 * kMi);
  EXPECT_EQ((*diff)["sites"][0]["growth_bytes"], 700);
  EXPECT_NE(render_diff_text(*diff, {false}).find("+5.0 MiB"), std::string::npos);
}

TEST(Diff, OtherDocuments_AreRefused) {
  EXPECT_FALSE(diff_json(Json::array(), to_json(example())));
  Json damaged = to_json(example());
  damaged["ledger"][0]["rss_bytes"] = "many";
  const auto diff = diff_json(damaged, to_json(example()));
  ASSERT_FALSE(diff);
  EXPECT_EQ(diff.error().code, ErrorCode::kIncompatible);
}

TEST(Text, SitesThatDifferOnlyBelowTheFramesShown_AreOneEntry) {
  Explanation explanation = example();
  SiteLine site;
  site.live_bytes = 3 * kMi;
  site.live_bytes_low = 2 * kMi;
  site.live_bytes_high = 4 * kMi;
  for (int i = 0; i < 20; ++i) site.frames.push_back({"f" + std::to_string(i), "lib.so", "native"});
  SiteLine other = site;
  other.frames.back().function = "elsewhere";
  SiteLine third = site;
  third.frames.front().function = "another_leaf";
  explanation.sites = {site, third, other};
  explanation.site_count = 3;
  const std::string text = render_text(explanation, {});
  EXPECT_NE(text.find("#1 6.0 MiB live (4.0 MiB to 8.0 MiB)"), std::string::npos) << text;
  EXPECT_NE(text.find("2 sites"), std::string::npos);
  EXPECT_NE(text.find("#2 3.0 MiB live"), std::string::npos);
  EXPECT_EQ(text.find("#3"), std::string::npos);
}

}  // namespace
}  // namespace offheap
