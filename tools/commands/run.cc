// SPDX-License-Identifier: Apache-2.0
#include "commands/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "commands/binary_check.h"

namespace offheap {
namespace {

void set_option(const char* name, const std::string& value) {
  if (!value.empty()) ::setenv(name, value.c_str(), 1);
}

constexpr std::array<std::string_view, 4> kBackends = {"next", "glibc", "tcmalloc", "jemalloc"};

bool can_create_files_in(const std::filesystem::path& directory) {
  std::string name = (directory / ".offheap-XXXXXX").string();
  const int file = ::mkstemp(name.data());
  if (file < 0) return false;
  ::close(file);
  ::unlink(name.c_str());
  return true;
}

void warn_of_own_malloc(const BinaryFacts& facts) {
  if (!facts.exports_malloc) return;
  std::fputs(
      fmt::format("offheap: {} brings its own malloc, which comes before any preload: its mmaps are "
                  "recorded, its blocks are not\n",
                  facts.path)
          .c_str(),
      stderr);
}

}  // namespace

Result<std::string> find_libshim() {
  std::vector<std::filesystem::path> candidates;
  if (const char* named = std::getenv("OFFHEAP_LIBSHIM"); named && *named) {
    candidates.emplace_back(named);
  } else {
    std::error_code problem;
    const auto here = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path();
    candidates = {here / "libshim.so", here / "../lib/libshim.so", here / "../lib/offheap/libshim.so",
                  here / "../libshim/libshim.so"};
  }
  std::string tried;
  for (const auto& candidate : candidates) {
    std::error_code problem;
    auto path = std::filesystem::canonical(candidate, problem);
    if (!problem && std::filesystem::is_regular_file(path, problem)) {
      if (path.string().find_first_of(": ") == std::string::npos) return path.string();
      return Error{ErrorCode::kUsage, "LD_PRELOAD cannot hold a path with a blank or a colon",
                   path.string(), "copy libshim.so elsewhere and set OFFHEAP_LIBSHIM"};
    }
    tried += (tried.empty() ? "" : ", ") + candidate.string();
  }
  return Error{ErrorCode::kUsage, "libshim.so was not found", tried, "set OFFHEAP_LIBSHIM to its path"};
}

std::string preload_value(const std::string& shim, const char* existing) {
  std::string value = shim;
  std::string_view rest = existing ? existing : "";
  while (!rest.empty()) {
    const auto end = rest.find_first_of(": ");
    const std::string_view entry = rest.substr(0, end);
    if (!entry.empty() && entry != shim) value += fmt::format(":{}", entry);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return value;
}

Result<std::string> resolve_backend(const std::string& backend) {
  if (backend.empty() || std::find(kBackends.begin(), kBackends.end(), backend) != kBackends.end()) {
    return backend;
  }
  if (backend.find('/') == std::string::npos) {
    return Error{ErrorCode::kUsage, "not a backend", backend,
                 fmt::format("known are {}, and the path of a library", fmt::join(kBackends, ", "))};
  }
  std::error_code problem;
  if (!std::filesystem::is_regular_file(backend, problem)) {
    return Error{ErrorCode::kUsage, "the backend's library is not there", backend,
                 fmt::format("name a library that exists, or one of {}", fmt::join(kBackends, ", "))};
  }
  return std::filesystem::absolute(backend).string();
}

Result<std::string> resolve_record_directory(const std::string& directory) {
  if (directory.empty()) return directory;
  std::error_code problem;
  const auto path = std::filesystem::canonical(directory, problem);
  if (problem || !std::filesystem::is_directory(path, problem)) {
    return Error{ErrorCode::kUsage, "cannot write recordings: no such directory", directory,
                 "create it first: mkdir -p " + directory};
  }
  if (!can_create_files_in(path)) {
    return Error{ErrorCode::kUsage, fmt::format("cannot write recordings: {}", std::strerror(errno)),
                 directory, "name a directory that you may write to"};
  }
  return path.string();
}

Error run_command(const RunOptions& options) {
  const auto backend = resolve_backend(options.backend);
  if (!backend) return backend.error();
  const auto record_directory = resolve_record_directory(options.record_directory);
  if (!record_directory) return record_directory.error();
  const auto program = find_in_path(options.command.front());
  if (!program) return program.error();
  const auto facts = inspect_binary(*program);
  if (!facts) return facts.error();
  if (const auto works = preload_works(*facts); !works) return works.error();
  const auto shim = find_libshim();
  if (!shim) return shim.error();
  warn_of_own_malloc(*facts);

  ::setenv("LD_PRELOAD", preload_value(*shim, std::getenv("LD_PRELOAD")).c_str(), 1);
  set_option("OFFHEAP_BACKEND", *backend);
  set_option("OFFHEAP_GLIBC_ARENA_MAX", options.arena_max);
  set_option("OFFHEAP_SAMPLE", options.sample);
  set_option("OFFHEAP_RECORD", *record_directory);
  std::vector<char*> arguments;
  for (const std::string& word : options.command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(program->c_str(), arguments.data());
  return Error{ErrorCode::kUsage, fmt::format("cannot start the program: {}", std::strerror(errno)),
               *program, ""};
}

}  // namespace offheap
