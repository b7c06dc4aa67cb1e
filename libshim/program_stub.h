// SPDX-License-Identifier: Apache-2.0
//
// A program that is not position independent and takes a function's address has a stub of it at that
// address, an entry of its PLT, which look-ups find in place of the function.
#pragma once

#include <dlfcn.h>
#include <link.h>

namespace shim {

/// Whether what a look-up found for a function's name is the program's stub of it: an undefined symbol
/// that has a value. Thread: any. Signal: no, takes the loader's lock. Alloc: none.
inline bool is_stub_of_program(const void* found) {
  Dl_info info;
  ElfW(Sym)* symbol = nullptr;
  return dladdr1(found, &info, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) != 0 && symbol &&
         symbol->st_shndx == SHN_UNDEF;
}

}  // namespace shim
