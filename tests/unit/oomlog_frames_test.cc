// SPDX-License-Identifier: Apache-2.0
//
// One report in every frame that logs put around it: the kill must come out the same.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>

#include "oomlog/container.h"
#include "oomlog/json_record.h"
#include "oomlog_reports.h"

namespace offheap {
namespace {

using Number = std::optional<std::int64_t>;

constexpr std::array<std::string_view, 9> kReport = {
    "tmux: server invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=7",
    "CPU: 3 PID: 511 Comm: tmux: server Not tainted 5.15.0-1 #1",
    "memory: usage 2048kB, limit 2048kB, failcnt 7",
    "Memory cgroup stats for /docker/7e0000000000000000000000000000000000000000000000000000000000000e:",
    "anon 1900544",
    "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    "[    512]  1000   512     4000      400    49152        0             7 my worker",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c,mems_allowed=0,"
    "oom_memcg=/docker/7e0000000000000000000000000000000000000000000000000000000000000e,"
    "task_memcg=/docker/7e0000000000000000000000000000000000000000000000000000000000000e,"
    "task=my worker,pid=512,uid=1000",
    "Memory cgroup out of memory: Killed process 512 (my worker) total-vm:16000kB, anon-rss:1600kB, "
    "file-rss:0kB, "
    "shmem-rss:0kB, UID:1000 pgtables:48kB oom_score_adj:7"};

struct Framing {
  const char* name;
  const char* before;
  const char* after;
};

constexpr std::array<Framing, 41> kFramings = {{
    {"bare", "", ""},
    {"bare, CRLF", "", "\r"},
    {"dmesg", "[ 1234.567890] ", ""},
    {"dmesg, CRLF", "[ 1234.567890] ", "\r"},
    {"dmesg -T", "[Thu May  9 14:52:38 2024] ", ""},
    {"dmesg -T, German", "[Di Aug 12 03:54:03 2025] ", ""},
    {"dmesg -T, Chinese", "[\xe5\x9b\x9b 4\xe6\x9c\x88 17 22:43:41 2025] ", ""},
    {"dmesg -x", "kern  :warn  : [ 1234.567890] ", ""},
    {"dmesg -d", "[ 1234.567890 <    0.000012>] ", ""},
    {"dmesg -H", "[  +0.000012] ", ""},
    {"dmesg --time-format=iso", "2024-05-09T14:52:38,123456+02:00 ", ""},
    {"dmesg -r", "<4>[ 1234.567890] ", ""},
    {"caller", "[ 1234.567890] [  T511] ", ""},
    {"caller, glued", "[ 1234.567890][  T511] ", ""},
    {"kmsg", "4,812,1234567890,-;", ""},
    {"kmsg, caller", "4,812,1234567890,-,caller=T511;", ""},
    {"syslog", "May  9 14:52:38 host kernel: ", ""},
    {"syslog, clock", "May  9 14:52:38 host kernel: [ 1234.567890] ", ""},
    {"syslog, year", "May  9 14:52:38 2024 host kernel: ", ""},
    {"syslog, no host", "May  9 14:52:38 kernel: ", ""},
    {"syslog, dashes", "May  9 14:52:38 ** kernel: ", ""},
    {"journalctl, Chinese", "10\xe6\x9c\x88 28 12:00:00 host kernel: ", ""},
    {"short-precise", "May 09 14:52:38.123456 host kernel: ", ""},
    {"short-iso", "2024-05-09T14:52:38+0200 host kernel: ", ""},
    {"short-monotonic", "[ 1234.567890] host kernel: ", ""},
    {"RFC 3339", "2024-05-09T14:52:38.123456+00:00 host kernel: ", ""},
    {"RFC 5424", "<4>1 2024-05-09T14:52:38.123456Z host kernel - - - ", ""},
    {"rsyslog, priority", "<4>May  9 14:52:38 host kernel: [ 1234.567890] ", ""},
    {"epoch", "1715266358 host [ 1234.567890] ", ""},
    {"Chrome OS", "2024-05-09T14:52:38.123456Z WARNING kernel: [ 1234.567890] ", ""},
    {"Talos", "kern: warning: [2024-05-09T14:52:38.123456789Z]: ", ""},
    {"Talos, node", "10.5.0.2: kern: warning: [2024-05-09T14:52:38.123456789Z]: ", ""},
    {"OpenWrt", "Thu May  9 14:52:38 2024 kern.warn kernel: [ 1234.567890] ", ""},
    {"logcat", "05-09 14:52:38.123     0     0 W kernel  : ", ""},
    {"Android console", "<4>[ 1234.567890][3:  tmux: server:  511] ", ""},
    {"VMware", "2024-05-09T14:52:38.123Z| vcpu-0| I005: Guest: <4>[ 1234.567890]", ""},
    {"CRI", "2024-05-09T14:52:38.123456789Z stdout F [ 1234.567890] ", ""},
    {"quoted mail", "> [ 1234.567890] ", ""},
    {"quoted twice", "> > [ 1234.567890] ", ""},
    {"pasted", "    [ 1234.567890] ", ""},
    {"colours", "\x1b[32m[ 1234.567890] \x1b[0m", "\x1b[0m"},
}};

void expect_kill(const OomSummary& summary, const std::string& name) {
  ASSERT_EQ(summary.kills.size(), 1u) << name;
  ASSERT_EQ(summary.reports.size(), 1u) << name;
  const OomReport& report = summary.reports[0];
  const OomVictim& victim = report.victims[0];
  EXPECT_EQ(victim.pid, Number(512)) << name;
  EXPECT_EQ(victim.name, "my worker") << name;
  EXPECT_EQ(victim.uid, Number(1000)) << name;
  EXPECT_EQ(victim.adj, Number(7)) << name;
  EXPECT_EQ(victim.pgtables_kb, Number(48)) << name;
  EXPECT_EQ(victim.lines, 1) << name;
  EXPECT_EQ(report.invoker, "tmux: server") << name;
  EXPECT_EQ(report.invoker_pid, Number(511)) << name;
  EXPECT_EQ(report.kernel, "5.15.0-1") << name;
  EXPECT_EQ(report.page_kb, Number(4)) << name;
  EXPECT_EQ(report.task_count, 1) << name;
  ASSERT_TRUE(report.memory.has_value()) << name;
  EXPECT_EQ(report.memory->failcnt, 7) << name;
  EXPECT_EQ(report.stat.count("anon"), 1u) << name;
  EXPECT_EQ(owner_of_group(report.task_memcg).container->runtime, "docker") << name;
}

std::string framed(const std::function<std::string(std::string_view)>& frame) {
  std::string text;
  for (std::string_view line : kReport) text += frame(line) + "\n";
  return text;
}

TEST(OomFrames, EveryFrameGivesTheSameKill) {
  for (const Framing& framing : kFramings)
    expect_kill(summary_of(framed([&](std::string_view line) {
                  return framing.before + std::string(line) + framing.after;
                })),
                framing.name);
}

TEST(OomFrames, BetweenOtherLines_AndInPiecesOfAnySize) {
  for (const Framing& framing : kFramings) {
    const std::string text = framed([&](std::string_view line) {
      return framing.before + std::string(line) + framing.after +
             "\nMay  9 14:52:38 host sshd[12]: Out of memory: Killed process 9 (no) total-vm:4kB, "
             "anon-rss:1kB";
    });
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{64}, text.size()}) {
      std::vector<LogContents> logs;
      logs.push_back(read_text(text, piece));
      expect_kill(summarise(std::move(logs)), framing.name);
    }
  }
}

