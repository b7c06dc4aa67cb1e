// SPDX-License-Identifier: Apache-2.0
//
// Looks up an exported symbol of a loaded module in the tables that the loader itself uses. dlsym
// would take the loader's lock and may allocate; this runs inside malloc, also when memory is out.
#pragma once

#include <link.h>

#include <cstdint>

namespace shim {

/// The address of `name` as `map` exports it, 0 where it does not. Any version of the symbol will do.
/// Thread: any that keeps the module loaded. Alloc: none.
/// Source: gABI "Dynamic Section"; GNU hash tables as binutils writes them.
uint64_t exported_symbol(const link_map* map, const char* name);

}  // namespace shim
