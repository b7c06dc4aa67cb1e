// SPDX-License-Identifier: Apache-2.0
#include "commands/trim.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "apart/target_file.h"
#include "attach/hotspot_attach.h"
#include "attach/remote_call.h"
#include "base/path.h"
#include "commands/gather.h"
#include "commands/look.h"
#include "commands/target.h"
#include "procfs/process_memory.h"
#include "recording/reader.h"

namespace offheap {
namespace {

constexpr std::uint64_t kAllJemallocArenas = 4096;  // MALLCTL_ARENAS_ALL

/// The path of the first library whose name begins so; empty when none is loaded.
std::string path_of_library(const std::vector<Mapping>& mappings, std::string_view name_begin) {
  for (const Mapping& mapping : mappings) {
    if (base_name(mapping.path).starts_with(name_begin)) return mapping.path;
  }
  return {};
}

/// The function that makes the target's allocator give memory back.
struct Releaser {
  std::string library;
  std::string function;
  std::string text;                      ///< a text argument, put first; empty = none
  std::vector<std::uint64_t> arguments;  ///< what follows it
  std::string called;
};

/// For an allocator that the target brought along; by what its library exports.
std::optional<Releaser> releaser_of_foreign(const std::string& path) {
  const auto allocator = allocator_of_library(path);
  if (allocator == "jemalloc") {
    const auto name = fmt::format("arena.{}.purge", kAllJemallocArenas);
    return Releaser{path, "mallctl", name, {0, 0, 0, 0}, fmt::format("mallctl(\"{}\")", name)};
  }
  if (allocator == "tcmalloc")
    return Releaser{
        path, "MallocExtension_ReleaseFreeMemory", "", {}, "MallocExtension_ReleaseFreeMemory()"};
  if (allocator == "mimalloc") return Releaser{path, "mi_collect", "", {1}, "mi_collect(true)"};
  return std::nullopt;
}

Releaser malloc_trim_of(const std::string& path) {
  return {path, "malloc_trim", "", {0}, fmt::format("malloc_trim(0) of {}", base_name(path))};
}

Releaser releaser_for(const std::vector<Mapping>& mappings) {
  for (const Mapping& mapping : mappings) {
    if (auto foreign = releaser_of_foreign(mapping.path)) return *foreign;
  }
  return malloc_trim_of(path_of_libc(mappings));
}

std::optional<Error> call_releaser(const Process& process, const Look& look, const Releaser& releaser,
                                   const TrimOptions& options, TrimReport& report) {
  const auto memory = ProcessMemory::open(process);
  if (!memory) return memory.error();
  RemoteCallOptions call_options;
  call_options.deadline_ns = options.deadline_ns;
  auto caller = RemoteCaller::open(process, call_options);
  if (!caller) return caller.error();
  const auto function = find_exported(*memory, look.mappings, releaser.library, releaser.function);
  if (!function) return function.error();
  std::vector<std::uint64_t> arguments;
  if (!releaser.text.empty()) {
    const auto text = caller->put_text(releaser.text);
    if (!text) return text.error();
    arguments.push_back(*text);
  }
  arguments.insert(arguments.end(), releaser.arguments.begin(), releaser.arguments.end());
  const auto returned = caller->call(*function, arguments);
  if (!returned) return returned.error();
  report.called = releaser.called;
  report.held_ns = caller->release();
  return std::nullopt;
}

std::optional<Error> ask_jvm(const Process& process, const TrimOptions& options, TrimReport& report) {
  HotspotAttachOptions attach_options;
  attach_options.answer_deadline_ns = options.deadline_ns;
  const auto jvm = HotspotAttach::open(process, attach_options);
  if (!jvm) return jvm.error();
  const auto answer = jvm->diagnose("System.trim_native_heap");
  if (!answer) return answer.error();
  report.called = "System.trim_native_heap";
  report.notes.push_back(
      "the JVM allocates for the command itself, up to about 1 MiB, so what is measured can be less "
      "than "
      "predicted");
  return std::nullopt;
}

/// The one that the target has for this: a JVM its diagnostic command, a preloaded program the shim.
std::optional<Error> ask_for_trim(const Process& process, const Look& look, const TrimOptions& options,
                                  TrimReport& report) {
  const auto shim = look.snapshot ? path_of_library(look.mappings, "libshim") : std::string();
  if (!path_of_library(look.mappings, "libjvm.so").empty()) {
    report.means = TrimMeans::kAttach;
    return ask_jvm(process, options, report);
  }
  if (!shim.empty()) {
    report.means = TrimMeans::kShim;
    return call_releaser(process, look, malloc_trim_of(shim), options, report);
  }
  if (!options.inject)
    return Error{ErrorCode::kUsage, "only a call from outside can trim this process",
                 fmt::format("pid {}", process.pid()),
                 "add --inject: one of its waiting threads is borrowed for the call and put back; or "
                 "start the program under `offheap run`"};
  report.means = TrimMeans::kInject;
  return call_releaser(process, look, releaser_for(look.mappings), options, report);
}

std::int64_t difference(Bytes before, Bytes after) {
  return static_cast<std::int64_t>(before) - static_cast<std::int64_t>(after);
}

void compare_arenas(const HeapReport& before, const HeapReport& after, TrimReport& report) {
  Bytes predicted_bytes = 0;
  for (const ArenaReport& arena : before.arenas) {
    const auto now = std::find_if(after.arenas.begin(), after.arenas.end(),
                                  [&](const ArenaReport& a) { return a.address == arena.address; });
    if (now == after.arenas.end()) continue;
    const auto released_bytes = difference(arena.rss_bytes, now->rss_bytes);
    report.arenas.push_back(
        {arena.index, arena.rss_bytes, now->rss_bytes, arena.resident.trimmable_bytes, released_bytes});
    predicted_bytes += arena.resident.trimmable_bytes;
    report.released_bytes += released_bytes;
    if (!arena.consistent)
      report.notes.push_back(fmt::format(
          "arena {} changed while it was read: its prediction is approximate", arena.index));
  }
  report.predicted_bytes = predicted_bytes;
}

/// What the backend's own statistics say, the best that there is for jemalloc and tcmalloc.
void compare_backend(const Look& before, const Look& after, const MallocTotals& totals,
                     TrimReport& report) {
  report.predicted_bytes = totals.resident.trimmable_bytes;
  report.estimate = true;
  report.released_bytes = difference(before.ledger.rss_of(Owner::kBackendRanges),
                                     after.ledger.rss_of(Owner::kBackendRanges));
}

void compare(const Look& before, const Look& after, const Explanation& explanation,
             TrimReport& report) {
  report.rss_before_bytes = before.ledger.rss_bytes;
  report.rss_after_bytes = after.ledger.rss_bytes;
  const bool foreign = !before.ledger.foreign_allocator.empty();
  if (explanation.backend && explanation.malloc) {
    compare_backend(before, after, *explanation.malloc, report);
  } else if (!foreign && before.heap && after.heap) {
    compare_arenas(*before.heap, *after.heap, report);
  } else {
    report.released_bytes = difference(report.rss_before_bytes, report.rss_after_bytes);
    report.notes.push_back("no prediction: this allocator's heap cannot be read from outside");
  }
}

}  // namespace

Result<TrimReport> trim_process(int pid, const TrimOptions& options) {
  const auto process = Process::open(pid);
  if (!process) return process.error();
  std::vector<Look> before(1);
  auto look = take_look(*process, {});
  if (!look) return look.error();
  before.front() = std::move(*look);
  GatherOptions gather;
  gather.site_limit = 0;
  gather.target = std::to_string(pid);
  const Descriptor root = root_of(*process);
  gather.root = path_of(root);
  const auto explanation = explain_looks(describe_target(*process, before.front()), before, gather);
  TrimReport report;
  report.pid = pid;
  report.command = explanation.target.command;
  const auto begin_ns = monotonic_ns();
  if (auto error = ask_for_trim(*process, before.front(), options, report)) return *error;
  report.duration_ns = monotonic_ns() - begin_ns;
  const auto after = take_look(*process, {});
  if (!after) return after.error();
  compare(before.front(), *after, explanation, report);
  return report;
}

}  // namespace offheap
