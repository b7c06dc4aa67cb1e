// SPDX-License-Identifier: Apache-2.0
//
// Whose a cgroup path is: the container, its runtime, its pod, and a word for each level of the path.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cgroup/cgroup.h"

namespace offheap {

struct GroupOwner {
  std::optional<Container> container;  ///< the innermost
  std::string pod_uid;                 ///< with dashes; empty = no pod
  std::string unit;                    ///< of a host service or session: "varnish.service"
  std::string outer;                   ///< an LXC container or virtual machine around it
};

/// The owner of a cgroup path from a log. Ids that a log shortened are taken where the path says whose
/// they are ("cri-containerd-914914.scope").
GroupOwner owner_of_group(std::string_view path);

/// The id in a cpuset's name, the last part of a path that the log cut off; empty when it names none.
std::string container_of_cpuset(std::string_view cpuset);

/// "\\x2d" of systemd unit names undone.
std::string unescape_unit(std::string_view text);

/// What kind of level a limit's cgroup is, for people: "the container", "the pod", "all pods of the
/// node (node allocatable)", "the LXC container 39004", "the service x", "the cgroup /a/b". `owner` is
/// the victim's.
std::string level_of_limit(std::string_view oom_memcg, std::string_view task_memcg);

}  // namespace offheap
