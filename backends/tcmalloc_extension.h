// SPDX-License-Identifier: Apache-2.0
//
// What the shim asks of a gperftools tcmalloc through its C interface (malloc_extension_c.h): the
// embedded one or one that was preloaded. One a process, as with jemalloc_control.h.
#pragma once

#include <stddef.h>

#include "libshim/recording_layout.h"

namespace backends::tcmalloc_extension {

struct Api {
  int (*get_numeric_property)(const char* name, size_t* value);
  void (*release_free_memory)();
  size_t (*nallocx)(size_t size, int flags);  ///< may be null in old versions
};

void use(const Api& api);

/// The members of Backend of the same names.
void statistics(recording::BackendStatistics* out);
size_t good_size(size_t size);
void mallinfo2(void* out);
/// Gives back every free span: 1 when that was any.
int malloc_trim(size_t pad);

}  // namespace backends::tcmalloc_extension
