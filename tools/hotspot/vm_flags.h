// SPDX-License-Identifier: Apache-2.0
//
// The JVM's flags with their values, as it runs with them.
#pragma once

#include "hotspot/hotspot_report.h"
#include "hotspot/vm.h"

namespace offheap {

/// All flags that can be read; empty when the table makes no sense.
///
/// Source: OpenJDK src/hotspot/share/runtime/flags/jvmFlag.hpp (JVMFlag, JVMFlagOrigin).
VmFlags read_vm_flags(const Vm& vm);

/// "G1", "ZGC" and so on, by the UseXxxGC flags; empty when none is on.
std::string collector_name(const VmFlags& flags);

}  // namespace offheap
