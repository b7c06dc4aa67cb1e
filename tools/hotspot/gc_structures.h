// SPDX-License-Identifier: Apache-2.0
//
// The collector's own tables: mark bitmaps, block offsets, remembered sets. Nothing states their
// bounds, so they are inferred: the collector's objects in malloc's memory are followed for a few
// steps, and where one points to the begin of a page that nobody owns, that piece of memory is the
// collector's.
#pragma once

#include "hotspot/hotspot_report.h"
#include "hotspot/vm.h"

namespace offheap {

/// The pieces of `unowned` that the collector's objects point into, and then those that other static
/// data of libjvm points into (JavaPart::kOther).
///
/// Shape:  `unowned` are disjoint whole pages in address order: anonymous memory that no heap, stack or
///         block of malloc holds. A piece belongs to one as a whole.
/// Errors: never fails; at most some thousand objects are looked at.
std::vector<JavaRange> infer_gc_structures(const Vm& vm, std::span<const Range> unowned);

}  // namespace offheap
