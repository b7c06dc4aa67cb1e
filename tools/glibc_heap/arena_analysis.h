// SPDX-License-Identifier: Apache-2.0
//
// From a captured arena to its report: what malloc obtained and what is resident, by use. Pure: no look
// at the target except through `foreign_word`, for tcache chains that lead through other arenas.
#pragma once

#include <array>

#include "glibc_heap/arena_capture.h"
#include "glibc_heap/heap_report.h"

namespace offheap {

/// Live blocks by chunk size, cheap to add to; becomes HeapReport::live_by_class.
class ClassTotals {
 public:
  void add(Bytes chunk, Bytes usable);
  void add_all(const ClassTotals& other);
  [[nodiscard]] std::map<Bytes, HeapReport::ClassTotal> by_class() const;

 private:
  static constexpr Bytes kFirstLarge = 64 * 1024;
  std::array<HeapReport::ClassTotal, kFirstLarge / kChunkAlign> small_{};
  std::array<HeapReport::ClassTotal, 64> large_{};  ///< by the power of two that is not below
};

struct ArenaAnalysis {
  ArenaReport report;
  ClassTotals live;
  bool chains_complete =
      true;  ///< every tcache chain ended, or malloc's key stood in for those that did not
};

/// Shape:  identities of heap_report.h hold in `resident` always, in `obtained` when `consistent`.
/// Errors: whatever the image holds, the result is within bounds, in time linear in its size;
///         `report.consistent` says whether lists and linear walk agreed to the byte.
/// Source: glibc 2.17-2.43 malloc/malloc.c: malloc_consolidate, mtrim, systrim, int_mallinfo.
ArenaAnalysis analyse_arena(const ArenaCapture& capture, const WordReader& foreign_word,
                            bool trust_lists);

/// The blocks of an arena that are tcaches by their looks, for processes whose threads cannot be asked.
std::vector<TcacheStruct> find_tcaches(const ArenaCapture& capture);

}  // namespace offheap
