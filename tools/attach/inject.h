// SPDX-License-Identifier: Apache-2.0
//
// A shared library brought into a running process that was never told about it: dlopen called by one of
// the target's own threads, then the library's entry function. It changes the target, so a command
// offers it behind an option of its own only.
#pragma once

#include <cstdint>
#include <string>

#include "attach/remote_call.h"
#include "base/result.h"
#include "procfs/process.h"

namespace offheap {

struct InjectedLibrary {
  std::int64_t returned = 0;  ///< what the entry function returned
  std::uint32_t tid = 0;      ///< the thread that was borrowed
  std::uint64_t held_ns = 0;  ///< how long it was kept from its own work
};

/// dlopen(path, RTLD_NOW) in the target, then `entry(argument)`. The library is never closed again. A
/// path that is loaded already is not loaded twice; its entry is called all the same.
///
/// Shape:  `path` is absolute and as the target sees it (its own mount namespace); `entry` is exported
///         by that library and is `int entry(const char* argument)`, called on a stack of 256 KiB with
///         all signals blocked. Threads that it starts inherit the blocked signals. `argument` is valid
///         during the call only.
/// Units:  bytes of `path` and `argument` together: 3000 at most.
/// Errors: kUnreadable: every refusal of RemoteCaller::open, the loader's own words when dlopen fails,
///         no such entry, a call that did not return in time. Except for the last the target runs on
///         as it was.
/// Thread: any; the calling thread does the tracing.
Result<InjectedLibrary> inject_library(const Process& process, const std::string& path,
                                       const std::string& entry, const std::string& argument,
                                       const RemoteCallOptions& options = {});

}  // namespace offheap
