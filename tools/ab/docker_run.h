// SPDX-License-Identifier: Apache-2.0
//
// A run in a Docker container of its own, with the memory limit that is asked for and the shim mounted
// in, through the docker client. What its processes hold is read from the host, by their cgroup; an OOM
// kill is a result.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ab/run_one.h"

namespace offheap::ab {

/// Where the container finds the shim and an entry's library.
inline constexpr const char* kContainerShim = "/opt/offheap/libshim.so";
std::string path_in_container(const std::string& library);

/// The words of `docker create` for a run. Nothing goes through a shell.
std::vector<std::string> docker_create_words(const RunContext& context, const std::string& name);

/// A row without what the schedule knows. Nothing when the user interrupted it.
std::optional<Row> run_in_docker(const RunContext& context);

}  // namespace offheap::ab