TEST(OomFrames, JsonOfTheJournalAndOfContainerRuntimes) {
  expect_kill(
      summary_of(framed([](std::string_view line) {
        return R"({"__REALTIME_TIMESTAMP":"1715266358123456","_TRANSPORT":"kernel","SYSLOG_IDENTIFIER":"kernel",)"
               R"("_SOURCE_MONOTONIC_TIMESTAMP":"1234567890","MESSAGE":")" +
               std::string(line) + "\"}";
      })),
      "journal");
  expect_kill(summary_of(framed([](std::string_view line) {
                return R"({"log":"[ 1234.567890] )" + std::string(line) +
                       R"(\n","stream":"stdout","time":"2024-05-09T14:52:38.123456789Z"})";
              })),
              "docker");
  EXPECT_EQ(
      summary_of(
          R"({"_TRANSPORT":"stdout","SYSLOG_IDENTIFIER":"npd","MESSAGE":"Out of memory: Killed process )"
          R"(1 (x) total-vm:1kB, anon-rss:1kB"})"
          "\n")
          .kills.size(),
      0u);
}

TEST(OomFrames, ExportOfTheJournal) {
  std::string text;
  for (std::string_view line : kReport) {
    text +=
        "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1715266358123456\n_TRANSPORT=kernel\n_SOURCE_MONOTONIC_"
        "TIMESTAMP=";
    text += "1234567890\n";
    if (line.size() % 2 == 0) {
      text += "MESSAGE=" + std::string(line) + "\n\n";
      continue;
    }
    const std::uint64_t size = line.size();
    std::string length(sizeof size, '\0');
    std::memcpy(length.data(), &size, sizeof size);
    text += "MESSAGE\n" + length + std::string(line) + "\n\n";
  }
  expect_kill(summary_of(text), "export");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{13}}) {
    std::vector<LogContents> logs;
    logs.push_back(read_text(text, piece));
    const auto summary = summarise(std::move(logs));
    expect_kill(summary, "export in pieces");
    EXPECT_EQ(summary.reports[0].time.wall, "2024-05-09T14:52:38.123456Z");
    EXPECT_EQ(summary.reports[0].time.clock_us, Number(1234567890));
  }
}

