// SPDX-License-Identifier: Apache-2.0
//
// libshim-attach.so, carried inside this executable: one file suffices where attaching is needed.
#pragma once

#include <string_view>

namespace offheap {

/// The bytes of the library; empty in a build that has no shim (under sanitizers).
std::string_view embedded_shim();

}  // namespace offheap
