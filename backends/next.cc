// SPDX-License-Identifier: Apache-2.0
//
// `next`: whatever the dynamic linker would have given the program without the shim.
#include <dlfcn.h>

#include "backends/foreign.h"
#include "backends/table.h"

namespace backends {

const Backend* initialise_next() {
  const Backend* backend = initialise_foreign(RTLD_NEXT);
  // libc.so.6 has a malloc, so null means that dlsym itself cannot work here.
  return backend != nullptr ? backend : initialise_glibc();
}

}  // namespace backends