TEST(OomFrames, WallTimesAsNumbers) {
  EXPECT_EQ(seconds_of_wall("2024-05-09T14:52:38.123456+02:00"), Number(1715259158));
  EXPECT_EQ(seconds_of_wall("2024-05-09T14:52:38Z"), Number(1715266358));
  EXPECT_EQ(seconds_of_wall("May  9 14:52:38 2024"), Number(1715266358));
  EXPECT_EQ(seconds_of_wall("5\xe6\x9c\x88  9 14:52:38 2024"), Number(1715266358));
  EXPECT_EQ(seconds_of_wall("1715266358"), Number(1715266358));
  EXPECT_EQ(seconds_of_wall("May  9 14:52:38"), Number(128 * 86400 + 53558));
  EXPECT_EQ(seconds_of_wall("3816544226814"), Number()) << "the kernel's clock in microseconds";
  EXPECT_EQ(seconds_of_wall("yesterday"), Number());
  EXPECT_EQ(seconds_of_wall(""), Number());
}

TEST(OomContainers, PathsNameContainerAndPod) {
  const std::string id(64, 'a');
  const std::string uid = "a5d8fdd1-1369-469e-8a7d-2c1047529435";
  const std::string uid_ = "a5d8fdd1_1369_469e_8a7d_2c1047529435";
  struct Case {
    std::string path, id, runtime, pod;
  };
  for (const Case& c :
       {Case{"/docker/" + id, id, "docker", ""},
        Case{"/system.slice/docker-" + id + ".scope", id, "docker", ""},
        Case{"/kubepods/burstable/pod" + uid + "/" + id, id, "kubernetes", uid},
        Case{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uid_ +
                 ".slice/cri-containerd-" + id + ".scope",
             id, "containerd", uid},
        Case{"/kubepods.slice/kubepods-pod" + uid_ + ".slice/crio-" + id + ".scope", id, "crio", uid},
        Case{"/system.slice/kubepods-burstable-pod" + uid_ + ".slice:cri-containerd:" + id, id,
             "containerd", uid},
        Case{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id +
                 ".scope/container",
             id, "podman", ""},
        Case{"/kubepods.slice/kubepods-besteffort-pod" + uid_ + ".slice/cri-containerd-914914.scope",
             "914914", "containerd", uid},
        Case{"/lxc/390/ns/system.slice/docker-" + id + ".scope", id, "docker", ""},
        Case{"/kubepods.slice/crio-conmon-" + id + ".scope", "", "", ""},
        Case{"/system.slice/docker-proxy.service", "", "", ""}, Case{"/", "", "", ""},
        Case{"", "", "", ""}}) {
    const GroupOwner owner = owner_of_group(c.path);
    EXPECT_EQ(owner.container ? owner.container->id : "", c.id) << c.path;
    EXPECT_EQ(owner.container ? owner.container->runtime : "", c.runtime) << c.path;
    EXPECT_EQ(owner.pod_uid, c.pod) << c.path;
  }
  EXPECT_EQ(owner_of_group("/lxc/390/ns/system.slice").outer, "390");
  EXPECT_EQ(container_of_cpuset("crio-" + id + ".scope"), id);
}

}  // namespace
}  // namespace offheap
