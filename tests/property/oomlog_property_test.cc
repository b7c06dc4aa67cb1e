// SPDX-License-Identifier: Apache-2.0
//
// Damage to logs of real kills: cut at every byte, lines shuffled, several logs interleaved, bytes
// changed. What is still said of a kill must be what the whole log says, or must be missing.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "../unit/oomlog_reports.h"
#include "oomlog/cause.h"

namespace offheap {
namespace {

using Number = std::optional<std::int64_t>;

/// A folder of other logs can be given; the default is the repository's own.
std::vector<std::string> logs() {
  const char* given = std::getenv("OFFHEAP_OOM_LOGS");
  std::vector<std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator(given ? given : OFFHEAP_OOM_DATA)) {
    if (entry.path().extension() != ".log") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (text.str().size() < 100'000) texts.push_back(text.str());
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

/// Every figure and name that is said of a kill.
std::map<std::string, std::string> facts_of(const OomReport& report, const OomVictim& victim) {
  std::map<std::string, std::string> facts;
  const auto number = [&facts](const char* key, const Number& value) {
    if (value) facts[key] = std::to_string(*value);
  };
  const auto text = [&facts](const char* key, const std::string& value) {
    if (!value.empty()) facts[key] = value;
  };
  number("uid", victim.uid);
  number("total_vm_kb", victim.total_vm_kb);
  number("anon_rss_kb", victim.anon_rss_kb);
  number("file_rss_kb", victim.file_rss_kb);
  number("shmem_rss_kb", victim.shmem_rss_kb);
  number("pgtables_kb", victim.pgtables_kb);
  number("oom_score_adj", victim.adj);
  number("score", victim.score);
  number("page_kb", report.page_kb);
  number("invoker_pid", report.invoker_pid);
  number("order", report.order);
  text("name", victim.name);
  text("invoker", report.invoker);
  text("memcg", report.task_memcg);
  text("oom_memcg", report.oom_memcg);
  if (report.memory) {
    number("limit_kb", report.memory->limit_kb);
    number("usage_kb", report.memory->usage_kb);
    number("failcnt", report.memory->failcnt);
  }
  return facts;
}

using Kills = std::map<std::int64_t, std::map<std::string, std::string>>;

Kills kills_of(const OomSummary& summary) {
  Kills kills;
  for (const OomKill& kill : summary.kills) {
    const OomReport& report = summary.reports[kill.report];
    const OomVictim& victim = report.victims[kill.victim];
    // A task that was selected may give way to its child in the next line: known to be a guess.
    if (victim.pid && victim.source != VictimSource::kSelected)
      kills[*victim.pid] = facts_of(report, victim);
  }
  return kills;
}

void expect_part(const Kills& whole, const Kills& part, const std::string& what) {
  for (const auto& [pid, facts] : part) {
    const auto found = whole.find(pid);
    ASSERT_NE(found, whole.end()) << what << ": an invented victim, pid " << pid;
    for (const auto& [key, value] : facts) {
      const auto truth = found->second.find(key);
      ASSERT_TRUE(truth != found->second.end())
          << what << ": pid " << pid << " has an invented " << key << " " << value;
      EXPECT_EQ(truth->second, value) << what << ": " << key << " of pid " << pid;
    }
  }
}

TEST(OomLogProperty, CutAtEveryByte_InventsNothing) {
  for (const std::string& text : logs()) {
    const Kills whole = kills_of(summary_of(text));
    // Every byte of the last line of a report, where the figures are; every seventh elsewhere.
    const auto kill = text.find("Killed process");
    for (std::size_t cut = 0; cut < text.size();
         cut += (kill != text.npos && cut + 900 > kill && cut < kill + 400) ? 1 : 7) {
      expect_part(whole, kills_of(summary_of(std::string_view(text).substr(0, cut))),
                  text.substr(0, 60) + " cut at " + std::to_string(cut));
      if (HasFailure()) return;
    }
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line + "\n");
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

TEST(OomLogProperty, LinesLost_InventNothing) {
  std::mt19937 random(7);
  for (const std::string& text : logs()) {
    const Kills whole = kills_of(summary_of(text));
    if (whole.size() != 1) continue;  // with several kills a line lost may give its report to the next
    for (int round = 0; round < 40; ++round) {
      std::vector<std::string> lines = lines_of(text);
      std::erase_if(lines, [&random](const std::string&) { return random() % 4 == 0; });
      expect_part(whole, kills_of(summary_of(joined(lines))), "lines lost from " + text.substr(0, 60));
      if (HasFailure()) return;
    }
  }
}

TEST(OomLogProperty, Shuffled_NamesOnlyVictimsOfTheLog) {
  std::mt19937 random(11);
  for (const std::string& text : logs()) {
    std::vector<std::string> lines = lines_of(text);
    for (int round = 0; round < 20; ++round) {
      std::shuffle(lines.begin(), lines.end(), random);
      const auto summary = summary_of(joined(lines));
      for (const OomKill& kill : summary.kills) {
        const OomVictim& victim = summary.reports[kill.report].victims[kill.victim];
        EXPECT_TRUE(!victim.pid || text.find(std::to_string(*victim.pid)) != std::string::npos);
        EXPECT_FALSE(judge_oom(summary.reports[kill.report], victim).kind.empty());
      }
    }
  }
}

TEST(OomLogProperty, BytesChanged_DoNoHarm) {
  std::mt19937 random(13);
  for (const std::string& text : logs()) {
    for (int round = 0; round < 60; ++round) {
      std::string damaged = text;
      for (int i = 0; i < 20; ++i)
        damaged[random() % damaged.size()] = static_cast<char>(random() % 256);
      const auto summary = summary_of(damaged);
      for (const OomKill& kill : summary.kills)
        (void)judge_oom(summary.reports[kill.report],
                        summary.reports[kill.report].victims[kill.victim]);
    }
  }
}

TEST(OomLogProperty, OneAfterTheOther_IsAllOfThem) {
  std::size_t expected = 0;
  std::string all;
  for (const std::string& text : logs()) {
    if (text.find(" invoked oom-killer") > 200) continue;  // begins with its header
    const auto summary = summary_of(text);
    if (summary.reports.size() != summary.kills.size() || text.back() != '\n') continue;
    expected += summary.kills.size();
    all += text;
  }
  const auto together = summary_of(all);
  EXPECT_EQ(together.kills.size() + together.duplicates, expected);
  EXPECT_GE(together.kills.size(), std::min<std::size_t>(expected, 10));
}

}  // namespace
}  // namespace offheap
