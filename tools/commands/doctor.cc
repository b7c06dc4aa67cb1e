// SPDX-License-Identifier: Apache-2.0
#include "commands/doctor.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "apart/target_file.h"
#include "base/format.h"
#include "base/path.h"
#include "commands/binary_check.h"
#include "procfs/process.h"
#include "procfs/process_memory.h"
#include "recording/reader.h"

namespace offheap {
namespace {

bool matches_pattern(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t at = star; at <= name.size(); ++at) {
    if (matches_pattern(rest, name.substr(at))) return true;
  }
  return false;
}

/// The entry of LD_PRELOAD that names the shim; empty when none does.
std::string shim_entry(std::string_view preload) {
  while (!preload.empty()) {
    const auto end = preload.find_first_of(": ");
    const std::string_view entry = preload.substr(0, end);
    if (base_name(entry).starts_with("libshim")) return std::string(entry);
    preload.remove_prefix(end == std::string_view::npos ? preload.size() : end + 1);
  }
  return {};
}

class Examination {
 public:
  explicit Examination(const Process& process) : process_(process) {}

  Result<DoctorReport> run() {
    auto mappings = process_.read_smaps();
    if (!mappings) return mappings.error();
    mappings_ = std::move(*mappings);
    if (auto environment = process_.read_environ()) environment_ = std::move(*environment);
    if (auto auxv = process_.read_auxv()) auxv_ = std::move(*auxv);
    const bool preloaded = check_preload_variable();
    if (preloaded) check_file();
    check_executable();
    check_secure();
    check_only();
    check_loaded();
    check_recording();
    conclude();
    return std::move(report_);
  }

 private:
  void add(std::string name, bool ok, std::string detail, std::string remedy = {}) {
    report_.checks.push_back(
        {std::move(name), ok, std::move(detail), ok ? std::string{} : std::move(remedy)});
  }

  [[nodiscard]] std::string environment(const std::string& name) const {
    const auto found = environment_.find(name);
    return found == environment_.end() ? std::string{} : found->second;
  }

  bool check_preload_variable() {
    const std::string preload = environment("LD_PRELOAD");
    entry_ = shim_entry(preload);
    add("LD_PRELOAD names libshim.so", !entry_.empty(),
        preload.empty() ? "LD_PRELOAD was not set when the program started" : "LD_PRELOAD=" + preload,
        "start it with `offheap run -- CMD`; sudo, su, systemd and supervisors drop the variable: set "
        "it where "
        "the program itself is started");
    return !entry_.empty();
  }

  void check_file() {
    // A path without a slash is searched by ld.so; only a full one can be checked.
    if (entry_.find('/') == std::string::npos) return;
    const Descriptor root = root_of(process_);
    const bool exists = root.valid() && find_in_root(root.get(), entry_).valid();
    add("the file is visible to the target", exists, entry_,
        "copy libshim.so into the image, or mount it there: the path is looked up inside the "
        "container");
    if (!exists) return;
    const auto facts = inspect_binary(entry_, path_of(root));
    add("the file is for x86-64", facts && facts->x86_64, entry_,
        "use a libshim.so of the target's architecture");
  }

  void check_executable() {
    const auto facts = inspect_binary(fmt::format("/proc/{}/exe", process_.pid()));
    if (!facts) {
      add("the executable can be read", false, facts.error().what, "run as root");
      return;
    }
    add("the program is dynamically linked", !facts->is_static,
        facts->is_static ? "no interpreter" : facts->interpreter,
        "a static program ignores LD_PRELOAD: link it dynamically, or explain it without a recording");
    add("the program runs on glibc", !facts->musl, facts->interpreter,
        "libshim.so needs glibc: use such an image");
    add("the program is for x86-64", facts->x86_64, facts->x86_64 ? "x86-64" : "another architecture",
        "libshim.so is for x86-64 only");
    own_malloc_ = facts->exports_malloc;
    add("the program has no malloc of its own", !own_malloc_,
        own_malloc_ ? "its executable exports malloc" : "malloc comes from a library",
        "an executable's own malloc comes before any preload: build it without, or read its "
        "allocator's statistics");
  }

