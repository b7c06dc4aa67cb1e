// SPDX-License-Identifier: Apache-2.0
//
// Watches a running command from a thread of its own: resident bytes of the process and of its whole
// tree, waits for locks, the deadline, a ^C. Costs at most 4 % of one CPU: the more there is to read,
// the rarer it looks, from every 10 ms on, and the rarer it looks for new processes.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ab/lock_waits.h"
#include "ab/row.h"

namespace offheap::ab {

struct WatchOptions {
  double timeout_seconds = 0;  ///< 0 = none
  bool lock_waits = true;
  bool measure_from_start = true;  ///< false: means and waits count from begin_measuring() on
  std::vector<pid_t> excluded;     ///< not of the command, with all that is below them
  /// The processes that are measured; by default this program's descendants.
  std::function<std::vector<pid_t>()> members;
  /// Ends the command, when time is up or the user wants to stop.
  std::function<void()> end;
};

struct Watched {
  Bytes peak_rss_bytes = 0;
  Bytes tree_peak_rss_bytes = 0;
  double mean_rss_bytes = 0;
  double tree_mean_rss_bytes = 0;
  double lock_wait_seconds = 0;
  double futex_wait_seconds = 0;
  bool waits_measured = false;
  std::size_t samples = 0;
  std::vector<RssPoint> points;
  std::vector<pid_t> last_members;
  pid_t largest = 0;  ///< of the tree, when it was last looked at
  Bytes last_rss_bytes = 0;
  bool timed_out = false;
  bool interrupted = false;
  std::optional<std::uint64_t> oom_kills;  ///< by the kernel in the command's memory cgroup, meanwhile
};

/// True once the user asked to stop (SIGINT, SIGTERM, SIGHUP); install_interrupts() sees to that.
bool interrupted();
void install_interrupts();

class Watcher {
 public:
  Watcher(pid_t root, WatchOptions options);
  ~Watcher();

  void exclude(pid_t pid);
  void begin_measuring() { measuring_ = true; }
  void end_measuring() { measuring_ = false; }
  /// Where the command is, for its OOM kills: called while it stands at its exit, since it may have
  /// moved to another cgroup just before.
  void see_cgroup();
  [[nodiscard]] double seconds() const;

  /// What was seen until now; a sample is taken first.
  Watched look();

  /// The same, and no more watching.
  Watched stop();

 private:
  void run();
  void sample();
  void refresh_members();
  void watch_cgroup(bool at_exit);
  void sample_waits(double elapsed_seconds, bool refresh);
  void keep_point(const RssPoint& point);
  bool end_if_wanted();

  pid_t root_;
  WatchOptions options_;
  std::uint64_t begin_ns_;
  std::uint64_t last_ns_ = 0;
  std::uint64_t members_due_ns_ = 0;
  std::uint64_t members_work_ns_ = 0;  ///< CPU time of finding them, within the last sample
  std::atomic<bool> measuring_;
  std::mutex mutex_;
  std::condition_variable stopping_changed_;
  bool stopping_ = false;
  Watched watched_;
  double measured_seconds_ = 0;
  std::size_t keep_every_ = 1;
  std::map<pid_t, std::unique_ptr<LockWaits>> waits_;
  std::string cgroup_text_;
  std::string cgroup_directory_;
  std::uint64_t oom_kills_before_ = 0;
  std::thread thread_;
};

}  // namespace offheap::ab
