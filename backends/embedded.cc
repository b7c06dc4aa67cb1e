// SPDX-License-Identifier: Apache-2.0
#include "backends/embedded.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern "C" void* __libc_stack_end;

namespace {

/// argc, argv, a null, then the environment (System V ABI, AMD64 supplement, 3.4.1).
char** initial_environment() {
  auto* stack = static_cast<uintptr_t*>(__libc_stack_end);
  return reinterpret_cast<char**>(stack + 1 + stack[0] + 1);
}

char** current_environment() { return environ != nullptr ? environ : initial_environment(); }

}  // namespace

namespace backends {

void run_constructors(const Constructor* begin, const Constructor* end) {
  char no_name[] = "";
  char* arguments[] = {no_name, nullptr};
  for (const Constructor* constructor = begin; constructor != end; ++constructor) {
    (*constructor)(1, arguments, current_environment());
  }
}

}  // namespace backends

extern "C" char* shim_backend_getenv(const char* name) {
  if (getauxval(AT_SECURE) != 0) return nullptr;
  size_t length = strlen(name);
  for (char** entry = current_environment(); *entry != nullptr; ++entry) {
    if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  }
  return nullptr;
}
