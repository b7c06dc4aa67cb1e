// SPDX-License-Identifier: Apache-2.0
//
// What makes reading these logs hard, a test each: lines as kernels print them, and as logs damage
// them.
#include <gtest/gtest.h>

#include "oomlog_reports.h"

namespace offheap {
namespace {

using Number = std::optional<std::int64_t>;

const OomVictim& only_victim(const OomSummary& summary) {
  EXPECT_EQ(summary.kills.size(), 1u);
  static const OomVictim none;
  return summary.kills.empty() ? none : summary.reports[summary.kills[0].report].victims[0];
}

const OomReport& only_report(const OomSummary& summary) {
  EXPECT_EQ(summary.reports.size(), 1u);
  static const OomReport none;
  return summary.reports.empty() ? none : summary.reports[0];
}

TEST(OomTraps, KillLineMissing_ReaperAndTableNameTheVictim) {
  const auto summary = summary_of(
      "[100.000001] Task in /docker/aa/x killed as a result of limit of /docker/aa\n"
      "[100.000002] memory: usage 2048kB, limit 2048kB, failcnt 7\n"
      "[100.000003] memory+swap: usage 2048kB, limit 9007199254740988kB, failcnt 0\n"
      "[100.000004] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n"
      "[100.000005] [  501]  1000   501     4000      400       9        0           -17 worker\n"
      "[101.500000] oom_reaper: reaped process 501 (worker), now anon-rss:0kB, file-rss:0kB, "
      "shmem-rss:0kB\n");
  const OomVictim& victim = only_victim(summary);
  EXPECT_EQ(victim.pid, Number(501));
  EXPECT_EQ(victim.source, VictimSource::kReaper);
  EXPECT_EQ(victim.adj, Number(-17));
  EXPECT_EQ(victim.uid, Number(1000));
  EXPECT_EQ(victim.anon_rss_kb, Number());
  EXPECT_EQ(only_report(summary).page_kb, Number(4));
  EXPECT_EQ(only_report(summary).memory->limit_kb, 2048);
}

TEST(OomTraps, KillLineTwice_IsOneKillOfAGroup) {
  const auto summary = summary_of(
      "Jan  2 03:04:05 node kernel: "
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=b,mems_allowed=0,"
      "oom_memcg=/a,task_memcg=/a/b,task=big,pid=70,uid=5\n"
      "Jan  2 03:04:05 node kernel: Memory cgroup out of memory: Killed process 70 (big) "
      "total-vm:400kB, "
      "anon-rss:100kB, file-rss:8kB, shmem-rss:0kB, UID:5 pgtables:12kB oom_score_adj:0\n"
      "Jan  2 03:04:05 node kernel: Memory cgroup out of memory: Killed process 71 (small) "
      "total-vm:40kB, "
      "anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:5 pgtables:12kB oom_score_adj:0\n"
      "Jan  2 03:04:05 node kernel: Memory cgroup out of memory: Killed process 70 (big) "
      "total-vm:400kB, "
      "anon-rss:100kB, file-rss:0kB, shmem-rss:0kB, UID:5 pgtables:12kB oom_score_adj:0\n");
  ASSERT_EQ(summary.kills.size(), 2u);
  const OomReport& report = only_report(summary);
  EXPECT_TRUE(report.group);
  EXPECT_EQ(report.victims[0].lines, 2);
  EXPECT_EQ(report.victims[0].file_rss_kb, Number(8)) << "the first line's figure";
  EXPECT_EQ(report.victims[1].name, "small");
  EXPECT_EQ(report.task_memcg, "/a/b");
}

TEST(OomTraps, KillsThatFollowWithoutAGroup_KeepNothingOfTheFirst) {
  const auto summary = summary_of(
      "[5.000001] "
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=b,mems_allowed=0,oom_memcg=/a,"
      "task_memcg=/a,task=big,pid=70,uid=5\n"
      "[5.000002] Memory cgroup out of memory: Killed process 70 (big) total-vm:400kB, anon-rss:100kB, "
      "file-rss:8kB, shmem-rss:0kB, UID:5 pgtables:12kB oom_score_adj:0\n"
      "[5.000003] Memory cgroup out of memory: Killed process 71 (other) total-vm:40kB, anon-rss:4kB, "
      "file-rss:0kB, shmem-rss:0kB, UID:5 pgtables:12kB oom_score_adj:0\n");
  ASSERT_EQ(summary.reports.size(), 2u);
  EXPECT_EQ(summary.reports[1].victims[0].name, "other");
  EXPECT_EQ(summary.reports[1].oom_memcg, "");
  EXPECT_FALSE(summary.reports[0].group);
}

TEST(OomTraps, OtherProgramsRepeatTheLine_AndDoNotCount) {
  const auto summary = summary_of(
      "May 19 18:14:43 node watcher.sh[4208]: I0519 New status: Message:Memory cgroup out of memory: "
      "Killed process "
      "7 (x) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n"
      "May 19 18:14:43 node watcher: Out of memory: Killed process 8 (x) total-vm:4kB, anon-rss:4kB, "
      "file-rss:0kB\n"
      "2026-01-01T00:00:00Z watcher[3]: Killed process 9 (x) total-vm:4kB, anon-rss:4kB, "
      "file-rss:0kB\n");
  EXPECT_EQ(summary.kills.size(), 0u);
}

TEST(OomTraps, SelectedIsNotKilled_WhenItsChildDies) {
  const auto summary = summary_of(
      "[9.100000] Out of memory: Kill process 300 (parent) score 12 or sacrifice child\n"
      "[9.100009] Killed process 301 (child) total-vm:100kB, anon-rss:8kB, file-rss:0kB\n"
      "[9.900000] Out of memory: Kill process 300 (parent) score 12 or sacrifice child\n");
  ASSERT_EQ(summary.kills.size(), 1u);
  const OomVictim& victim = summary.reports[0].victims[0];
  EXPECT_EQ(victim.pid, Number(301));
  EXPECT_EQ(victim.selected_pid, Number(300));
  EXPECT_EQ(victim.score, Number(12));
  EXPECT_EQ(summary.notes.selected_without_kill, std::vector<std::int64_t>{300});
}

TEST(OomTraps, InvokerIsNotTheVictim) {
  const auto summary = summary_of(
      "runc:[2:INIT] invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
      "CPU: 3 UID: 0 PID: 812 Comm: runc:[2:INIT] Kdump: loaded Not tainted 6.12.1-x #1 PREEMPT\n"
      "Out of memory: Killed process 44 (db) total-vm:800kB, anon-rss:80kB, file-rss:0kB, "
      "shmem-rss:0kB, UID:3 "
      "pgtables:12kB oom_score_adj:5\n");
  const OomReport& report = only_report(summary);
  EXPECT_EQ(report.invoker, "runc:[2:INIT]");
  EXPECT_EQ(report.invoker_pid, Number(812));
  EXPECT_EQ(report.kernel, "6.12.1-x");
  EXPECT_EQ(only_victim(summary).name, "db");
}

TEST(OomTraps, AnInvokerThatLooksLikeTheCpuLine) {
  const auto summary = summary_of(
      "[1.000001] CPU 11/KVM invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, "
      "oom_score_adj=830\n"
      "[1.000002] CPU: 60 PID: 708 Comm: CPU 11/KVM Not tainted 5.3.18-d #1 S\n"
      "[1.000003] Memory cgroup out of memory: Killed process 70 (qemu) total-vm:730kB, "
      "anon-rss:660kB, "
      "file-rss:4kB, shmem-rss:4kB\n");
  EXPECT_EQ(only_report(summary).invoker, "CPU 11/KVM");
  EXPECT_EQ(only_report(summary).invoker_pid, Number(708));
}

TEST(OomTraps, UnlimitedHasManySpellings_AndProvesThePage) {
  for (const auto& [limit, page] : {std::pair<const char*, Number>{"9007199254740988", 4},
                                    {"9007199254740976", 16},
                                    {"9007199254740928", 64},
                                    {"9007199254740991", {}},
                                    {"18014398509481983", {}}}) {
    const auto summary = summary_of(
        std::string("[1.000001] x invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n"
                    "[1.000002] memory: usage 10kB, limit ") +
        limit +
        "kB, failcnt 0\n[1.000003] Memory cgroup out of memory: Killed process 7 (x) total-vm:9kB, "
        "anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n");
    EXPECT_EQ(only_report(summary).page_kb, page) << limit;
    EXPECT_TRUE(is_no_limit(only_report(summary).memory->limit_kb)) << limit;
  }
}

TEST(OomTraps, PageSizeIsProvenByTheTable_NeverAssumed) {
  const std::string head =
      "[2.000001] [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes "
      "swapents "
      "oom_score_adj name\n"
      "[2.000002] [     77]     0    77      571       30       10       20         0    51200       "
      "96             0 t\n";
  const std::string kill =
      "[2.000004] Out of memory: Killed process 77 (t) total-vm:36544kB, anon-rss:0kB\n";
  EXPECT_EQ(only_report(summary_of(head + kill)).page_kb, Number(64));
  EXPECT_EQ(only_report(summary_of("[2.000003] Mem-Info:\n" + kill)).page_kb, Number());
}

TEST(OomTraps, TaskNamesHoldAnything) {
  for (const std::string name :
       {"a) b, pid=1 (x", "(sd-pam)", "tmux: server", "531", "in:imjournal", "/usr/bin/yelp",
        "python batch/ke", "[kworker/0:0]", "x,uid=7", "Killed process", "name] [1.5] x"}) {
    const auto summary = summary_of(
        "[3.000001] " + name +
        " invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n" +
        "[3.000002] "
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=0-1,3,cpuset=c,mems_allowed=0,2,oom_memcg=/g,"
        "task_memcg=/g/h,task=" +
        name + ",pid=88,uid=9\n" + "[3.000003] Memory cgroup out of memory: Killed process 88 (" +
        name +
        ") total-vm:44kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:9 pgtables:8kB "
        "oom_score_adj:1\n");
    EXPECT_EQ(only_victim(summary).name, name);
    EXPECT_EQ(only_victim(summary).pid, Number(88)) << name;
    EXPECT_EQ(only_report(summary).task_memcg, "/g/h") << name;
    EXPECT_EQ(only_report(summary).nodemask, "0-1,3") << name;
  }
}

TEST(OomTraps, EscapedNamesOfKmsgAreDecoded) {
  const auto summary = summary_of(
      "6,10,3000001,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/"
      ",mems_allowed=0,global_oom,"
      "task_memcg=/,task=\\xd0\\xbf\\xd0\\xbe,pid=88,uid=9\n");
  EXPECT_EQ(only_victim(summary).name, "\xd0\xbf\xd0\xbe");
  EXPECT_EQ(constraint_word(only_report(summary)), "global");
}

TEST(OomTraps, ColumnsComeFromTheHead) {
  const auto summary = summary_of(
      "[4.000001] [  pid  ]   uid  tgid total_vm      rss (01)nrss  pgtables_bytes swapents "
      "oom_score_adj name\n"
      "[4.000002] [4112165] 1001240000 4112160   787018   674666   674300  5439488        3            "
      " 0 12 monkeys\n"
      "[4.000003] Out of memory: Killed process 4112165 (12 monkeys) total-vm:3148072kB, "
      "anon-rss:2697304kB\n");
  const OomReport& report = only_report(summary);
  ASSERT_EQ(report.biggest.size(), 1u);
  EXPECT_EQ(report.biggest[0].name, "12 monkeys");
  EXPECT_EQ(report.biggest[0].pgtables_bytes, Number(5439488));
  EXPECT_EQ(report.biggest[0].swap_pages, Number(3));
  EXPECT_EQ(only_victim(summary).uid, Number(1001240000));
}

TEST(OomTraps, RhelSixShapes) {
  const auto summary = summary_of(
      "Jun 20 12:47:02 h kernel: [150.537297] php invoked oom-killer: gfp_mask=0x280da, order=0, "
      "oom_adj=0\n"
      "Jun 20 12:47:02 h kernel: [150.538222] Pid: 232, comm: php Not tainted 2.6.32-642.el6.x86_64 "
      "#1\n"
      "Jun 20 12:47:02 h kernel: [150.657506] [ pid ]   uid  tgid total_vm      rss cpu oom_adj "
      "oom_score_adj name\n"
      "Jun 20 12:47:02 h kernel: [150.657507] [  407]    27   407    16000      100   3     -17        "
      " -1000 my sql\n"
      "Jun 20 12:47:04 h kernel: [151.180369] Out of memory: Kill process 407 (my sql) score 16 or "
      "sacrifice child\n"
      "Jun 20 12:47:04 h kernel: [151.180370] Killed process 407, UID 27, (my sql) total-vm:64000kB, "
      "anon-rss:8kB, "
      "file-rss:4kB\n");
  const OomVictim& victim = only_victim(summary);
  EXPECT_EQ(victim.uid, Number(27));
  EXPECT_EQ(victim.name, "my sql");
  EXPECT_EQ(victim.adj, Number(-1000));
  EXPECT_EQ(victim.time.wall, "Jun 20 12:47:04");
  EXPECT_EQ(only_report(summary).kernel, "2.6.32-642.el6.x86_64");
  EXPECT_EQ(only_report(summary).page_kb, Number(4));
}

TEST(OomTraps, WrappedLinesAreReadAsOne) {
  const auto summary = summary_of(
      "[  5.727784] sshd invoked oom-killer:\ngfp_mask=0x140cca(GFP_X|__GFP_COMP), "
      "order=2,\noom_score_adj=0\n"
      "[  5.819043] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes\nswapents oom_score_adj "
      "name\n"
      "[  5.820291] [    204]     0   204     3450      354    28672\n0             8 journal\n"
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom\n_memcg=/"
      "t,task_m\n"
      "emcg=/t/u,task=journal,pid=204,uid=0\n"
      "[  5.868579] Memory cgroup out of memory: Killed process 204 (journal)\ntotal-vm:13800kB, "
      "anon-rss:1416kB, file-rss\n"
      ":8kB, shmem-rss:0kB,\nUID:0 pgtables:28kB oom_score_adj:8\n");
  const OomReport& report = only_report(summary);
  const OomVictim& victim = only_victim(summary);
  EXPECT_EQ(report.order, Number(2));
  EXPECT_EQ(report.oom_memcg, "/t");
  EXPECT_EQ(report.task_memcg, "/t/u");
  EXPECT_EQ(victim.file_rss_kb, Number(8));
  EXPECT_EQ(victim.adj, Number(8));
  EXPECT_EQ(report.page_kb, Number(4));
}

TEST(OomTraps, CutLinesGiveNoFigures) {
  const auto summary = summary_of(
      "[6.1000] "
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,oom_memcg=/ltp/a,task_memcg=/ltp/"
      "a0\n"
      "[6.1001] Memory cgroup out of memory: Killed process 95 (swap) total-vm:1051kB, "
      "anon-rss:1046kB, "
      "file-rss:1280kB, shmem-rss:0k0\n");
  const OomVictim& victim = only_victim(summary);
  EXPECT_EQ(victim.file_rss_kb, Number(1280));
  EXPECT_EQ(victim.shmem_rss_kb, Number());
  EXPECT_EQ(only_report(summary).task_memcg, "");
  EXPECT_EQ(constraint_word(only_report(summary)), "memcg");
}

TEST(OomTraps, EscapedNewlinesAndJoinedRecords) {
  const auto summary = summary_of(
      "Jul 15 23:44:32 r8 kernel: a invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n"
      "Jul 15 23:44:32 r8 kernel: Mem-Info:#012active_anon:4558 inactive_anon:469552#012 free:1378257 "
      "free_pcp:0\n"
      "Jul 15 23:44:32 r8 kernel: Free swap  = 12kB#012Total swap = 4149244kB\n"
      "Jul 15 23:44:33 r8 kernel: Out of memory: Killed process 5 (a) total-vm:44kB, anon-rss:4kB, "
      "file-rss:4kB, "
      "shmem-rss:0kB\n");
  const OomReport& report = only_report(summary);
  EXPECT_EQ(report.host.pages.at("free"), 1378257);
  EXPECT_EQ(report.host.swap_free_kb, Number(12));
  EXPECT_EQ(report.host.swap_total_kb, Number(4149244));
  const auto joined = summary_of(
      "[Thu Apr 17 22:43:41 2025] a invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n"
      "[Thu Apr 17 22:43:41 2025] a cpuset=c mems_allowed=0[Thu Apr 17 22:43:41 2025] CPU: 1 PID: 6 "
      "Comm: a Not "
      "tainted 4.19.0 #1\n");
  EXPECT_EQ(only_report(joined).invoker_pid, Number(6));
  EXPECT_EQ(only_report(joined).invoker_cpuset, "c");
}

TEST(OomTraps, LinesOutOfOrderJoinByPid) {
  const auto summary = summary_of(
      "kern:     err: [2026-07-25T14:23:17.527285605Z]: Memory cgroup out of memory: Killed process "
      "109 (bun) "
      "total-vm:79kB, anon-rss:52kB\n"
      "kern:    info: [2026-07-25T14:23:17.527201795Z]: "
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),"
      "task=bun,pid=109,uid=1000\n");
  EXPECT_EQ(only_victim(summary).uid, Number(1000));
  EXPECT_EQ(only_victim(summary).time.wall, "2026-07-25T14:23:17.527285605Z");
}

TEST(OomTraps, InterleavedReportsJoinByPidAndThread) {
  const auto by_pid = summary_of(
      "[7.000001] a invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n"
      "[7.000002] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n"
      "[7.000003] [     11]     1    11      100       10     4096        0             5 one\n"
      "[7.000004] b invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n"
      "[7.000005] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n"
      "[7.000006] [     22]     2    22      100       10     4096        0             6 two\n"
      "[7.000007] "
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/one,"
      "task_memcg=/one,task=one,pid=11,uid=1\n"
      "[7.000008] Memory cgroup out of memory: Killed process 22 (two) total-vm:400kB, anon-rss:2kB\n"
      "[7.000009] Memory cgroup out of memory: Killed process 11 (one) total-vm:400kB, anon-rss:1kB\n");
  ASSERT_EQ(by_pid.reports.size(), 2u);
  EXPECT_EQ(by_pid.reports[0].invoker, "a");
  EXPECT_EQ(by_pid.reports[0].victims[0].anon_rss_kb, Number(1));
  EXPECT_EQ(by_pid.reports[1].invoker, "b");
  EXPECT_EQ(by_pid.reports[1].victims[0].pid, Number(22));
  EXPECT_EQ(by_pid.reports[1].oom_memcg, "");
  const auto by_thread = summary_of(
      "[8.000001][  T11] a invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n"
      "[8.000002][  T22] b invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n"
      "[8.000003][  T11] memory: usage 1kB, limit 1kB, failcnt 1\n"
      "[8.000004][  T22] memory: usage 2kB, limit 2kB, failcnt 2\n");
  ASSERT_EQ(by_thread.reports.size(), 2u);
  EXPECT_EQ(by_thread.reports[0].memory->usage_kb, 1);
  EXPECT_EQ(by_thread.reports[1].memory->usage_kb, 2);
}

TEST(OomTraps, HeaderWithoutAKill_DoesNotAdoptTheNext) {
  const auto summary = summary_of(
      "[9.000000] java invoked oom-killer: gfp_mask=0x42d0, order=3, oom_score_adj=0\n"
      "[9.000001] memory: usage 500kB, limit 500kB, failcnt 132\n"
      "[9.500000] Out of memory: Killed process 4 (other) total-vm:44kB, anon-rss:4kB, file-rss:4kB, "
      "shmem-rss:0kB\n"
      "[99.000000] java invoked oom-killer: gfp_mask=0x42d0, order=3, oom_score_adj=0\n"
      "[199.000000] Out of memory: Killed process 5 (later) total-vm:44kB, anon-rss:4kB, file-rss:4kB, "
      "shmem-rss:0kB\n");
  ASSERT_EQ(summary.kills.size(), 2u);
  for (const OomKill& kill : summary.kills) {
    EXPECT_EQ(summary.reports[kill.report].invoker, "");
    EXPECT_FALSE(summary.reports[kill.report].memory.has_value());
  }
}

TEST(OomTraps, OneClockTimeIsOneKill_HoweverManyLogsTellIt) {
  const std::string kill =
      "Out of memory: Killed process 44 (db) total-vm:800kB, anon-rss:80kB, file-rss:0kB, "
      "shmem-rss:0kB\n";
  std::vector<LogContents> logs;
  logs.push_back(read_text("[ 12.345678] " + kill));
  logs.push_back(read_text("Jan  2 03:04:05 h kernel: [   12.345678] " + kill));
  logs.push_back(read_text("Jan  2 03:04:06 h kernel: " + kill + "Jan  3 03:04:06 h kernel: " + kill));
  const auto summary = summarise(std::move(logs));
  EXPECT_EQ(summary.kills.size(), 2u) << "the next day's kill of the same pid is another";
  EXPECT_EQ(summary.duplicates, 2u);
}

TEST(OomTraps, LossesAreCounted) {
  const auto summary = summary_of(
      "[5.0000] oom_kill_process: 132 callbacks suppressed\n"
      "** 3 printk messages dropped ** [6.416481] Out of memory: Kill process 10 (a) score 0 or\n"
      "[7.0000] oom_reaper: unable to reap pid:9261 (a.out)\n"
      "[7.1000] a.out           D13056  9261   6927 0x00100084\n"
      "[8.0000] Out of memory and no killable processes...\n"
      "[8.1000] Kernel panic - not syncing: System is deadlocked on memory\n"
      "[8.2000] CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.8.0 #1\n");
  EXPECT_EQ(summary.kills.size(), 0u);
  EXPECT_EQ(summary.notes.suppressed, 132);
  EXPECT_EQ(summary.notes.printk_dropped, 3);
  EXPECT_EQ(summary.notes.no_killable, 1);
  EXPECT_EQ(summary.notes.states.at(9261), 'D');
  EXPECT_EQ(summary.notes.selected_without_kill, std::vector<std::int64_t>{10});
  EXPECT_EQ(summary.reports.back().panic_pid, Number(1));
}

}  // namespace
}  // namespace offheap
