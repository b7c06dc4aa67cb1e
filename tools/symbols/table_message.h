// SPDX-License-Identifier: Apache-2.0
//
// A function table on its way from the child that read it. The child may have been taken over by the
// file, so what comes is checked for all that the rest relies on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "symbols/function_table.h"

namespace offheap {

std::string encode_function_table(const FunctionTable& table);

/// Errors: nothing where the message is not whole, has anything behind its end, or is no table that
/// read_function_table() could have made: functions ascend, names are there, a debug link has no slash.
std::optional<FunctionTable> decode_function_table(std::string_view message);

}  // namespace offheap
