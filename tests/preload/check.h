// SPDX-License-Identifier: Apache-2.0
//
// What the tiny programs of this folder share. CHECK is for what every allocator must do; what differs
// between allocators is printed, and the driver compares it with the same allocator without the shim.
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      _Exit(1);                                                               \
    }                                                                         \
  } while (0)

/// `value`, unknown to the compiler, which would otherwise reject impossible sizes or drop calls.
static inline size_t opaque(size_t value) {
  __asm__ volatile("" : "+r"(value));
  return value;
}

/// The block, which the compiler must now believe to be used.
static inline void* used(void* block) {
  __asm__ volatile("" : "+r"(block) : : "memory");
  return block;
}
