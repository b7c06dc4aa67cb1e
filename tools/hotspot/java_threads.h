// SPDX-License-Identifier: Apache-2.0
//
// The JVM's own list of its Java threads: ids, names and stacks.
#pragma once

#include "hotspot/hotspot_report.h"
#include "hotspot/java_objects.h"
#include "hotspot/vm.h"

namespace offheap {

/// In the list's order, with their Java names. Threads whose id makes no sense are left out.
///
/// Source: OpenJDK 17-25 runtime/threadSMR.hpp, runtime/javaThread.hpp, runtime/osThread.hpp.
std::vector<JavaThreadInfo> list_java_threads(const Vm& vm, const JavaObjects& objects);

}  // namespace offheap
