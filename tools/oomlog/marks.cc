// SPDX-License-Identifier: Apache-2.0
//
// The few words of which every line has one that opens a report or follows a kill. A log is mostly
// other lines, which are passed over sixteen bytes at a time.
#include <emmintrin.h>

#include <bit>
#include <cstring>

#include "oomlog/oom_log.h"

namespace offheap {
namespace {

/// "oom" of oom-killer, oom-kill:, oom_reaper, oom_kill_process; "emor" of memory; "Kill" of Kill
/// process, Killed process; "Task" of Task in, Tasks in, Tasks state; "sage" of N printk messages
/// dropped; "ckup" of soft lockup; "rnel " of Kernel panic is covered by "emor" or is of no interest to
/// it.
bool mark_at(const char* at, std::size_t left) {
  const auto is = [&](const char* word) {
    const std::size_t size = std::strlen(word);
    return left >= size && std::memcmp(at, word, size) == 0;
  };
  switch (at[0]) {
    case 'o':
      return is("oom-kill") || is("oom_reaper: ") || is("oom_kill_process") || is("oom_adj");
    case 'e':
      return is("emory: ") || is("emory (") || is("emory cgroup ") || is("emory and no") ||
             is("emory values");
    case 'K':
      return is("Kill process ") || is("Killed process ") || is("Kernel panic ");
    case 'T':
      return is("Task in /") || is("Tasks in /");
    case 'p':
      return is("printk mess") || is("pids contro");
    case 's':
      return is("soft locku");
    default:
      return false;
  }
}

__m128i starts(const __m128i first, const __m128i second, char a, char b) {
  return _mm_and_si128(_mm_cmpeq_epi8(first, _mm_set1_epi8(a)),
                       _mm_cmpeq_epi8(second, _mm_set1_epi8(b)));
}

}  // namespace

std::size_t find_mark(std::string_view text, std::size_t from) {
  const char* data = text.data();
  const std::size_t size = text.size();
  std::size_t at = from;
  for (; at + 18 <= size; at += 16) {
    const auto* block = reinterpret_cast<const __m128i*>(data + at);
    const __m128i first = _mm_loadu_si128(block);
    const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + at + 1));
    const __m128i third = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + at + 2));
    __m128i any = starts(first, second, 'o', 'o');
    any = _mm_or_si128(any, starts(first, second, 'e', 'm'));
    any = _mm_or_si128(
        any, _mm_and_si128(starts(first, second, 'K', 'i'), _mm_cmpeq_epi8(third, _mm_set1_epi8('l'))));
    any = _mm_or_si128(
        any, _mm_and_si128(starts(first, second, 'K', 'e'), _mm_cmpeq_epi8(third, _mm_set1_epi8('r'))));
    any = _mm_or_si128(
        any, _mm_and_si128(starts(first, second, 'T', 'a'), _mm_cmpeq_epi8(third, _mm_set1_epi8('s'))));
    any = _mm_or_si128(
        any, _mm_and_si128(starts(first, second, 'p', 'r'), _mm_cmpeq_epi8(third, _mm_set1_epi8('i'))));
    any = _mm_or_si128(
        any, _mm_and_si128(starts(first, second, 'p', 'i'), _mm_cmpeq_epi8(third, _mm_set1_epi8('d'))));
    any = _mm_or_si128(
        any, _mm_and_si128(starts(first, second, 's', 'o'), _mm_cmpeq_epi8(third, _mm_set1_epi8('f'))));
    for (auto mask = static_cast<unsigned>(_mm_movemask_epi8(any)); mask != 0; mask &= mask - 1) {
      const std::size_t hit = at + static_cast<std::size_t>(std::countr_zero(mask));
      if (mark_at(data + hit, size - hit)) return hit;
    }
  }
  for (; at < size; ++at)
    if (mark_at(data + at, size - at)) return at;
  return std::string_view::npos;
}

bool has_mark(std::string_view line) { return find_mark(line, 0) != std::string_view::npos; }

}  // namespace offheap
