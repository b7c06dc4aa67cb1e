// SPDX-License-Identifier: Apache-2.0
#include "commands/watch_join.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "apart/target_file.h"
#include "base/format.h"
#include "commands/gather.h"
#include "commands/target.h"
#include "commands/watch_look.h"
#include "container/docker.h"
#include "container/group_memory.h"
#include "libshim/recording_layout.h"
#include "recording/reader.h"
#include "render/cgroup_text.h"
#include "render/sanitise.h"

namespace offheap {
namespace {

constexpr std::size_t kMostSnapshots = 4;
/// Snapshots that do not have the victim are of its group as it was lately.
constexpr std::uint64_t kLately_ns = 3'600'000'000'000;

bool has_victim(const Json& snapshot, const IncidentVictim& victim, std::uint64_t kill_us,
                const Json** found) {
  const long ticks = std::max(1L, ::sysconf(_SC_CLK_TCK));
  for (const Json& process : member(snapshot, "processes")) {
    if (victim.pid == 0 || number_at(process, "pid") != victim.pid) continue;
    const auto start = static_cast<std::uint64_t>(number_at(process, "start_ticks"));
    if (victim.start_ticks != 0 && start != victim.start_ticks) continue;
    // A later process of the same pid: it cannot have been killed before it began.
    constexpr std::uint64_t kSlack_us = 2'000'000;
    if (kill_us != 0 && start * 1'000'000 / static_cast<std::uint64_t>(ticks) > kill_us + kSlack_us)
      continue;
    *found = &process;
    return true;
  }
  return false;
}

/// The group's snapshots of this boot before the kill: those that have the victim, else the latest.
std::vector<Json> load_snapshots(const Store& store, IncidentParts& parts, std::uint64_t kill_us) {
  std::vector<Json> with_victim;
  std::vector<Json> others;
  const auto entries = store.list();
  constexpr std::uint64_t kLate_ns = 30'000'000'000;  // a look that was under way when the kill came
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->kind != EntryKind::kSnapshot || entry->group != group_key(parts.group)) continue;
    if (entry->time_ns > parts.time_ns + kLate_ns) continue;
    if (with_victim.size() == kMostSnapshots || others.size() == 4 * kMostSnapshots) break;
    const auto text = store.read(entry->name);
    auto document = text ? parse_document(*text) : Result<Json>(text.error());
    if (!document || text_at(*document, "group") != parts.group) continue;
    if (text_at(*document, "boot_id") != parts.boot_id) continue;
    const Json* process = nullptr;
    if (has_victim(*document, parts.victim, kill_us, &process)) {
      parts.victim.start_ticks = static_cast<std::uint64_t>(number_at(*process, "start_ticks"));
      parts.victim.namespace_pid = static_cast<int>(number_at(*process, "namespace_pid"));
      with_victim.push_back(std::move(*document));
    } else if (entry->time_ns + kLately_ns > parts.time_ns && entry->time_ns <= parts.time_ns) {
      others.push_back(std::move(*document));
    }
  }
  std::vector<Json> chosen = with_victim.empty() ? std::move(others) : std::move(with_victim);
  chosen.resize(std::min(chosen.size(), kMostSnapshots));
  std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

std::vector<std::byte> read_whole(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0 || status.st_size <= 0) return {};
  std::vector<std::byte> bytes(
      std::min<std::size_t>(static_cast<std::size_t>(status.st_size), sizeof(recording::Recording)));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

void add_recording(const HeldProcess* victim, IncidentParts& parts) {
  if (!victim || !victim->recording.valid()) {
    parts.recording_missing =
        victim ? "the process had none: no shim was preloaded or attached, or it may not be read"
               : "the victim was not held: it died before its group passed a level";
    return;
  }
  const auto snapshot = parse_recording(read_whole(victim->recording.get()));
  if (!snapshot) {
    parts.recording_missing = fmt::format("{}: {}", victim->recording_path, snapshot.error().what);
    return;
  }
  GatherOptions gather;
  gather.site_limit = kKeptSites;
  gather.target = victim->recording_path;
  if (victim->root.valid()) gather.root = path_of(victim->root);
  parts.recording = to_json(explain_snapshot(describe_recording(*snapshot), *snapshot, gather));
}

void add_container(IncidentParts& parts) {
  for (const Json& snapshot : parts.snapshots) {
    if (parts.limit_bytes == 0)
      parts.limit_bytes =
          static_cast<Bytes>(std::max<std::int64_t>(0, number_at(snapshot, "limit_bytes")));
    parts.usage_bytes =
        std::max(parts.usage_bytes, static_cast<Bytes>(number_at(snapshot, "usage_bytes")));
    const Json& container = member(snapshot, "container");
    if (container.is_object() && !text_at(container, "name").empty()) parts.container = container;
  }
  if (!text_at(parts.container, "name").empty()) return;
  auto container = container_of_path(parts.group);
  if (!container) return;
  ask_docker_about(*container);
  parts.container = container_json(container);
}

std::string line_of(const Json& incident, const std::string& id) {
  const Json& container = member(incident, "container");
  std::string name = text_at(container, "name");
  if (name.empty()) name = text_at(incident, "group");
  const Json& victim = member(incident, "victim");
  const Json& verdict = member(incident, "verdict");
  const auto count = number_at(incident, "kill_count");
  return sanitise(fmt::format(
      "incident {}: {} killed in {}{}: {} {}", id,
      fmt::format("{} (pid {})", text_at(victim, "name"), number_at(victim, "pid")), name,
      count > 1 ? fmt::format(", kill {} of a loop", count) : std::string(), text_at(verdict, "kind"),
      format_bytes(static_cast<Bytes>(std::max<std::int64_t>(0, number_at(verdict, "bytes"))))));
}

/// The incident that a kill at `time_ns` belongs to as one more of a loop.
std::optional<std::pair<StoreEntry, Json>> find_loop(const Store& store, std::uint64_t group,
                                                     std::uint64_t time_ns) {
  const auto entries = store.list();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->kind != EntryKind::kIncident || entry->group != group) continue;
    const auto text = store.read(entry->name);
    auto document = text ? parse_document(*text) : Result<Json>(text.error());
    if (!document || !is_same_loop(*document, time_ns)) return {};
    return std::make_pair(*entry, std::move(*document));
  }
  return {};
}

}  // namespace

