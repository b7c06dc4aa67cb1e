// SPDX-License-Identifier: Apache-2.0
//
// `offheap trim`: what a process's allocator would give back is predicted from outside, then the
// allocator is asked to give it back, then it is measured what went.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace offheap {

struct TrimOptions {
  bool inject = false;  ///< call into a process that is neither a JVM nor under the shim
  std::uint64_t deadline_ns = 60'000'000'000;
};

/// By which way the allocator was asked.
enum class TrimMeans { kAttach, kShim, kInject };

struct TrimmedArena {
  std::uint32_t index = 0;  ///< 0 = main arena
  Bytes rss_before_bytes = 0;
  Bytes rss_after_bytes = 0;
  Bytes predicted_bytes = 0;
  std::int64_t released_bytes = 0;  ///< below 0: the arena grew meanwhile
};

struct TrimReport {
  int pid = 0;
  std::string command;
  TrimMeans means = TrimMeans::kInject;
  std::string called;  ///< "malloc_trim(0) of libc.so.6"
  Bytes rss_before_bytes = 0;
  Bytes rss_after_bytes = 0;
  std::optional<Bytes> predicted_bytes;  ///< none: the allocator's heap cannot be read from outside
  bool estimate = false;                 ///< the prediction rests on the backend's own statistics
  std::int64_t released_bytes = 0;       ///< by the arenas or the backend; without either, of RSS
  std::vector<TrimmedArena> arenas;
  std::uint64_t duration_ns = 0;  ///< of the request as a whole
  std::uint64_t held_ns = 0;      ///< how long a thread of the target was borrowed; 0 = none was
  std::vector<std::string> notes;
};

/// Trims the process `pid`.
///
/// Errors: kUsage when only a call from outside would do and `inject` is not set; kUnreadable as
///         take_look(), RemoteCaller and HotspotAttach say.
Result<TrimReport> trim_process(int pid, const TrimOptions& options);

}  // namespace offheap
