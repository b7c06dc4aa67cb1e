// SPDX-License-Identifier: Apache-2.0
#include "commands/target.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "apart/target_file.h"
#include "base/path.h"

namespace offheap {
namespace {

/// At most 8 MiB of a file below the target's root; empty when it cannot be read.
std::string read_in_root(const Process& process, const std::string& path) {
  constexpr std::size_t kLimit = std::size_t{8} << 20;
  const Descriptor file = open_target_file(process, path);
  std::string text(kLimit, '\0');
  std::size_t done = 0;
  for (ssize_t got = 1; file.valid() && got > 0 && done < kLimit; done += static_cast<std::size_t>(got))
    got = std::max<ssize_t>(0, ::read(file.get(), text.data() + done, kLimit - done));
  text.resize(done);
  return text;
}

const Mapping* find_library(const Look& look, std::string_view name_begin) {
  for (const Mapping& mapping : look.mappings) {
    if (base_name(mapping.path).starts_with(name_begin)) return &mapping;
  }
  return nullptr;
}

/// glibc's own banner: "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36."
std::string glibc_version(const Process& process, const std::string& path) {
  const std::string text = read_in_root(process, path);
  constexpr std::string_view kBanner = "release version ";
  const auto at = text.find(kBanner);
  if (at == std::string::npos) return {};
  const auto begin = at + kBanner.size();
  const auto end = text.find_first_not_of("0123456789.", begin);
  std::string version = text.substr(begin, std::min(end - begin, std::size_t{12}));
  while (version.ends_with('.')) version.pop_back();
  return version;
}

std::string describe_libc(const Process& process, const Look& look) {
  for (const Mapping& mapping : look.mappings)
    if (is_musl(mapping.path)) return "musl";
  const Mapping* libc = find_library(look, "libc.so.6");
  if (!libc) libc = find_library(look, "libc-2.");
  if (!libc) return "static or unknown";
  const std::string version = glibc_version(process, libc->path);
  return version.empty() ? "glibc" : "glibc " + version;
}

/// "jemalloc 5.3.0-0-g54eaed1d..." without the commit.
std::string without_commit(const std::string& name) { return name.substr(0, name.find("-0-g")); }

std::string describe_allocator(const Look& look, const std::string& libc) {
  if (look.snapshot && !look.snapshot->backend_name.empty())
    return without_commit(look.snapshot->backend_name);
  if (!look.ledger.foreign_allocator.empty()) return look.ledger.foreign_allocator;
  if (look.heap && look.heap->found) return libc.starts_with("glibc") ? libc : "glibc";
  return "unknown";
}

void describe_jvm(const Process& process, const Look& look, TargetLine& target) {
  const Mapping* library = find_library(look, "libjvm.so");
  if (!library) return;
  target.jvm = true;
  if (look.jvm && !look.jvm->version.empty()) {
    target.jvm_version = look.jvm->version;
    target.jvm_gc = look.jvm->gc;
    return;
  }
  // JAVA_HOME/lib/server/libjvm.so; JAVA_HOME/release says JAVA_VERSION="17.0.15".
  std::string home = library->path;
  for (int i = 0; i < 3; ++i) home.resize(std::min(home.size(), home.rfind('/')));
  const std::string release = read_in_root(process, home + "/release");
  constexpr std::string_view kKey = "JAVA_VERSION=\"";
  if (const auto at = release.find(kKey); at != std::string::npos) {
    const auto begin = at + kKey.size();
    target.jvm_version = release.substr(begin, release.find('"', begin) - begin);
  }
  const auto words = process.read_cmdline();
  if (!words) return;
  for (const std::string& word : *words) {
    for (const char* gc : {"Serial", "Parallel", "G1", "Z", "Shenandoah", "Epsilon"}) {
      if (word == fmt::format("-XX:+Use{}GC", gc))
        target.jvm_gc = gc == std::string_view("Z") ? "ZGC" : gc;
    }
  }
}

std::uint64_t age_of(const Process& process) {
  std::ifstream file("/proc/uptime");
  double uptime_seconds = 0;
  file >> uptime_seconds;
  const double started =
      static_cast<double>(process.start_ticks()) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return uptime_seconds > started ? static_cast<std::uint64_t>((uptime_seconds - started) * 1e9) : 0;
}

void describe_shim(const Snapshot& snapshot, TargetLine& target) {
  target.has_shim = true;
  target.shim_backend = without_commit(snapshot.backend_name);
  target.sample_bytes = snapshot.sample_mean_bytes;
}

}  // namespace

TargetLine describe_target(const Process& process, const Look& look) {
  TargetLine target;
  target.pid = process.pid();
  if (auto words = process.read_cmdline()) {
    for (const std::string& word : *words) target.command += (target.command.empty() ? "" : " ") + word;
  }
  if (target.command.empty()) {
    if (auto comm = process.read_comm()) target.command = *comm;
  }
  if (look.cgroup) target.container = look.cgroup->container;
  target.libc = describe_libc(process, look);
  target.allocator = describe_allocator(look, target.libc);
  target.age_ns = age_of(process);
  describe_jvm(process, look, target);
  if (look.snapshot) describe_shim(*look.snapshot, target);
  target.shim_unreadable = look.recording_unreadable;
  return target;
}

TargetLine describe_recording(const Snapshot& snapshot) {
  TargetLine target;
  target.command = snapshot.command;
  target.allocator = without_commit(snapshot.backend_name);
  target.pid = static_cast<int>(snapshot.pid);
  target.age_ns = snapshot.taken_time_ns - std::min(snapshot.taken_time_ns, snapshot.start_time_ns);
  describe_shim(snapshot, target);
  return target;
}

}  // namespace offheap
