// SPDX-License-Identifier: Apache-2.0
//
// Looks before it leaps: all that can be known from outside is checked before anything is changed.
#include "commands/attach.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "attach/delivery.h"
#include "attach/embedded_shim.h"
#include "attach/hotspot_attach.h"
#include "attach/inject.h"
#include "container/resolve.h"
#include "libshim/recording_layout.h"
#include "procfs/process.h"

namespace offheap {
namespace {

using recording::AttachResult;

constexpr std::string_view kLibraryName = "libshim-attach.so";

Error refuse(const Process& process, std::string what, std::string remedy) {
  return Error{ErrorCode::kUnreadable, std::move(what), fmt::format("pid {}", process.pid()),
               std::move(remedy)};
}

/// What the target's memory map says that matters here.
struct Loaded {
  bool jvm = false;
  bool glibc = false;
  bool musl = false;
  bool preloaded = false;  ///< libshim.so
  bool recording = false;
  std::string library;  ///< libshim-attach.so of an earlier attach, as the target named it
};

std::string_view path_of_line(std::string_view line) {
  const auto slash = line.find('/');
  auto path = slash == std::string_view::npos ? std::string_view{} : line.substr(slash);
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path;
}

void note_path(std::string_view path, Loaded* loaded) {
  const auto name = path.substr(path.rfind('/') + 1);
  if (name == "libjvm.so") loaded->jvm = true;
  if (name == "libc.so.6" || (name.starts_with("libc-2.") && name.ends_with(".so")))
    loaded->glibc = true;
  if (is_musl(name)) loaded->musl = true;
  if (name == "libshim.so") loaded->preloaded = true;
  if (path == fmt::format("/memfd:{}", recording::kMemfdName)) loaded->recording = true;
  if (name == kLibraryName) loaded->library = path;
}

Result<Loaded> look_at_maps(const Process& process) {
  const auto maps = process.read("maps");
  if (!maps) return maps.error();
  Loaded loaded;
  std::string_view rest = *maps;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto path = path_of_line(rest.substr(0, end));
    if (!path.empty()) note_path(path, &loaded);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return loaded;
}

/// What stands in the way whichever means is used; nothing when nothing does.
std::optional<Error> find_obstacle(const Process& process, const Loaded& loaded,
                                   const AttachOptions& options) {
  const std::string explain = fmt::format("offheap explain {} --for 30s", process.pid());
  if (options.detach && loaded.library.empty())
    return refuse(process, "nothing is attached to this process",
                  fmt::format("there is nothing to undo; to begin: offheap attach {}", process.pid()));
  if (options.detach) return {};
  if (loaded.preloaded)
    return refuse(process, "the shim is preloaded here, so everything is recorded already",
                  "look at once: " + explain);
  if (!loaded.library.empty() && loaded.recording)
    return refuse(process, "already attached", "look at it: " + explain);
  if (loaded.musl)
    return refuse(process, "the program runs on musl; the shim needs glibc",
                  explain + " works without it, or use an image that is based on glibc");
  if (!loaded.glibc)
    return refuse(process, "a static program has no slots through which it could be recorded",
                  explain + " works without; link the program dynamically to have its sites");
  return {};
}

/// What the entry functions of the library return, in words.
Error explain_result(const Process& process, AttachResult result) {
  switch (result) {
    case AttachResult::kAlreadyAttached:
      return refuse(process, "already attached, or another attach is under way",
                    fmt::format("look at it: offheap explain {} --for 30s", process.pid()));
    case AttachResult::kPreloaded:
      return refuse(process, "the shim is preloaded here, so everything is recorded already",
                    fmt::format("look at once: offheap explain {} --for 30s", process.pid()));
    case AttachResult::kLinkedIn:
      return refuse(process,
                    "the program's allocator is part of its executable: its calls cannot be seen",
                    "link the allocator as a library, or link the program without it");
    case AttachResult::kNoAllocator:
      return refuse(process, "the program has no malloc that could be followed",
                    fmt::format("offheap explain {} works without", process.pid()));
    case AttachResult::kNoUsableSize:
      return refuse(process,
                    "the program's allocator has no malloc_usable_size, so blocks have no size",
                    "use an allocator that has it, such as glibc's, jemalloc or tcmalloc");
    case AttachResult::kNoRecording:
      return refuse(process, "the process cannot map 8 MiB for a recording",
                    "raise its limit on address space (RLIMIT_AS)");
    case AttachResult::kNothingToPatch:
      return refuse(process, "no library of the process could be changed",
                    "mount /proc in the target's namespace, and allow mprotect in its seccomp profile");
    case AttachResult::kNoThread:
      return refuse(process, "the process cannot start a thread",
                    "raise its limit of processes (RLIMIT_NPROC, pids.max)");
    case AttachResult::kNotAttached:
      return refuse(process, "nothing is attached to this process", "there is nothing to undo");
    case AttachResult::kBadOptions:
      return Error{ErrorCode::kUsage, "--sample is no number of bytes", "", "write 64K, or off"};
    case AttachResult::kDone:
      break;
  }
  return refuse(process, fmt::format("the library returned {}", static_cast<int>(result)),
                fmt::format("offheap explain {} works without it", process.pid()));
}

/// One attach or detach on its way.
class Attempt {
 public:
  Attempt(const Process& process, const Loaded& loaded, const AttachOptions& options)
      : process_(process), loaded_(loaded), options_(options) {}

