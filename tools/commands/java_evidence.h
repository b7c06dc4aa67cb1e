// SPDX-License-Identifier: Apache-2.0
//
// What the looks say of a JVM, as evidence for verdicts.
#pragma once

#include <vector>

#include "commands/look.h"
#include "verdict/java_evidence.h"

namespace offheap {

/// Of looks of which the last one has read the JVM.
JavaEvidence java_evidence(const std::vector<Look>& looks);

}  // namespace offheap
