// SPDX-License-Identifier: Apache-2.0
//
// From a kill to its incident, in a child of the agent: the snapshots of the store, the recording that
// was held, and the names that Docker knows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cgroup/charge.h"
#include "commands/watch_jobs.h"
#include "watch/incident.h"
#include "watch/store.h"

namespace offheap {

/// What keeps a process's traces readable after its death. Descriptors that could not be had are not
/// valid.
struct HeldProcess {
  ProcessUse use;
  std::uint64_t ended_ns = 0;  ///< when that was noticed; 0 = it lives
  Descriptor pidfd;            ///< readable when the process has ended
  Descriptor root;             ///< its root directory: the files that its recording names
  Descriptor recording;        ///< survives the unlinking of the file and the end of the container
  std::string recording_path;

  [[nodiscard]] bool ended() const;
};

/// Holds a process. Nothing when it is gone.
std::optional<HeldProcess> hold_process(const ProcessUse& use);

struct JoinTask {
  IncidentParts parts;                  ///< all but snapshots and recording
  const HeldProcess* victim = nullptr;  ///< null when it was not held
  std::uint64_t kill_us = 0;            ///< the kernel's clock of the kill, 0 = not known
};

/// Does it. Answers "I<id> <one line>" or "E<what failed>".
void write_incident(JoinTask task, Store& store, const JobAnswer& answer);

}  // namespace offheap
