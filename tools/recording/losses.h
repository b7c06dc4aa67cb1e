// SPDX-License-Identifier: Apache-2.0
//
// What a recording says it lacks, in words: its tables are of fixed size, and what did not fit is
// counted.
#pragma once

#include <string>
#include <vector>

#include "recording/snapshot.h"

namespace offheap {

/// One sentence for each kind of loss: how many, of what, and which figures suffer. Empty when nothing
/// was lost. Allocations within the sampler are named only where they are more than 1 % of the samples.
std::vector<std::string> describe_losses(const Snapshot& snapshot);

}  // namespace offheap
