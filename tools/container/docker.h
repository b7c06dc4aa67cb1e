// SPDX-License-Identifier: Apache-2.0
//
// What Docker's daemon knows of its containers: names, images, restarts. Nothing depends on it: without
// an answer a container has its id and its cgroup.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"

namespace offheap {

struct DockerEntry {
  std::string id;
  std::vector<std::string> names;  ///< without the leading "/"
  std::string image;
  std::string state;  ///< "running", "exited", ...
};

/// GET /containers/json. Errors: kUnreadable when the text is no such list.
Result<std::vector<DockerEntry>> parse_docker_list(std::string_view text);

/// GET /containers/ID/json. Errors: kUnreadable when the text describes no container.
Result<Container> parse_docker_container(std::string_view text);

/// The socket that DOCKER_HOST names, or Docker's own. Errors: kUsage for an address that is no unix
/// socket.
Result<std::string> docker_socket();

/// All containers, those that do not run too. Errors: kUnreadable when the daemon cannot be asked.
Result<std::vector<DockerEntry>> list_docker_containers();

/// Adds name, image, restart count and OOMKilled to a container with an id, if the daemon knows it.
void ask_docker_about(Container& container);

}  // namespace offheap
