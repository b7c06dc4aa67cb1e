// SPDX-License-Identifier: Apache-2.0
//
// Kills found in logs: for people, loops first; for machines, schema "offheap.oom/1".
#pragma once

#include <map>
#include <string>

#include "oomlog/summary.h"
#include "render/json.h"

namespace offheap {

/// Names of containers by id and of pods by uid, where something on this host knows them.
using OomNames = std::map<std::string, std::string>;

/// {"schema","kernel","kills":[...],"events_other":{...},"loops":[...],...}: what the log does not say
/// is null.
Json oom_json(const OomSummary& summary, const OomNames& names);

/// `most` kills are told in full, the latest ones.
std::string oom_text(const OomSummary& summary, const OomNames& names, bool colour, std::size_t most);

}  // namespace offheap
