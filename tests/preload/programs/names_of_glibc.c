// SPDX-License-Identifier: Apache-2.0
// The names by which programs reach around malloc: hooks are not there to be set, and a heap cannot be
// dumped.
// glibc: 2.34 -- which took the hooks away
#include <dlfcn.h>

#include "check.h"

int main(void) {
  const char* const kNames[] = {"__malloc_hook",    "__free_hook",   "__realloc_hook",
                                "__memalign_hook",  "__morecore",    "malloc_get_state",
                                "malloc_set_state", "__libc_freeres"};
  for (size_t i = 0; i < sizeof kNames / sizeof *kNames; ++i)
    printf("%s: %s\n", kNames[i], dlsym(RTLD_DEFAULT, kNames[i]) ? "there" : "not there");
  CHECK((size_t)dlsym(RTLD_DEFAULT, "malloc") == (size_t)malloc);
  CHECK((size_t)dlsym(RTLD_DEFAULT, "free") == (size_t)free);
}