  /// The library's own result, or what kept it from being called.
  Result<int> run(AttachReport* report) {
    if (!loaded_.library.empty()) return call(loaded_.library, report);
    if (embedded_shim().empty())
      return Error{ErrorCode::kInternal, "this build of offheap carries no libshim-attach.so", "",
                   "build without OFFHEAP_SANITIZE"};
    // Before a file is made: most refusals come from here.
    if (const auto ready = prepare(); !ready) return ready.error();
    const auto file = DeliveredFile::deliver(process_, kLibraryName, embedded_shim());
    if (!file) return file.error();
    return call(file->path(), report);
  }

 private:
  Result<bool> prepare() {
    if (jvm_ || options_.inject) return true;
    auto jvm = HotspotAttach::open(process_);
    if (!jvm) return jvm.error();
    jvm_ = std::move(*jvm);
    return true;
  }

  std::string argument() const {
    return options_.sample.empty() ? "" : "OFFHEAP_SAMPLE=" + options_.sample;
  }

  Result<int> call(const std::string& path, AttachReport* report) {
    if (options_.inject) return inject(path, report);
    if (const auto ready = prepare(); !ready) return ready.error();
    report->means = "the JVM loaded libshim-attach.so as an agent; its file is removed again";
    report->note =
        "From JDK 21 on the JVM prints a warning about agents on its standard error the first time.";
    return jvm_->load_agent(path, options_.detach ? "detach" : argument());
  }

  Result<int> inject(const std::string& path, AttachReport* report) {
    const std::string entry = options_.detach ? "offheap_detach" : "offheap_attach";
    const auto injected = inject_library(process_, path, entry, argument());
    if (!injected) return injected.error();
    report->means = fmt::format("thread {} was borrowed for {:.1f} ms to load libshim-attach.so",
                                injected->tid, static_cast<double>(injected->held_ns) / 1e6);
    return static_cast<int>(injected->returned);
  }

  const Process& process_;
  const Loaded& loaded_;
  const AttachOptions& options_;
  std::optional<HotspotAttach> jvm_;
};

std::string command_of(const Process& process) {
  std::string command;
  if (const auto words = process.read_cmdline()) {
    for (const std::string& word : *words) command += (command.empty() ? "" : " ") + word;
  }
  return command;
}

}  // namespace

Result<AttachReport> attach(const AttachOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const auto target = resolve_process(options.target);
  if (!target) return target.error();
  const auto process = Process::open(target->pid);
  if (!process) return process.error();
  const auto loaded = look_at_maps(*process);
  if (!loaded) return loaded.error();
  if (const auto obstacle = find_obstacle(*process, *loaded, options)) return *obstacle;
  AttachReport report;
  report.pid = target->pid;
  report.command = command_of(*process);
  report.loaded_before = !loaded->library.empty();
  const auto result = Attempt(*process, *loaded, options).run(&report);
  if (!result) return result.error();
  if (*result != 0) return explain_result(*process, static_cast<AttachResult>(*result));
  report.duration_ns = static_cast<std::uint64_t>((std::chrono::steady_clock::now() - begin) /
                                                  std::chrono::nanoseconds(1));
  return report;
}

}  // namespace offheap
