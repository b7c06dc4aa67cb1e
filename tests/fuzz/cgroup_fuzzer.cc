// SPDX-License-Identifier: Apache-2.0
//
// One text through every cgroup parser: /proc/PID/cgroup, mountinfo, paths, flat keyed files, limits.
#include "cgroup/cgroup.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto path = offheap::parse_proc_cgroup(text)) {
    fuzz::require(path->version == 1 || path->version == 2, "a cgroup is v1 or v2");
    fuzz::require(path->path.size() <= size, "a cgroup's path is part of the text");
    (void)offheap::container_of_path(path->path);
  }
  for (int version : {1, 2})
    if (const auto mount = offheap::parse_cgroup_mount(text, version))
      fuzz::require(mount->point.size() <= size && mount->root.size() <= size,
                    "a mount is part of the text");
  if (const auto container = offheap::container_of_path(text))
    fuzz::require(!container->id.empty() && !container->runtime.empty(), "a container has a name");
  for (const auto& [key, value] : offheap::parse_flat_keyed(text))
    fuzz::require(key.find('\n') == std::string::npos, "a key is within its line");
  (void)offheap::parse_limit(text);
  return 0;
}
