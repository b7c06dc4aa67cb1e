// SPDX-License-Identifier: Apache-2.0
#include "ab/provenance.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <sstream>

#include "cgroup/cgroup.h"
#include "procfs/text_file.h"

namespace offheap::ab {
namespace {

std::optional<std::string> file_text(const std::string& path) {
  auto text = read_text(AT_FDCWD, path.c_str());
  while (text && !text->empty() && text->back() == '\n') text->pop_back();
  return text;
}

/// What follows "key : " in a file of such lines.
Json value_of(const std::string& path, std::string_view key) {
  std::istringstream lines(file_text(path).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const auto colon = line.find(':');
    const auto begin = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
    if (begin != std::string::npos) return line.substr(begin);
  }
  return nullptr;
}

unsigned affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

/// CPUs of a quota over a period; nothing for "max", -1 or a file that is none.
std::optional<double> quotient(const std::optional<std::string>& quota, const std::string& period) {
  if (!quota) return {};
  const double allowed = std::strtod(quota->c_str(), nullptr);
  const double of = std::strtod(period.c_str(), nullptr);
  return allowed > 0 && of > 0 ? std::optional(allowed / of) : std::nullopt;
}

/// The quota of this process's own group and those above it, the smallest.
std::optional<double> cpu_quota() {
  std::optional<double> smallest;
  const auto take = [&](const std::optional<double>& quota) {
    if (quota && (!smallest || *quota < *smallest)) smallest = quota;
  };
  std::istringstream lines(file_text("/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = controllers == ",,";
    if (!unified && controllers.find(",cpu,") == std::string::npos) continue;
    const std::string mount = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (std::filesystem::path group(line.substr(second + 1));; group = group.parent_path()) {
      const std::string directory = mount + group.string();
      if (unified) {
        const auto text = file_text(directory + "/cpu.max");
        const auto blank = text ? text->find(' ') : std::string::npos;
        if (blank != std::string::npos) take(quotient(text, text->substr(blank + 1)));
      } else {
        take(quotient(file_text(directory + "/cpu.cfs_quota_us"),
                      file_text(directory + "/cpu.cfs_period_us").value_or("")));
      }
      if (group.empty() || group == "/") break;
    }
  }
  return smallest;
}

/// "always [madvise] never" -> "madvise".
Json chosen_word(const std::string& path) {
  const auto text = file_text(path);
  const auto begin = text ? text->find('[') : std::string::npos;
  const auto end = text ? text->find(']') : std::string::npos;
  if (begin == std::string::npos || end == std::string::npos || end < begin) return nullptr;
  return text->substr(begin + 1, end - begin - 1);
}

/// The version of the machine's libc: this program may be linked with its own.
Json libc_version() {
  for (const char* path :
       {"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"}) {
    const auto text = read_text(AT_FDCWD, path);
    if (!text) continue;
    constexpr std::string_view kBanner = "GNU C Library ";
    const auto begin = text->find(kBanner);
    if (begin == std::string::npos) continue;
    const auto end = text->find('\n', begin);
    return text->substr(begin, std::min<std::size_t>(end - begin, 120));
  }
  return nullptr;
}

Json inherited(const std::vector<std::string>& environment) {
  Json variables = Json::object();
  for (const std::string& variable : environment) {
    const auto equals = std::min(variable.find('='), variable.size());
    const std::string_view name = std::string_view(variable).substr(0, equals);
    const bool read_by_allocators = name.starts_with("MALLOC_") || name == "GLIBC_TUNABLES" ||
                                    name == "LD_PRELOAD" || name.starts_with("TCMALLOC_") ||
                                    name.starts_with("MIMALLOC_") || name.starts_with("OFFHEAP_");
    if (read_by_allocators)
      variables[std::string(name)] = equals == variable.size() ? "" : variable.substr(equals + 1);
  }
  return variables;
}

}  // namespace

unsigned available_cpus() {
  const auto quota = cpu_quota();
  return quota ? static_cast<unsigned>(std::max(1.0, std::ceil(*quota))) : affinity_cpus();
}

Json describe_machine(const std::vector<std::string>& environment) {
  Json json;
  json["date"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  utsname system{};
  ::uname(&system);
  json["kernel"] = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  json["cpu_model"] = value_of("/proc/cpuinfo", "model name");
  json["cpu_count"] = affinity_cpus();
  const auto quota = cpu_quota();
  json["cpu_quota"] = quota ? Json(*quota) : Json(nullptr);
  json["memory_bytes"] =
      static_cast<Bytes>(::sysconf(_SC_PHYS_PAGES)) * static_cast<Bytes>(::sysconf(_SC_PAGESIZE));
  const auto cgroup = read_cgroup(::getpid());
  json["memory_limit_bytes"] =
      cgroup && cgroup->limit_bytes ? Json(*cgroup->limit_bytes) : Json(nullptr);
  json["thp"] = chosen_word("/sys/kernel/mm/transparent_hugepage/enabled");
  json["libc"] = libc_version();
  json["page_bytes"] = ::sysconf(_SC_PAGESIZE);
  json["inherited"] = inherited(environment);
  return json;
}

Json describe_entries(const std::vector<Entry>& entries, const std::vector<std::string>& allocators,
                      const std::string& shim) {
  Json list = Json::array();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Json environment = Json::object();
    for (const std::string& variable : environment_of(entries[i], {{}, shim, available_cpus()})) {
      const auto equals = variable.find('=');
      environment[variable.substr(0, equals)] = variable.substr(equals + 1);
    }
    const bool known = i < allocators.size() && !allocators[i].empty();
    list.push_back({{"name", entries[i].name},
                    {"allocator", known ? Json(allocators[i]) : Json(nullptr)},
                    {"environment", environment}});
  }
  return list;
}

}  // namespace offheap::ab
