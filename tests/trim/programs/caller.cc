// SPDX-License-Identifier: Apache-2.0
//
// Calls into another process as the tests want it, and prints what came back:
//   caller PID library PATH ENTRY ARGUMENT    inject_library
//   caller PID call FUNCTION DEADLINE_MS [ARGUMENT...]    one function of its libc
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "attach/inject.h"
#include "procfs/process_memory.h"

namespace {

int fail(const offheap::Error& error) {
  fmt::print(stderr, "{}: {} ({})\n", error.where, error.what, error.remedy);
  return static_cast<int>(error.code);
}

int inject(const offheap::Process& process, char** words) {
  const auto done = offheap::inject_library(process, words[0], words[1], words[2]);
  if (!done) return fail(done.error());
  fmt::print("{{\"returned\": {}, \"tid\": {}, \"held_ns\": {}}}\n", done->returned, done->tid,
             done->held_ns);
  return 0;
}

int call(const offheap::Process& process, int count, char** words) {
  const auto memory = offheap::ProcessMemory::open(process);
  const auto mappings = process.read_smaps();
  if (!mappings) return fail(mappings.error());
  if (!memory) return fail(memory.error());
  const auto libc = offheap::path_of_libc(*mappings);
  const auto function = offheap::find_exported(*memory, *mappings, libc, words[0]);
  if (!function) return fail(function.error());
  offheap::RemoteCallOptions options;
  options.deadline_ns = std::strtoull(words[1], nullptr, 10) * 1'000'000;
  auto caller = offheap::RemoteCaller::open(process, options);
  if (!caller) return fail(caller.error());
  std::vector<std::uint64_t> arguments;
  for (int i = 2; i < count; ++i) arguments.push_back(std::strtoull(words[i], nullptr, 0));
  const auto returned = caller->call(*function, arguments);
  if (!returned) return fail(returned.error());
  const std::string from(caller->system_call());
  fmt::print("{{\"returned\": {}, \"system_call\": \"{}\", \"held_ns\": {}}}\n", *returned, from,
             caller->release());
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) return 2;
  const auto process = offheap::Process::open(std::atoi(words[1]));
  if (!process) return fail(process.error());
  if (std::strcmp(words[2], "library") == 0 && count == 6) return inject(*process, words + 3);
  if (std::strcmp(words[2], "call") == 0 && count >= 5) return call(*process, count - 3, words + 3);
  return 2;
}
