// SPDX-License-Identifier: Apache-2.0
#include "host/kill_log.h"

#include <algorithm>
#include <string>

#include "oomlog/frame.h"
#include "oomlog/line.h"
#include "oomlog/oom_log.h"

namespace offheap::host {
namespace {

constexpr double kSameEvent_s = 2;

Bytes bytes_of(std::optional<std::int64_t> kib) {
  return kib && *kib > 0 ? static_cast<Bytes>(*kib) << 10 : 0;
}

}  // namespace

void KillLog::open(std::optional<std::int64_t> pid, std::string_view group, std::string_view limit) {
  pending_ = {now_s_, pid, ShortText<200>(unescape_log(group)), ShortText<200>(unescape_log(limit))};
}

bool KillLog::told_already(std::int64_t pid) const {
  return std::any_of(recent_.begin(), recent_.end(), [&](const Recent& one) {
    return one.time_s >= 0 && one.pid == pid && now_s_ - one.time_s <= kSameEvent_s;
  });
}

void KillLog::add(std::int64_t pid, std::string_view name, Bytes anon, Bytes file, Bytes shmem) {
  if (pid <= 0 || pid > 0x7fffffff || told_already(pid)) return;
  recent_[count_++ % recent_.size()] = {pid, now_s_};
  KillRow row;
  row.time_s = now_s_;
  row.pid = static_cast<int>(pid);
  row.name = ShortText<15>(unescape_log(name));
  row.anon_bytes = anon;
  row.file_bytes = file;
  row.shmem_bytes = shmem;
  // The paths stay for the others of a cgroup that is killed as a whole.
  if (pending_.time_s >= 0 && now_s_ - pending_.time_s <= kSameEvent_s) {
    row.group_path = pending_.group_path;
    row.limit_path = pending_.limit_path;
  }
  kills_.push_heaviest(row);
}

void KillLog::feed(std::string_view record) {
  record = record.substr(0, record.find('\n'));  // what follows are the device's properties
  if (!has_mark(record)) return;
  const LogFrame frame = parse_frame(record);
  if (!frame.clock_us || *frame.clock_us < 0 || frame.origin == Origin::kOther) return;
  now_s_ = static_cast<double>(*frame.clock_us) / 1e6;
  const Line line = classify(frame.text, {});
  if (const auto* event = std::get_if<EventLine>(&line))
    open(event->pid, event->task_memcg, event->oom_memcg);
  if (const auto* limit = std::get_if<LimitLine>(&line)) open({}, limit->task_memcg, limit->oom_memcg);
  if (const auto* header = std::get_if<HeaderLine>(&line); header) pending_ = {};
  if (const auto* killed = std::get_if<KilledLine>(&line))
    add(killed->pid, killed->name, bytes_of(killed->anon_rss_kb), bytes_of(killed->file_rss_kb),
        bytes_of(killed->shmem_rss_kb));
  // Some vendors' kernels print no other line about the victim.
  if (const auto* reaper = std::get_if<ReaperLine>(&line)) add(reaper->pid, reaper->name, 0, 0, 0);
}

}  // namespace offheap::host
