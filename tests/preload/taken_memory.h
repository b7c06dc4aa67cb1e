// SPDX-License-Identifier: Apache-2.0
//
// Memory taken to the last byte, and kept in a list that needs none of its own.
#pragma once

#include "check.h"

namespace {
struct Block {
  Block* next;
};
Block* blocks = nullptr;

/// Takes memory until not even a small block can be had.
void take_all() {
  for (size_t size = size_t{8} << 20; size >= sizeof(Block); size /= 2)
    while (auto* block = static_cast<Block*>(used(malloc(size)))) {
      block->next = blocks;
      blocks = block;
    }
}

void give_all_back() {
  while (Block* block = blocks) {
    blocks = block->next;
    free(block);
  }
}
}  // namespace
