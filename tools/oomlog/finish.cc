// SPDX-License-Identifier: Apache-2.0
#include "oomlog/finish.h"

#include <algorithm>
#include <cstdlib>
#include <map>

namespace offheap {
namespace {

constexpr std::int64_t kMaxPages = std::int64_t{1} << 40;

bool is_page_kb(std::int64_t kb) { return kb == 4 || kb == 8 || kb == 16 || kb == 32 || kb == 64; }

/// A table may list a process by one of its threads.
bool is_row_of(const OomTask& row, const OomVictim& victim) {
  return row.pid == victim.pid || row.tgid == victim.pid;
}

/// From a victim's size in kB and in pages; it may have grown between the two lines, but not by half.
std::optional<std::int64_t> page_of_victim(const OomVictim& victim, const std::vector<OomTask>& rows) {
  if (!victim.total_vm_kb || *victim.total_vm_kb <= 0) return {};
  for (const OomTask& row : rows) {
    if (!is_row_of(row, victim) || row.total_vm_pages <= 0 || row.total_vm_pages > kMaxPages) continue;
    for (const std::int64_t kb : {4, 8, 16, 32, 64}) {
      const std::int64_t expected = kb * row.total_vm_pages;
      if (std::abs(*victim.total_vm_kb - expected) <= expected / 20) return kb;
    }
  }
  return {};
}

/// From a limit that means none: LONG_MAX is rounded down to whole pages and printed in kB.
std::optional<std::int64_t> page_of_limit(const std::optional<OomUsage>& usage) {
  if (!usage) return {};
  const std::int64_t kb = (std::int64_t{1} << 53) - usage->limit_kb;
  return is_page_kb(kb) ? std::optional(kb) : std::nullopt;
}

std::optional<std::int64_t> prove_page(const OomReport& report, const std::vector<OomTask>& rows) {
  for (const OomVictim& victim : report.victims)
    if (const auto kb = page_of_victim(victim, rows)) return kb;
  for (const auto* usage : {&report.memory, &report.memory_swap, &report.kernel_memory, &report.swap})
    if (const auto kb = page_of_limit(*usage)) return kb;
  return {};
}

void sum_table(OomReport& report, const std::vector<OomTask>& rows) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> by_name;
  for (const OomTask& row : rows) {
    if (row.rss_pages < 0 || row.rss_pages > kMaxPages) continue;
    ++report.task_count;
    report.rss_pages_sum += row.rss_pages;
    if (row.rss_shmem_pages)
      report.rss_shmem_pages_sum += std::clamp(*row.rss_shmem_pages, {}, kMaxPages);
    if (row.swap_pages) report.swap_pages_sum += std::clamp(*row.swap_pages, {}, kMaxPages);
    if (row.pgtables_bytes) report.pgtables_bytes_sum += std::clamp(*row.pgtables_bytes, {}, kMaxPages);
    auto& [count, pages] = by_name[row.name];
    ++count;
    pages += row.rss_pages;
  }
  for (const auto& [name, sums] : by_name) {
    if (sums.second <= report.same_name_rss_pages) continue;
    report.same_name_count = sums.first;
    report.same_name_rss_pages = sums.second;
  }
}

}  // namespace

void finish_report(OomReport& report, std::vector<OomTask>& rows) {
  report.page_kb = prove_page(report, rows);
  sum_table(report, rows);
  for (OomVictim& victim : report.victims) {
    for (const OomTask& row : rows) {
      if (!is_row_of(row, victim)) continue;
      if (!victim.uid) victim.uid = row.uid;
      if (!victim.adj) victim.adj = row.adj;
      if (victim.name.empty()) victim.name = row.name;
    }
  }
  const std::size_t kept = std::min(rows.size(), OomReport::kBiggest);
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(kept), rows.end(),
                    [](const OomTask& a, const OomTask& b) { return a.rss_pages > b.rss_pages; });
  rows.resize(kept);
  report.biggest = std::move(rows);
}

}  // namespace offheap
