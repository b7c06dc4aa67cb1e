// SPDX-License-Identifier: Apache-2.0
//
// The one list of backends, and what each file of this folder gives to it. Initialisers run once, at
// the process's first allocation, on one thread.
#pragma once

#include <stddef.h>

#include "backends/backend.h"
#include "backends/text.h"

namespace backends {

struct Entry {
  const char* name;  ///< the value of OFFHEAP_BACKEND
  const Backend* (*initialise)();
  const char* description;
};

extern const Entry kTable[];
extern const size_t kTableSize;

const Backend* initialise_next();
const Backend* initialise_glibc();
const Backend* initialise_tcmalloc();
const Backend* initialise_jemalloc();

/// The allocator in the file `path`, or null; then the line is in `complaint` or comes from
/// explain_path_failure, which waits until libc's locks are free.
const Backend* initialise_path(const char* path, Text& complaint);
void explain_path_failure(Text& complaint);

}  // namespace backends
