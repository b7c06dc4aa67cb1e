// SPDX-License-Identifier: Apache-2.0
//
// The cgroup's part of a page, and of a document: its charge part by part, and the bridge to RSS.
#pragma once

#include "render/explanation.h"
#include "render/json.h"
#include "render/page.h"

namespace offheap {

void add_cgroup_text(const std::optional<Cgroup>& cgroup, const std::optional<GroupMemory>& group,
                     Page& page);

/// "docker web (image shop:3), 3f2c91d0aa11, restarted 2 times, last run OOM-killed"
std::string container_text(const Container& container);

Json container_json(const std::optional<Container>& container);

/// null without a cgroup.
Json cgroup_json(const std::optional<Cgroup>& cgroup, const std::optional<GroupMemory>& group);

Json process_use_json(const ProcessUse& use);

}  // namespace offheap
