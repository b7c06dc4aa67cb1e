// SPDX-License-Identifier: Apache-2.0
//
// `offheap watch`: follows the groups that have a limit, takes snapshots of those that near it, and
// makes an incident of every kill. One thread, one epoll; what may take long is a Job.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "commands/watch_groups.h"
#include "commands/watch_join.h"
#include "commands/watch_kmsg.h"
#include "container/docker.h"
#include "watch/store.h"

namespace offheap {

struct WatchOptions {
  std::string store;
  Bytes disk_bytes = 0;
  std::string containers;  ///< a shell pattern on names, ids and cgroup paths; empty = all
  Levels levels;
  std::uint64_t interval_ns = 0;
  bool pause = true;
};

class WatchAgent {
 public:
  /// Errors: kUsage when another agent has the store; kUnreadable without a memory controller. A store
  ///         that cannot be written is said, and the following goes on.
  static Result<WatchAgent> start(const WatchOptions& options);

  /// Until SIGTERM or SIGINT.
  int run();

 private:
  struct Group {
    FoundGroup found;
    GroupFiles files;
    ThresholdPolicy policy;
    UsageRing ring{};
    Bytes highest_bytes = 0;
    std::vector<std::unique_ptr<HeldProcess>> held{};
    std::optional<std::uint64_t> kills_counted{};  ///< by the kernel; none before the first look
    std::uint64_t kills_open = 0;                  ///< counted, and without a report until now
    std::uint64_t kills_open_ns = 0;
    std::optional<unsigned> wanted_level{};
    Bytes wanted_usage_bytes = 0;  ///< when that level was passed
    int events_watch = -1;         ///< v2: inotify on memory.events
    std::size_t looks = 0;         ///< that run
    std::uint64_t gone_ns = 0;
    std::uint64_t calm_since_ns = 0;  ///< since when no level is passed; 0 = one is
    std::uint64_t oom_until_ns = 0;   ///< until then a kill is imminent: its group may vanish with it
  };
  struct Kill {
    IncidentParts parts;
    std::uint64_t kill_us = 0;
    std::uint64_t since_ns = 0;
  };
  struct Running {
    Job job;
    std::shared_ptr<Group> group;  ///< of a look; null for an incident
    std::int64_t handled_us = -1;  ///< of an incident: what is handled when it is written
  };

  /// A group that was just made: what is below that path is read at a time.
  struct Fresh {
    std::string below;
    std::uint64_t read_ns = 0;
  };

  WatchAgent(WatchOptions options, MemoryHierarchy hierarchy)
      : options_(std::move(options)), hierarchy_(std::move(hierarchy)) {}
  bool open_events();
  void add_source(int fd, std::uint32_t events = 1);
  void wait(std::uint64_t until_ns);
  void on_event(int fd);
  void on_inotify();
  void on_parent(const std::string& parent, std::uint32_t mask, const std::string& name);
  void tick();

  void scan();
  void read_fresh(std::uint64_t now_ns);
  void take_tree(const GroupTree& tree);
  void follow(const FoundGroup& found);
  void take_limit(const std::shared_ptr<Group>& group, Bytes limit_bytes);
  void leave(const std::shared_ptr<Group>& group);
  void leave_vanished();
  [[nodiscard]] bool is_wanted(const FoundGroup& found);
  void sample(const std::shared_ptr<Group>& group);
  static void count_kills(Group& group);
  void start_wanted_looks();
  void start_look(const std::shared_ptr<Group>& group, unsigned level);

  void take_reports();
  void take_report(const OomReport& report, std::size_t victim);
  void take_counted_kills();
  void take_counted_kill(Group& group);
  std::shared_ptr<Group> group_of_kill(const std::string& limit_path, const std::string& path, int pid);
  IncidentParts parts_of(const Group* group, const std::string& path) const;
  void start_next_incident();
  void serve(Running& running);
  void end_job(Running& running);
  void tidy_store(std::uint64_t group);
  static void let_go(Group& group);
  void forget_old();

  WatchOptions options_;
  MemoryHierarchy hierarchy_;
  std::optional<Store> store_;
  StoreState state_;
  std::string boot_id_;
  KernelLogFollower kernel_log_;
  Descriptor epoll_, signals_, inotify_;
  std::map<std::string, std::shared_ptr<Group>> groups_;  ///< by path
  std::vector<std::shared_ptr<Group>> gone_;              ///< kept for reports that come late
  std::map<int, std::weak_ptr<Group>> by_fd_;
  std::map<int, std::weak_ptr<Group>> by_watch_;
  std::map<int, std::string> watched_parents_;  ///< directories in which groups may appear, by watch
  std::vector<Fresh> fresh_;
  std::vector<std::shared_ptr<Group>> vanished_;          ///< whose files could not be read
  std::optional<std::vector<DockerEntry>> docker_names_;  ///< for one walk
  std::deque<Kill> kills_;
  std::vector<std::unique_ptr<Running>> running_;
  std::uint64_t next_scan_ns_ = 0;
  std::uint64_t next_sample_ns_ = 0;
  std::uint64_t last_event_ns_ = 0;
  bool ends_ = false;
};

}  // namespace offheap
