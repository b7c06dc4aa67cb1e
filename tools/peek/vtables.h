// SPDX-License-Identifier: Apache-2.0
//
// The class that a vtable pointer stands for, by the type information that the compiler puts in front
// of the table: no symbols are needed, so stripped programs have names too.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "procfs/mapping.h"
#include "procfs/memory_reader.h"

namespace offheap {

/// The mangled name of the class ("4Node", "N3app6WidgetE") whose vtable `address` is; nothing when it
/// is none, or the program was built without type information.
///
/// Errors: never fails; every word is checked to lead into a mapping of a file before it is followed.
/// Source: Itanium C++ ABI 2.5 (virtual table layout), 2.9.5 (std::type_info).
std::optional<std::string> class_of_vtable(const MemoryReader& memory,
                                           std::span<const Mapping> mappings, Address address);

}  // namespace offheap
