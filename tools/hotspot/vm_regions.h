// SPDX-License-Identifier: Apache-2.0
//
// Where the parts of the JVM are whose bounds it states itself: heap, code cache, metaspace, class
// space, class archive, card table.
#pragma once

#include "hotspot/hotspot_report.h"
#include "hotspot/vm.h"

namespace offheap {

/// Adds to `report` the regions and their figures; what makes no sense is left out. `report.gc` and
/// `report.flags` are read already.
///
/// Source: OpenJDK 17-25: gc/shared/collectedHeap.hpp, code/codeCache.hpp, memory/heap.hpp,
/// memory/metaspace/{metaspaceContext,virtualSpaceList,virtualSpaceNode}.hpp, gc/shared/cardTable.hpp.
void read_regions(const Vm& vm, std::span<const Mapping> mappings, HotspotReport& report);

}  // namespace offheap
