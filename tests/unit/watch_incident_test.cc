// SPDX-License-Identifier: Apache-2.0
#include "watch/incident.h"

#include <gtest/gtest.h>

#include "watch/incident_text.h"

namespace offheap {
namespace {

constexpr Bytes kMiB = Bytes{1} << 20;
constexpr std::uint64_t kSecond_ns = 1'000'000'000;

Json explanation(const std::string& kind, Bytes bytes, Bytes rss_bytes) {
  Json json{{"schema", "offheap.explain/1"}, {"rss_bytes", rss_bytes}};
  json["ledger"] = {{{"owner", "malloc-arenas"}, {"rss_bytes", rss_bytes}}};
  json["sites"] = {{{"live_bytes", bytes}, {"frames", {{{"function", "leaky"}, {"module", "app"}}}}}};
  json["verdicts"] = {{{"kind", kind},
                       {"bytes", bytes},
                       {"confidence", 0.9},
                       {"summary", "it only grows"},
                       {"remedy", "free it"},
                       {"evidence", {"one", "two"}}}};
  return json;
}

Json snapshot(unsigned level, int pid, std::uint64_t start_ticks, const Json& explained) {
  Json json{{"schema", "offheap.watch-snapshot/1"}, {"time_ns", level * kSecond_ns}};
  json["level_percent"] = level;
  json["limit_bytes"] = 200 * kMiB;
  json["usage_bytes"] = 2 * level * kMiB;
  json["processes"] = {
      {{"pid", pid}, {"start_ticks", start_ticks}, {"command", "app"}, {"explanation", explained}}};
  return json;
}

IncidentParts parts() {
  IncidentParts parts;
  parts.time_ns = 1795871702 * kSecond_ns;
  parts.group = "/docker/abc";
  parts.limit_bytes = 200 * kMiB;
  parts.usage_bytes = 200 * kMiB;
  parts.victim = {4711, 1, 555, "app", "the kernel's report"};
  parts.snapshots = {snapshot(66, 4711, 555, explanation("undecided", 0, 120 * kMiB)),
                     snapshot(90, 4711, 555, explanation("leak", 150 * kMiB, 170 * kMiB))};
  parts.timeline = {{1, 100 * kMiB}, {2, 190 * kMiB}};
  return parts;
}

TEST(WatchIncident, TheVictimsOwnSnapshot_GivesVerdictAndGrowth) {
  const Json incident = make_incident(parts());
  ASSERT_TRUE(is_incident(incident));
  EXPECT_EQ(incident["verdict"]["kind"], "leak");
  EXPECT_EQ(incident["verdict"]["bytes"], 150 * kMiB);
  EXPECT_EQ(incident["verdict"]["source"], "the snapshot at 90 % of the limit");
  EXPECT_EQ(incident["growth"]["rss_growth_bytes"], 50 * kMiB);
  EXPECT_EQ(incident["kill_count"], 1);
}

TEST(WatchIncident, AnotherProcessOfThePid_IsNotTheVictim) {
  IncidentParts reused = parts();
  reused.victim.start_ticks = 9999;
  const Json incident = make_incident(reused);
  EXPECT_TRUE(incident["growth"].is_null());
  EXPECT_EQ(incident["verdict"]["kind"], "undecided");
}

TEST(WatchIncident, ARecording_DecidesWhereSnapshotsDoNot) {
  IncidentParts dead = parts();
  dead.snapshots.pop_back();
  dead.recording = explanation("leak", 160 * kMiB, 0);
  const Json incident = make_incident(dead);
  EXPECT_EQ(incident["verdict"]["kind"], "leak");
  EXPECT_EQ(incident["verdict"]["source"], "the recording of the dead process");
}

TEST(WatchIncident, ACauseWithFewBytes_GivesWayToTheKernels) {
  IncidentParts small = parts();
  small.snapshots = {snapshot(90, 4711, 555, explanation("fragmentation", 9 * kMiB, 20 * kMiB))};
  small.kernel_report = {
      {"cause", {{"kind", "tmpfs"}, {"bytes", 180 * kMiB}, {"summary", "86 % is tmpfs"}}}};
  EXPECT_EQ(make_incident(small)["verdict"]["kind"], "tmpfs");
  small.kernel_report = nullptr;
  EXPECT_EQ(make_incident(small)["verdict"]["kind"], "fragmentation");
}

TEST(WatchIncident, AnotherProcess_SpeaksWhereTheVictimSaysNothing) {
  IncidentParts child = parts();
  child.snapshots = {snapshot(90, 4711, 555, explanation("undecided", 0, 100 * kMiB))};
  Json init = child.snapshots[0]["processes"][0];
  init["pid"] = 4700;
  init["explanation"] = explanation("other-process", 100 * kMiB, kMiB);
  child.snapshots[0]["processes"].push_back(init);
  EXPECT_EQ(make_incident(child)["verdict"]["kind"], "other-process");
}

TEST(WatchIncident, NothingKnown_IsSaid) {
  IncidentParts bare;
  bare.kernel_report_missing = "not readable: CAP_SYSLOG";
  const Json incident = make_incident(bare);
  ASSERT_TRUE(is_incident(incident));
  EXPECT_EQ(incident["verdict"]["kind"], "undecided");
  EXPECT_TRUE(incident["limit_bytes"].is_null());
  const std::string text = render_incident(incident, "x", {});
  EXPECT_NE(text.find("CAP_SYSLOG"), std::string::npos);
}

TEST(WatchIncident, KillsOfALoop_AreOneIncident) {
  Json incident = make_incident(parts());
  for (int i = 1; i <= 100; ++i) {
    IncidentParts next = parts();
    next.time_ns += static_cast<std::uint64_t>(i) * 30 * kSecond_ns;
    next.victim.pid = 4711 + i;
    next.snapshots.clear();
    ASSERT_TRUE(is_same_loop(incident, next.time_ns)) << i;
    EXPECT_FALSE(has_kill(incident, next.time_ns, next.victim.pid));
    incident = *parse_document(json_text(add_kill(incident, make_incident(next))));
    EXPECT_TRUE(has_kill(incident, next.time_ns, next.victim.pid));
  }
  ASSERT_TRUE(is_incident(incident));
  EXPECT_EQ(incident["kill_count"], 101);
  EXPECT_EQ(incident["loop"]["kills"], 101);
  EXPECT_EQ(incident["loop"]["period_ns"], 30 * kSecond_ns);
  EXPECT_EQ(incident["kills"].size(), 40u);
  EXPECT_EQ(incident["kills"][0]["pid"], 4711);
  EXPECT_EQ(incident["kills"][39]["pid"], 4811);
  // The one kill with evidence still speaks.
  EXPECT_EQ(incident["verdict"]["kind"], "leak");
  EXPECT_FALSE(is_same_loop(incident, incident["time_ns"].get<std::uint64_t>() + 86'400 * kSecond_ns));
}

TEST(WatchIncident, Text_FitsTheColumnsAndIsClean) {
  IncidentParts hostile = parts();
  hostile.victim.command = "a\x1b[31mb\n c";
  hostile.notes = {"a note\x07"};
  const std::string text = render_incident(make_incident(hostile), "20261128-131502-abc", {});
  for (const std::string wanted : {"200.0 MiB", "leak  150.0 MiB", "leaky", "malloc-arenas", "GROWTH"})
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << "\n" << text;
  std::size_t column = 0;
  for (const char c : text) {
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << text;
    column = c == '\n' ? 0 : column + 1;
    EXPECT_LE(column, 100u) << text;
  }
}

TEST(WatchIncident, TruncatedFiles_AreNoIncidents) {
  const std::string whole = json_text(make_incident(parts()));
  ASSERT_TRUE(parse_document(whole));
  for (std::size_t i = 0; i < whole.size() - 2; i += 7)
    EXPECT_FALSE(parse_document(std::string_view(whole).substr(0, i))) << i;
  EXPECT_FALSE(parse_document(std::string(5000, '[')));
  EXPECT_FALSE(is_incident(*parse_document(R"({"schema":"offheap.incident/1","kills":[]})")));
}

TEST(WatchIncident, HugeNumbers_AreCut) {
  const auto json = parse_document(R"({"a":18446744073709551615,"b":[-9223372036854775808],
      "time_ns":18446744073709551615,"kills":[{"time_ns":1795871702000000000}]})");
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["a"], std::int64_t{1} << 53);
  EXPECT_EQ((*json)["b"][0], -(std::int64_t{1} << 53));
  EXPECT_EQ((*json)["time_ns"], std::int64_t{1} << 62);
  EXPECT_EQ((*json)["kills"][0]["time_ns"], 1795871702000000000);
}

TEST(WatchIncident, List_HasOneRowEach) {
  const Json row = incident_row(make_incident(parts()), "20261128-131502-abc123");
  const std::string text = render_incident_list({row}, 3, {});
  EXPECT_NE(text.find("20261128-131502-abc123"), std::string::npos);
  EXPECT_NE(text.find("3 older files"), std::string::npos);
  EXPECT_NE(render_incident_list({}, 0, {}).find("no incidents"), std::string::npos);
}

}  // namespace
}  // namespace offheap
