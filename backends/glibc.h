// SPDX-License-Identifier: Apache-2.0
//
// glibc's own functions, told apart from those of the same names that the shim exports.
#pragma once

#include <cstdint>

namespace backends::glibc {

/// Address of `name` in libc.so.6 itself, or null. Takes the loader's lock, may allocate.
/// Thread: any. Signal: unsafe.
void* function(const char* name);

/// Looks up what asks and tunes glibc, so that its first use allocates nothing. Once libc is ready.
void resolve_controls();

/// Whether `address` lies in libc.so.6.
bool holds(const void* address);

/// `mallopt` of glibc: 1 when it was set, 0 when not.
int mallopt(int parameter, int value);

/// What of an mmapped chunk is not its block: two words, from glibc 2.43 on one, as of all other
/// chunks. Once the backend is chosen.
uint64_t mmapped_header_bytes();

/// Minor version of the running glibc: 36 for 2.36.
int minor_version();

}  // namespace backends::glibc
