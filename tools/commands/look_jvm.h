// SPDX-License-Identifier: Apache-2.0
//
// The JVM's part of a look: what HotSpot says of itself, as claims for the ledger.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "commands/look.h"
#include "hotspot/hotspot.h"

namespace offheap {

/// Reads the JVM into `look.jvm`, names its Java threads and adds those stacks that glibc's own lists
/// did not have. Null when the process is none, or its structures cannot be read, which is noted.
std::unique_ptr<Hotspot> read_jvm(const Process& process, const MemoryReader& memory, Look& look);

/// What `report` says the JVM owns, in labelling order.
std::vector<Claim> claims_of_jvm(const HotspotReport& report);

/// The collector's tables among the memory that neither `claims` nor ELF files hold. Where malloc's own
/// memory is not known, nothing: a pointer to a page may then be a pointer to a block.
std::vector<Claim> infer_jvm_claims(const Hotspot& hotspot, const Look& look,
                                    const MemoryReader& memory, const std::vector<Claim>& claims);

}  // namespace offheap
