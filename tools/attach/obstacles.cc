// SPDX-License-Identifier: Apache-2.0
//
// Sources: proc_pid_status(5); kernel Documentation/arch/x86/shstk.rst; seccomp(2).
#include "attach/obstacles.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "attach/remote_call.h"

namespace offheap {
namespace {

Error refusal(const Process& process, std::string what, std::string remedy) {
  return Error{ErrorCode::kUnreadable, std::move(what), fmt::format("pid {}", process.pid()),
               std::move(remedy)};
}

/// The value of "Key:\tvalue" in the status of a thread, or "".
std::string status_of_thread(const Process& process, std::uint32_t tid, std::string_view key) {
  const auto text = process.read(fmt::format("task/{}/status", tid).c_str());
  if (!text) return {};
  const auto at = text->find(fmt::format("\n{}:\t", key));
  if (at == std::string::npos) return {};
  const auto begin = at + key.size() + 3;
  return text->substr(begin, text->find('\n', begin) - begin);
}

bool is_32_bit(const Process& process) {
  const Descriptor file(::openat(process.directory_fd(), "exe", O_RDONLY | O_CLOEXEC));
  std::array<char, EI_NIDENT> identity{};
  return file.valid() && ::pread(file.get(), identity.data(), identity.size(), 0) == EI_NIDENT &&
         std::string_view(identity.data(), SELFMAG) == ELFMAG && identity[EI_CLASS] == ELFCLASS32;
}

std::optional<Error> find_bad_state(const Process& process) {
  const auto times = process.read_times();
  if (!times) return times.error();
  const auto status = process.read_status();
  if (!status) return status.error();
  if (times->state == 'Z' || times->state == 'X')
    return refusal(process, "the process has ended: it is a zombie",
                   "its parent has yet to wait for it; there is no memory left to act on");
  if (const auto tracer = status->find("TracerPid"); tracer != status->end() && tracer->second != "0")
    return refusal(process, fmt::format("the process is already traced by pid {}", tracer->second),
                   "end the debugger or strace");
  if (times->state == 'T')
    return refusal(process, "the process is stopped",
                   fmt::format("continue it: kill -CONT {}", process.pid()));
  if (const auto seccomp = status->find("Seccomp"); seccomp != status->end() && seccomp->second == "1")
    return refusal(process, "strict seccomp: the kernel kills the process for any other system call",
                   "a call into it is not possible; `offheap explain` only reads");
  return std::nullopt;
}

}  // namespace

std::optional<Error> find_obstacle(const Process& process, std::span<const Mapping> mappings) {
  if (process.pid() == ::getpid())
    return refusal(process, "offheap cannot call into itself", "name another process");
  if (auto error = find_bad_state(process)) return error;
  if (is_32_bit(process))
    return refusal(process, "the process is a 32-bit program",
                   "calls are made into x86-64 programs only");
  if (std::any_of(mappings.begin(), mappings.end(), [](const Mapping& m) { return is_musl(m.path); }))
    return refusal(process, "the process runs on musl, not on glibc",
                   "musl's malloc has no malloc_trim; use an image with glibc to have one");
  if (path_of_libc(mappings).empty())
    return refusal(process,
                   "the process has no libc.so.6: it is linked statically, or without a C library",
                   "a static program offers no functions to call: link it dynamically");
  return std::nullopt;
}

std::optional<Error> find_obstacle(const Process& process, std::uint32_t tid) {
  if (status_of_thread(process, tid, "x86_Thread_features").find("shstk") == std::string::npos)
    return std::nullopt;
  return refusal(
      process,
      fmt::format("thread {} has a shadow stack (CET), which no call from outside can return over",
                  tid),
      "start the program with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
}

bool has_seccomp_filter(const Process& process, std::uint32_t tid) {
  return status_of_thread(process, tid, "Seccomp") == "2";
}

}  // namespace offheap
