// SPDX-License-Identifier: Apache-2.0
//
// One text through every parser of `offheap host`: files of /proc and of cgroups, Docker's files,
// records of the kernel's log; and what they give onto a screen.
#include <array>
#include <string>

#include "fuzz.h"
#include "host/kill_log.h"
#include "host/parse.h"
#include "host/screen.h"

namespace host = offheap::host;

namespace {

void check_screen(host::HostLook& look) {
  std::size_t lines = 0;
  for (const char c : host::render_screen(look, {})) {
    lines += c == '\n' ? 1 : 0;
    fuzz::require(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f),
                  "a control character on the screen");
  }
  fuzz::require(lines <= host::kScreenLines, "more lines than a screen has");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::array<std::byte, 65536> block;
  host::Arena arena(block);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  host::HostLook look;
  look.tasks = host::Table<host::TaskRow>(arena.array<host::TaskRow>(4));
  look.kills = host::Table<host::KillRow>(arena.array<host::KillRow>(4));
  if (const auto row = host::parse_stat(text, 4096)) {
    fuzz::require(row->pid >= 0 && row->name.view().size() <= 15, "a stat line's pid and name");
    look.tasks.push(*row);
  }
  (void)host::parse_loadavg(text, look.host);
  host::parse_meminfo(text, look.host);
  look.host.memory_pressure = host::parse_pressure(text);
  look.host.oom_kills = host::value_of(text, "oom_kill");
  for (const char c : host::parse_wait_channel(text))
    fuzz::require(static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f,
                  "a wait channel is a name");
  (void)host::parse_stack(text, 6);
  for (int version : {1, 2})
    fuzz::require(host::memory_group(text, version).size() <= size, "a path is part of the text");
  (void)host::cgroup_mount_point(text, "memory");
  (void)host::parse_group_limit(text);
  fuzz::require(host::pod_uid_of(text).view().size() <= 36, "a pod's uid");
  (void)host::parse_pod_directory(text);
  (void)host::parse_docker_config(text, arena);
  (void)host::parse_docker_host_config(text, arena);
  host::KillLog log(look.kills);
  std::string_view rest = text;
  while (!rest.empty()) log.feed(host::take_line(rest));
  fuzz::require(log.count() == look.kills.size() + look.kills.dropped(),
                "each kill is kept or counted");
  check_screen(look);
  return 0;
}
