// SPDX-License-Identifier: Apache-2.0
//
// Metaspace and class space. HotSpot's tables do not mention them, so their two contexts are found by
// what they are: objects that the JVM's static data points to and that bear their names.
#pragma once

#include "hotspot/hotspot_report.h"
#include "hotspot/vm.h"

namespace offheap {

/// Adds ranges and figures of both; nothing is added where they are not found (before JDK 16).
///
/// Source: OpenJDK 16-25 memory/metaspace/metaspaceContext.hpp {name, list}, virtualSpaceList.hpp
/// {vtable, name, first node, ..., reserved and committed words}, virtualSpaceNode.hpp {next, base,
/// bytes}.
void read_metaspace(const Vm& vm, HotspotReport& report);

}  // namespace offheap
