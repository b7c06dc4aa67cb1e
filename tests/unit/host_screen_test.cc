// SPDX-License-Identifier: Apache-2.0
#include "host/screen.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "host_look.h"
#include "render/sanitise.h"

namespace offheap::host {
namespace {

constexpr std::string_view kEvil = "\x1b[2J\x9b\n\"\\\xff";

/// More trouble of every kind than a screen has lines for, with names made to do harm.
void fill(LookBuilder& built) {
  for (int i = 0; i < 30; ++i) {
    GroupRow& row = built.container(kEvil, 99);
    row.failcnt = 99'999'999;
    row.oom_kills = 4'000'000;
    row.state = "restarting";
    row.restarts = 100000;
  }
  for (int i = 0; i < 20; ++i) {
    built.task(100 + i, i % 7, i % 2 == 0 ? 'Z' : 'D', kEvil);
    built.stuck(100 + i, 1 + static_cast<std::uint32_t>(i), "io_schedule");
    built.kill(9990, kNoGroup, kEvil);
  }
  for (int i = 0; i < 14; ++i)
    built.look.notes.push_back("a note " + std::string(200, 'x') + std::string(kEvil));
  built.look.host.name = kEvil;
}

std::vector<std::string> lines_of(const std::string& screen) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  for (auto end = screen.find('\n'); end != std::string::npos; end = screen.find('\n', at)) {
    lines.push_back(screen.substr(at, end - at));
    at = end + 1;
  }
  EXPECT_EQ(at, screen.size()) << "the last line has its newline";
  return lines;
}

TEST(HostScreen, WorstHostFitsOnOneScreen) {
  LookBuilder built;
  fill(built);
  const auto lines = lines_of(render_screen(built.look, {}));
  EXPECT_LE(lines.size(), kScreenLines);
  for (const std::string& line : lines) EXPECT_LE(width_of(line), kScreenColumns) << line;
  for (const std::string_view part :
       {"VERDICT", "HOST", "LIMITS", "STUCK", "ZOMBIES", "KILLS", "NEXT", "NOTE"})
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.starts_with(part);
    })) << part;
}

TEST(HostScreen, NamesCannotSteerTheTerminal) {
  LookBuilder built;
  fill(built);
  for (const bool all : {false, true})
    for (const std::string& line : lines_of(render_screen(built.look, {false, all})))
      for (const char c : line)
        EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '\x9b') << line;
}

TEST(HostScreen, HealthyHostSaysSo) {
  LookBuilder built;
  const std::string screen = render_screen(built.look, {});
  EXPECT_NE(screen.find("nothing is in trouble"), std::string::npos);
}

TEST(HostScreen, JsonIsJsonWhateverTheNames) {
  LookBuilder built;
  fill(built);
  std::string text;
  write_host_json(built.look, [&](std::string_view piece) { text += piece; });
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["schema"], "offheap.host/1");
  EXPECT_EQ(json["cgroups"].size(), 30u);
  EXPECT_EQ(json["cgroups"][0]["oom_kills"], 4'000'000);
  EXPECT_TRUE(json["cgroups"][0]["pids"].is_null());
  EXPECT_EQ(text.find('\n'), text.size() - 1) << "a look is one line";
}

}  // namespace
}  // namespace offheap::host