bool HeldProcess::ended() const {
  pollfd one{pidfd.get(), POLLIN, 0};
  return pidfd.valid() && ::poll(&one, 1, 0) == 1;
}

std::optional<HeldProcess> hold_process(const ProcessUse& use) {
  HeldProcess held;
  held.use = use;
  held.pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, use.pid, 0)));
  if (!held.pidfd.valid()) return {};
  // The pidfd may be of a successor: the start time, read after it, tells.
  const auto now = read_process_use(use.pid, false);
  if (!now || now->start_ticks != use.start_ticks) return {};
  held.root = Descriptor(
      ::open(fmt::format("/proc/{}/root", use.pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (held.ended()) held.root = Descriptor();  // it may be a successor's
  return held;
}

void write_incident(JoinTask task, Store& store, const JobAnswer& answer) {
  IncidentParts& parts = task.parts;
  parts.snapshots = load_snapshots(store, parts, task.kill_us);
  add_recording(task.victim, parts);
  add_container(parts);
  const std::uint64_t time_ns = parts.time_ns;
  const std::uint64_t group = group_key(parts.group);
  StoreEntry entry;
  entry.kind = EntryKind::kIncident;
  entry.time_ns = time_ns;
  entry.group = group;
  entry.name = entry_name(EntryKind::kIncident, time_ns, group);
  Json incident = make_incident(std::move(parts));
  if (auto loop = find_loop(store, group, time_ns)) {
    entry = loop->first;
    if (has_kill(loop->second, time_ns, static_cast<int>(number_at(member(incident, "victim"), "pid"))))
      return;
    incident = add_kill(loop->second, incident);
  }
  const auto written = store.write(entry.name, json_text(incident));
  if (!written) {
    answer.send(fmt::format("E{}: {}; not stored: {}", written.error().where, written.error().what,
                            line_of(incident, entry.id())));
    return;
  }
  answer.send("I" + line_of(incident, entry.id()));
}

}  // namespace offheap
