// SPDX-License-Identifier: Apache-2.0
//
// Who the target is: command, libc, allocator, JVM, age.
#pragma once

#include "commands/look.h"
#include "render/explanation.h"

namespace offheap {

/// Errors: never fails; what cannot be read stays empty.
TargetLine describe_target(const Process& process, const Look& look);

/// The target of a recording that is read from a file.
TargetLine describe_recording(const Snapshot& snapshot);

}  // namespace offheap
