// SPDX-License-Identifier: Apache-2.0
//
// The files of /proc and of cgroups that a look at the host reads, as pure functions over their bytes.
// None allocates. What is not of the file's form gives nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "host/look.h"

namespace offheap::host {

/// The next line of `rest`, which it is cut from; without its newline.
std::string_view take_line(std::string_view& rest);

/// The next word of `rest`, blanks before it skipped.
std::string_view take_word(std::string_view& rest);

/// Digits and nothing else, but for blanks and newlines around them.
std::optional<std::uint64_t> parse_count(std::string_view text);

/// "0.12 0.34 0.56 3/1234 5678": load, runnable and all threads. Source: proc_loadavg(5).
bool parse_loadavg(std::string_view text, HostFacts& out);

/// MemTotal, MemAvailable and what else HostFacts has of it. Source: proc_meminfo(5).
void parse_meminfo(std::string_view text, HostFacts& out);

/// The value of `key` in lines of "key value" or "key: value", in the file's own unit.
std::optional<std::uint64_t> value_of(std::string_view text, std::string_view key);

/// avg10 of "some" and "full". Source: kernel Documentation/accounting/psi.rst.
std::optional<Pressure> parse_pressure(std::string_view text);

/// /proc/PID/stat, of a process or a thread. The name may hold anything, ")" and newlines too.
/// `page_bytes`: RSS is in pages. Source: proc_pid_stat(5).
std::optional<TaskRow> parse_stat(std::string_view text, Bytes page_bytes);

/// /proc/PID/wchan: a kernel function, or nothing for "0" and for what is no name.
std::string_view parse_wait_channel(std::string_view text);

/// The innermost functions of a /proc/PID/stack text, at most `most`, " < " between them.
ShortText<120> parse_stack(std::string_view text, int most);

/// The path of the memory controller in a /proc/PID/cgroup text, v1 or v2; empty when there is none.
/// " (deleted)" is cut off.
std::string_view memory_group(std::string_view text, int version);

/// The mount point in one line of mountinfo if it is that of a v1 controller, or of v2 for
/// "cgroup2"; else empty. Escapes are not undone.
std::string_view cgroup_mount_point(std::string_view line, std::string_view controller);

/// "12345", "max" or v1's largest long: nothing when there is no limit.
std::optional<Bytes> parse_group_limit(std::string_view text);

/// The pod that a path of the kubelet's names, in the form with dashes; empty when it names none.
ShortText<40> pod_uid_of(std::string_view path);

/// Namespace, pod and uid of a directory below /var/log/pods; nothing when it is none.
struct PodDirectory {
  std::string_view space;
  std::string_view pod;
  std::string_view uid;
};
std::optional<PodDirectory> parse_pod_directory(std::string_view name);

/// What Docker wrote of a container to its config.v2.json. Texts are copies in `arena`.
struct DockerFile {
  std::string_view name;
  std::string_view state;
  std::optional<std::uint64_t> restarts;
  std::optional<std::int64_t> exit_code;
};
std::optional<DockerFile> parse_docker_config(std::string_view text, Arena& arena);

/// What the user asked of a container, from its hostconfig.json.
struct DockerHostConfig {
  std::string_view restart_policy;   ///< a copy in the arena
  std::optional<Bytes> limit_bytes;  ///< nothing: none was asked for
};
DockerHostConfig parse_docker_host_config(std::string_view text, Arena& arena);

}  // namespace offheap::host
