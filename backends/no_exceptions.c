// SPDX-License-Identifier: Apache-2.0
//
// The C++ runtime that the embedded tcmalloc sees: none. tcmalloc throws only from its operator new and
// its C++ API, and neither is reachable once embed.sh has made them local: the shim calls C functions
// that report failure by a null pointer. Whatever gets here all the same would have ended in
// std::terminate, as nothing catches inside the allocator. Linked into tcmalloc's object alone and
// local to it, so that an accidental exception in libshim's own code is still a link error.

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// `_URC_CONTINUE_UNWIND`: an asynchronous cancellation passes through, no frame of tcmalloc has a
/// cleanup.
enum { kContinueUnwind = 8 };

static _Noreturn void refuse(const char* symbol) {
  static const char kText[] = "offheap: tcmalloc threw: ";
  if (write(STDERR_FILENO, kText, sizeof kText - 1) < 0 ||
      write(STDERR_FILENO, symbol, strlen(symbol)) < 0 || write(STDERR_FILENO, "\n", 1) < 0) {
    abort();
  }
  abort();
}

// The mangled names are the Itanium C++ ABI's; the parameters do not matter, no call returns.
#define OFFHEAP_NEVER(symbol)  \
  _Noreturn void symbol(void); \
  _Noreturn void symbol(void) { refuse(#symbol); }

OFFHEAP_NEVER(__cxa_allocate_exception)
OFFHEAP_NEVER(__cxa_free_exception)
OFFHEAP_NEVER(__cxa_throw)
OFFHEAP_NEVER(__cxa_rethrow)
OFFHEAP_NEVER(__cxa_begin_catch)
OFFHEAP_NEVER(__cxa_end_catch)
OFFHEAP_NEVER(__cxa_pure_virtual)
OFFHEAP_NEVER(__cxa_throw_bad_array_new_length)
OFFHEAP_NEVER(_Unwind_Resume)
OFFHEAP_NEVER(_ZNSt9bad_allocD1Ev)                 // std::bad_alloc::~bad_alloc()
OFFHEAP_NEVER(_ZSt15set_new_handlerPFvvE)          // std::set_new_handler
OFFHEAP_NEVER(_ZSt19__throw_logic_errorPKc)        // std::__throw_logic_error
OFFHEAP_NEVER(_ZSt20__throw_length_errorPKc)       // std::__throw_length_error
OFFHEAP_NEVER(_ZSt20__throw_out_of_rangePKc)       // std::__throw_out_of_range
OFFHEAP_NEVER(_ZSt24__throw_out_of_range_fmtPKcz)  // std::__throw_out_of_range_fmt
OFFHEAP_NEVER(_ZSt17__throw_bad_allocv)            // std::__throw_bad_alloc

int __gxx_personality_v0(void);
int __gxx_personality_v0(void) { return kContinueUnwind; }

// Type information and vtables that only a throw or a dynamic_cast would read.
const void* _ZTISt9bad_alloc[3];
const void* _ZTVSt9bad_alloc[5];
const void* _ZTVN10__cxxabiv117__class_type_infoE[11];
const void* _ZTVN10__cxxabiv120__si_class_type_infoE[11];
