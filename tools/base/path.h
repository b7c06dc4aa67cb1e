// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace offheap {

/// What follows the last slash.
inline std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace offheap
