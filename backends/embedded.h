// SPDX-License-Identifier: Apache-2.0
//
// What embedded allocators have in common: constructors that run only for the chosen one, and an
// environment that can be read before libc's own constructors have run.
#pragma once

namespace backends {

using Constructor = void (*)(int, char**, char**);

/// Runs the constructors that embed.sh set aside; `begin` and `end` are __start_ and __stop_ of the
/// allocator's section. They get what ld.so would have passed, but for argc and argv, which none reads.
void run_constructors(const Constructor* begin, const Constructor* end);

}  // namespace backends

/// secure_getenv for the embedded allocators (MALLOC_CONF, TCMALLOC_*): falls back to the initial stack
/// as long as `environ` is not set, which is so at a first allocation made by ld.so.
extern "C" char* shim_backend_getenv(const char* name);
