// SPDX-License-Identifier: Apache-2.0
//
// The task table. Its columns differ between kernels and vendors, so that positions come from its head.
#include <array>

#include "oomlog/line_parsers.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

/// Columns that every table has, from the left: uid, tgid, total_vm, rss; the last is oom_score_adj.
constexpr int kTotalVm = 2;
constexpr int kRss = 3;
constexpr int kFewest = 5;
constexpr std::size_t kMost = 24;

Line parse_head(std::string_view text) {
  const auto end = text.find(']');
  std::string_view inner = text.substr(1, end - 1);
  if (eat_token(inner) != "pid" || !skip_blanks(inner).empty()) return {};
  text.remove_prefix(end + 1);
  TableHeadLine line;
  for (std::string_view word = eat_token(text); !word.empty() && word != "name";
       word = eat_token(text)) {
    if (word == "swapents") line.swap = line.count;
    if (word == "pgtables_bytes") line.pgtables = line.count;
    if (word == "rss_shmem") line.rss_shmem = line.count;
    if (++line.count > static_cast<int>(kMost)) return {};
  }
  return line;
}

std::optional<std::int64_t> at(const std::array<std::int64_t, kMost>& numbers, int position,
                               int count) {
  if (position < 0 || position >= count) return {};
  return numbers[static_cast<std::size_t>(position)];
}

Line parse_row(std::string_view text, const std::optional<TableHeadLine>& columns) {
  std::string_view rest = skip_blanks(text.substr(1));
  TaskRowLine line;
  const auto pid = eat_number(rest);
  if (!pid || *pid < 0 || !eat(rest, "]")) return {};
  line.pid = *pid;
  const int expected = columns && columns->count >= kFewest ? columns->count : static_cast<int>(kMost);
  std::array<std::int64_t, kMost> numbers{};
  int count = 0;
  std::string_view last = rest;  // where the last number stood: a name may be a number too
  while (count < expected) {
    std::string_view probe = skip_blanks(rest);
    const std::string_view word = probe;
    const auto number = eat_number(probe);
    if (!number || (!probe.empty() && probe.front() != ' ')) break;
    last = word;
    numbers[static_cast<std::size_t>(count++)] = *number;
    rest = probe;
  }
  line.name = trim_end(skip_blanks(rest));
  bool name_is_a_guess = false;
  if (line.name.empty() && count == static_cast<int>(kMost)) return {};
  if (line.name.empty() && (!columns || count < expected) && count > kFewest) {
    line.name = trim_end(last);
    --count;
    name_is_a_guess = true;
  }
  if (count < kFewest || (columns && columns->count >= kFewest && count < columns->count)) return {};
  line.uid = numbers[0];
  line.tgid = numbers[1];
  line.total_vm_pages = numbers[kTotalVm];
  line.rss_pages = numbers[kRss];
  // The last number is whole only when the name stands after it.
  if (!line.name.empty() && !name_is_a_guess) line.adj = numbers[static_cast<std::size_t>(count - 1)];
  // Without a head: what stands before oom_score_adj is swapents, or up to 3.7 oom_adj, which is small.
  constexpr std::int64_t kLargestAdj = 17;
  const std::int64_t before_adj = numbers[static_cast<std::size_t>(count - 2)];
  if (!columns && line.adj && before_adj > kLargestAdj) line.swap_pages = before_adj;
  if (columns) {
    line.swap_pages = at(numbers, columns->swap, count);
    line.pgtables_bytes = at(numbers, columns->pgtables, count);
    line.rss_shmem_pages = at(numbers, columns->rss_shmem, count);
  }
  return line;
}

}  // namespace

Line parse_table_line(std::string_view text, const std::optional<TableHeadLine>& columns) {
  if (text.find(']') == std::string_view::npos) return {};
  if (auto head = parse_head(text); head.index() != 0) return head;
  return parse_row(text, columns);
}

}  // namespace offheap
