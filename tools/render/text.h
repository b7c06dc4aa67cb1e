// SPDX-License-Identifier: Apache-2.0
//
// An explanation for people: 100 columns, colours only where asked for.
#pragma once

#include <string>

#include "render/explanation.h"

namespace offheap {

struct TextOptions {
  bool colour = false;
};
inline constexpr std::size_t kTextColumns = 100;

std::string render_text(const Explanation& explanation, const TextOptions& options);

}  // namespace offheap
