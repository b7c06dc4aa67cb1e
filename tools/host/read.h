// SPDX-License-Identifier: Apache-2.0
//
// The look itself: host, cgroups, tasks, stuck threads, names, in that order, each with a time of its
// own after which it stops and says how far it came. Nothing is forked, executed or allocated that is
// not in the arena or in the heap that own_memory.h has touched.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/files.h"
#include "host/look.h"

namespace offheap::host {

/// Where things are. Tests point it at trees of their own.
struct HostPaths {
  std::string proc = "/proc";
  std::string docker_root = "/var/lib/docker";
  std::string pods = "/var/log/pods";
  std::string log = "/dev/kmsg";
};

struct LookOptions {
  std::uint64_t between_looks_ns = 200'000'000;
  bool ask_docker = true;
  HostPaths paths;
};

/// A time by which a phase ends.
class Deadline {
 public:
  explicit Deadline(std::uint64_t ns);
  [[nodiscard]] bool passed() const;

 private:
  std::uint64_t end_ns_;
};

std::uint64_t monotonic_ns();

/// What the phases share.
struct Reading {
  const LookOptions& options;
  Arena& arena;
  Files files;
  HostLook& look;
  std::string memory_mount;  ///< empty: no memory controller
  std::string pids_mount;
  std::uint64_t first_look_ns = 0;
};

/// Looks at the host. Everything that the result refers to is in `arena`, which is reset first.
///
/// Errors: none; what could not be read is in notes.
HostLook read_host(const LookOptions& options, Arena& arena);

// The phases, in order.
void read_host_files(Reading& reading);
void read_groups(Reading& reading, const Deadline& deadline);
void read_tasks(Reading& reading, const Deadline& deadline);
void read_groups_again(Reading& reading, const Deadline& deadline);
/// The second look: growth of threads and kills since the first.
void read_again(Reading& reading, const Deadline& deadline);
void assign_groups(Reading& reading, const Deadline& deadline);
void read_threads(Reading& reading, const Deadline& deadline);
void read_stuck(Reading& reading, const Deadline& deadline);
void read_group_parts(Reading& reading, const Deadline& deadline);
void read_names(Reading& reading, const Deadline& deadline);
void read_log(Reading& reading, const Deadline& deadline);

/// Adds a note, if there are not too many.
void note(HostLook& look, std::string text);

}  // namespace offheap::host
