// SPDX-License-Identifier: Apache-2.0
//
// Kills in the kernel's log, record by record, into a table that is there already. The lines are read
// by oomlog's own parsers; its joiner, which keeps whole reports, would take memory without bound. What
// the log shows of each kill beyond this: offheap oom.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "host/look.h"

namespace offheap::host {

class KillLog {
 public:
  explicit KillLog(Table<KillRow>& kills) : kills_(kills) {}

  /// One record of /dev/kmsg, "6,1234,5678901,-;text".
  void feed(std::string_view record);

  /// Who died, each once, those that the table had no room for included.
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  /// Whose limit the kernel spoke of last, until it names the victim.
  struct Pending {
    double time_s = -1;
    std::optional<std::int64_t> pid;
    ShortText<200> group_path;
    ShortText<200> limit_path;
  };
  struct Recent {
    std::int64_t pid = 0;
    double time_s = -1;
  };

  void open(std::optional<std::int64_t> pid, std::string_view group, std::string_view limit);
  void add(std::int64_t pid, std::string_view name, Bytes anon, Bytes file, Bytes shmem);
  [[nodiscard]] bool told_already(std::int64_t pid) const;

  Table<KillRow>& kills_;
  Pending pending_;
  std::array<Recent, 32> recent_{};
  double now_s_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace offheap::host