  void check_secure() {
    const auto found = auxv_.find(AT_SECURE);
    if (found == auxv_.end()) return;
    add("ld.so obeys LD_PRELOAD (AT_SECURE is 0)", found->second == 0,
        found->second == 0 ? "not setuid, no new capabilities"
                           : "the program gained rights when it started",
        "setuid, setgid and file capabilities make ld.so ignore LD_PRELOAD: run it without them");
  }

  void check_only() {
    const std::string only = environment("OFFHEAP_ONLY");
    if (only.empty()) return;
    std::string comm;
    std::string executable;
    if (auto name = process_.read_comm()) comm = *name;
    if (auto path = process_.read_exe()) executable = std::string(base_name(*path));
    const bool chosen = matches_any_pattern(only, comm) || matches_any_pattern(only, executable);
    add("OFFHEAP_ONLY includes this program", chosen,
        fmt::format("OFFHEAP_ONLY={}, {} ({})", only, executable, comm),
        "add a pattern that matches its name");
  }

  void check_loaded() {
    const auto loaded = std::find_if(mappings_.begin(), mappings_.end(), [](const Mapping& mapping) {
      return base_name(mapping.path).starts_with("libshim");
    });
    const bool found = loaded != mappings_.end();
    add("libshim.so is loaded", found, found ? loaded->path : "no such mapping",
        "see the failed checks above; else run the program with LD_DEBUG=libs to see what ld.so says");
  }

  void check_recording() {
    const auto memory = ProcessMemory::open(process_);
    if (!memory) {
      add("the recording can be read", false, memory.error().what, memory.error().remedy);
      return;
    }
    const auto snapshot = read_live_recording(*memory, mappings_);
    if (!snapshot) {
      add("a recording is present", false, snapshot.error().what,
          "libshim.so without a recording is dormant: OFFHEAP_ONLY does not name this program, or its "
          "standard error says why");
      return;
    }
    add("a recording is present", true,
        fmt::format("backend {}, {} allocated so far", snapshot->backend_name,
                    format_bytes(snapshot->allocated_bytes)));
    const bool bypassed = (snapshot->flags & recording::kFlagBypassed) != 0;
    add("the program's allocations pass through the shim", !bypassed && snapshot->allocated_bytes > 0,
        bypassed ? "bypassed: " + snapshot->backend_name
                 : fmt::format("{} threads seen", snapshot->threads.size()),
        "the program uses an allocator that the shim cannot stand in front of; its mmaps are recorded "
        "all the same");
    report_.works = !bypassed && snapshot->allocated_bytes > 0;
  }

  void conclude() {
    if (report_.works) {
      report_.verdict = "the preload works";
      return;
    }
    const auto cause = std::find_if(report_.checks.begin(), report_.checks.end(),
                                    [](const DoctorCheck& c) { return !c.ok; });
    report_.verdict = "the preload does not work: " +
                      (cause == report_.checks.end()
                           ? "unknown"
                           : fmt::format("not true that {} ({})", cause->name, cause->detail));
  }

  const Process& process_;
  std::vector<Mapping> mappings_;
  std::map<std::string, std::string> environment_;
  std::map<std::uint64_t, std::uint64_t> auxv_;
  std::string entry_;
  bool own_malloc_ = false;
  DoctorReport report_;
};

}  // namespace

bool matches_any_pattern(std::string_view patterns, std::string_view name) {
  while (true) {
    const auto comma = patterns.find(',');
    if (matches_pattern(patterns.substr(0, comma), name)) return true;
    if (comma == std::string_view::npos) return false;
    patterns.remove_prefix(comma + 1);
  }
}

Result<DoctorReport> examine(int pid) {
  auto process = Process::open(pid);
  if (!process) return process.error();
  auto report = Examination(*process).run();
  if (process->exited()) return process->exit_error();
  return report;
}

}  // namespace offheap
