// SPDX-License-Identifier: Apache-2.0
//
// What the shim interposes besides allocation: the program's own mmap, munmap, mremap, brk and sbrk,
// and dlclose; and what it needs of the symbols that come after its own.
#pragma once

namespace shim {

/// Looks up, once, the next definitions of what this file interposes. Bootstrap only: dlsym may
/// allocate.
void resolve_interposed();

/// Sets kFlagBypassed when the program's own malloc comes before the shim's in link order.
void note_bypass();

}  // namespace shim
