// SPDX-License-Identifier: Apache-2.0
//
// The JVM's part of an explanation, for machines and for people.
#pragma once

#include "render/explanation.h"
#include "render/json.h"
#include "render/page.h"

namespace offheap {

/// null without a JVM whose structures can be read.
Json java_json(const Explanation& explanation);

/// A short block; nothing without a JVM.
void add_java(const Explanation& explanation, Page& page);

}  // namespace offheap
