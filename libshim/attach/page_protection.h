// SPDX-License-Identifier: Apache-2.0
//
// What the kernel says of a page, since the loader does not say whether it is done with an object.
#pragma once

#include <stdint.h>

namespace shim {

enum class Protection { kUnknown, kReadOnly, kWritable };

/// The protection of the mapping that holds `address`, from /proc/self/maps; kUnknown where it cannot
/// be read. Opens a descriptor for an instant. Alloc: none. Thread: any.
Protection protection_of(uint64_t address);

}  // namespace shim
