// SPDX-License-Identifier: Apache-2.0
//
// An explanation as JSON: schema "offheap.explain/1". Keys may be added, never renamed or dropped.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "render/explanation.h"

namespace offheap {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

inline Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json to_json(const Explanation& explanation);

/// Text of a document; broken UTF-8 in names is replaced, so that the output always parses.
std::string json_text(const Json& document);

}  // namespace offheap
