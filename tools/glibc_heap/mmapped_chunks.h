// SPDX-License-Identifier: Apache-2.0
//
// Blocks that malloc gave a mapping of their own. Nothing lists them: they are recognised by their
// header at the start of a page, inside anonymous memory that nobody else has claimed. Mappings merge,
// so every page has to be looked at, but a recognised block is skipped as a whole.
#pragma once

#include <span>
#include <vector>

#include "glibc_heap/heap_report.h"
#include "procfs/mapping.h"
#include "procfs/memory_reader.h"

namespace offheap {

/// In address order. A memalign'd block is found by the header that its first allocation left at the
/// start of its mapping, and measured by its own, which realloc keeps true.
///
/// Shape:  `claimed` are ranges not to look into, in any order.
/// Errors: never fails; a page that starts like a header is taken for one (malloc_par's mmapped_mem is
/// the
///         cross-check).
/// Source: glibc 2.17-2.43 malloc/malloc.c, sysmalloc_mmap: prev_size 0, size = whole pages |
/// IS_MMAPPED.
std::vector<MmappedChunk> find_mmapped_chunks(const MemoryReader& memory,
                                              std::span<const Mapping> mappings,
                                              std::span<const Range> claimed);

}  // namespace offheap
