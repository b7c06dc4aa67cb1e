// SPDX-License-Identifier: Apache-2.0
#include "container/group_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <thread>

#include "procfs/process.h"

namespace offheap {
namespace {

constexpr std::size_t kExactProcesses = 64;
constexpr std::size_t kMostDescriptors = 50'000;

using Fields = std::map<std::string, std::string>;

template <typename Number>
Number number_at(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Bytes kib_of(const Fields& fields, const char* key) {
  const auto found = fields.find(key);
  if (found == fields.end()) return 0;
  return std::min(number_at<Bytes>(found->second), Bytes{1} << 50) * 1024;
}

int last_number(const Fields& fields, const char* key) {
  const auto found = fields.find(key);
  if (found == fields.end()) return 0;
  const auto blank = found->second.find_last_of("\t ");
  return number_at<int>(
      std::string_view(found->second).substr(blank == std::string::npos ? 0 : blank + 1));
}

/// "Key:   123 kB" lines of smaps_rollup.
Fields split_fields(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
      const auto value = std::min(line.size(), line.find_first_not_of(" \t", colon + 1));
      fields.emplace(line.substr(0, colon), line.substr(value));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return fields;
}

void use_rollup(const Process& process, ProcessUse& use) {
  // A process that waits in the kernel may hold its map lock, and would take us down with it.
  const auto times = process.read_times();
  if (!times || times->state == 'D') return;
  const auto text = process.read("smaps_rollup");
  if (!text) return;
  const Fields fields = split_fields(*text);
  if (fields.find("Pss") == fields.end()) return;
  use.pss_known = true;
  use.rss_bytes = kib_of(fields, "Rss");
  use.pss_bytes = kib_of(fields, "Pss");
  if (fields.find("Pss_Anon") == fields.end()) return;  // before 5.4
  use.pss_anon_bytes = kib_of(fields, "Pss_Anon");
  use.pss_file_bytes = kib_of(fields, "Pss_File");
  use.pss_shmem_bytes = kib_of(fields, "Pss_Shmem");
}

std::vector<ProcessUse> read_uses(const std::vector<int>& pids) {
  std::vector<ProcessUse> uses;
  for (int pid : pids)
    if (auto use = read_process_use(pid, false)) uses.push_back(std::move(*use));
  std::stable_sort(uses.begin(), uses.end(),
                   [](const ProcessUse& a, const ProcessUse& b) { return a.rss_bytes > b.rss_bytes; });
  for (std::size_t i = 0; i < std::min(kExactProcesses, uses.size()); ++i)
    if (auto exact = read_process_use(uses[i].pid, true)) uses[i] = std::move(*exact);
  return uses;
}

void count_descriptors(int pid, std::size_t& left, DescriptorCounts& counts) {
  const auto path = fmt::format("/proc/{}/fd", pid);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) return;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    if (left == 0) {
      counts.complete = false;
      return;
    }
    --left;
    const auto target = read_link(::dirfd(directory.get()), entry->d_name);
    if (!target) continue;
    if (target->starts_with("socket:")) {
      ++counts.sockets;
    } else if (target->starts_with("pipe:")) {
      ++counts.pipes;
    } else {
      ++(target->starts_with('/') ? counts.files : counts.others);
    }
  }
}

std::uint64_t cpu_count() {
  const long count = ::sysconf(_SC_NPROCESSORS_CONF);
  return count > 0 ? static_cast<std::uint64_t>(count) : 1;
}

}  // namespace

std::optional<ProcessUse> read_process_use(int pid, bool exact) {
  const auto process = Process::open(pid);
  if (!process) return {};
  const auto fields = process->read_status();
  if (!fields) return {};
  ProcessUse use;
  use.pid = pid;
  use.start_ticks = process->start_ticks();
  use.namespace_pid = last_number(*fields, "NSpid");
  use.parent_pid = last_number(*fields, "PPid");
  use.threads = static_cast<std::uint64_t>(std::max(0, last_number(*fields, "Threads")));
  if (const auto comm = process->read_comm()) use.command = *comm;
  use.rss_bytes = kib_of(*fields, "VmRSS");
  use.anon_bytes = kib_of(*fields, "RssAnon");
  use.file_bytes = kib_of(*fields, "RssFile");
  use.shmem_bytes = kib_of(*fields, "RssShmem");
  use.swap_bytes = kib_of(*fields, "VmSwap");
  use.page_table_bytes = kib_of(*fields, "VmPTE");
  use.pss_bytes = use.rss_bytes;
  use.pss_anon_bytes = use.anon_bytes;
  use.pss_file_bytes = use.file_bytes;
  use.pss_shmem_bytes = use.shmem_bytes;
  if (exact) use_rollup(*process, use);
  return use;
}

std::vector<int> pids_of_group(const std::string& path) {
  std::vector<int> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return pids;
  while (const dirent* entry = ::readdir(proc.get())) {
    const int pid = number_at<int>(entry->d_name);
    if (pid <= 0 || pids.size() == kMostProcesses) continue;
    const std::string group = read_group_path(pid);
    const bool inside = group == path || path == "/" || group.starts_with(path + "/");
    if (!group.empty() && inside) pids.push_back(pid);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

GroupMemory read_group_memory(int pid, Cgroup& cgroup) {
  // The parts move while they are read one after the other: the pass in which they fit is taken.
  constexpr int kPasses = 5;
  GroupMemory memory;
  for (int pass = 1; pass <= kPasses; ++pass) {
    memory.processes = read_uses(pids_of_group(cgroup.path));
    if (auto now = read_cgroup(pid)) {
      now->container = cgroup.container;
      cgroup = std::move(*now);
    }
    memory.charge = close_charge(cgroup, memory.processes, cpu_count());
    if (memory.charge.closed() || !cgroup.container) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  memory.bridge = bridge_to_processes(cgroup, memory.processes);
  constexpr Bytes kWorthALook = Bytes{8} << 20;
  if (memory.bridge.shmem_unmapped_bytes >= kWorthALook) memory.tmpfs = read_tmpfs(pid);
  if (memory.charge.all_kernel_bytes() >= kWorthALook) {
    std::size_t left = kMostDescriptors;
    memory.descriptors.emplace();
    for (const ProcessUse& process : memory.processes)
      count_descriptors(process.pid, left, *memory.descriptors);
  }
  return memory;
}

}  // namespace offheap
