// SPDX-License-Identifier: Apache-2.0
#include "render/text.h"

#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "render/cgroup_text.h"
#include "render/java.h"
#include "render/page.h"
#include "render/sanitise.h"

namespace offheap {
namespace {

constexpr std::size_t kArenasShown = 16;
constexpr std::size_t kThreadsShown = 10;
constexpr std::size_t kFramesShown = 12;

std::string cell(Bytes bytes) { return bytes == 0 ? "-" : format_bytes(bytes); }

void add_head(const Explanation& explanation, Page& page) {
  const TargetLine& target = explanation.target;
  std::string head = fmt::format("{}pid {}", explanation.rss_known ? "" : "recording of ", target.pid);
  head += ": " + sanitise(target.command, 70);
  page.line(page.bold(head));
  std::string about = target.libc.empty() ? "" : target.libc + ", ";
  if (!target.allocator.empty()) about += "allocator " + target.allocator + ", ";
  if (target.jvm)
    about += "JVM " + target.jvm_version + (target.jvm_gc.empty() ? "" : " " + target.jvm_gc) + ", ";
  about += target.has_shim ? fmt::format("shim over {}, a sample each {}", target.shim_backend,
                                         format_bytes(target.sample_bytes))
                           : std::string(target.shim_unreadable ? "a shim whose recording was not read"
                                                                : "no shim");
  if (target.container) {
    about += fmt::format(", container {}", container_text(*target.container));
  }
  page.wrapped("", about);
  if (explanation.rss_known)
    page.line(fmt::format("RSS {}", format_bytes(explanation.ledger.rss_bytes)));
}

void add_verdicts(const Explanation& explanation, Page& page) {
  page.heading("VERDICT");
  bool first = true;
  for (const Verdict& verdict : explanation.verdicts) {
    if (!first) page.blank();
    first = false;
    const bool fine = verdict.kind == VerdictKind::kHealthy;
    const std::string name(verdict_name(verdict.kind));
    std::string title = fine ? page.green(name) : page.red(name);
    if (verdict.bytes > 0) title += "  " + format_bytes(verdict.bytes);
    if (verdict.confidence > 0) title += fmt::format("  confidence {:.0f} %", 100 * verdict.confidence);
    page.line(title);
    page.wrapped("  why     ", verdict.summary);
    for (const std::string& line : verdict.evidence) page.wrapped("          ", line);
    page.wrapped("  remedy  ", verdict.remedy);
    if (verdict.predicted_saving_bytes > 0) {
      page.line("  saves   about " + format_bytes(verdict.predicted_saving_bytes));
    }
    page.wrapped("  proof   ", verdict.proof);
  }
}

std::vector<Owner> owners_by_size(const Ledger& ledger) {
  std::vector<Owner> order;
  for (std::size_t i = 0; i + 1 < kOwnerCount; ++i) {
    if (ledger.owners[i].rss_bytes > 0) order.push_back(static_cast<Owner>(i));
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](Owner a, Owner b) { return ledger.rss_of(a) > ledger.rss_of(b); });
  order.push_back(Owner::kUnknown);
  return order;
}

std::string growth_cell(const Explanation& explanation, Owner owner) {
  if (!explanation.watch) return {};
  for (const OwnerGrowth& growth : explanation.watch->owners) {
    if (growth.owner == owner && growth.bytes != 0) {
      return fmt::format("  {}{}", growth.bytes < 0 ? '-' : '+',
                         format_bytes(static_cast<Bytes>(std::abs(growth.bytes))));
    }
  }
  return {};
}

void add_ledger(const Explanation& explanation, Page& page) {
  if (!explanation.rss_known) return;
  const Ledger& ledger = explanation.ledger;
  page.heading(explanation.watch ? fmt::format("LEDGER, and its growth in {}",
                                               format_duration(explanation.watch->watched_ns))
                                 : "LEDGER");
  for (Owner owner : owners_by_size(ledger)) {
    const Bytes bytes = ledger.rss_of(owner);
    const double share =
        ledger.rss_bytes == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(ledger.rss_bytes);
    page.line(fmt::format("  {:<16}{:>11}{:>17}{:>7.1f} %  {:<20}{}", owner_name(owner),
                          format_bytes(bytes), with_commas(bytes), 100 * share,
                          std::string(static_cast<std::size_t>(20 * share + 0.5), '#'),
                          growth_cell(explanation, owner)));
  }
  page.line(fmt::format("  {:<16}{:>11}{:>17}  {} smaps {}", "sum", format_bytes(ledger.sum()),
                        with_commas(ledger.sum()),
                        ledger.sum() == ledger.rss_bytes ? "=" : "!=", with_commas(ledger.rss_bytes)));
}

std::string thread_list(const Explanation& explanation, std::size_t arena) {
  if (arena >= explanation.arena_threads.size() || explanation.arena_threads[arena].empty()) return {};
  const auto& tids = explanation.arena_threads[arena];
  for (const ThreadLine& thread : explanation.threads) {
    if (thread.tid != tids.front()) continue;
    const std::string more = tids.size() > 1 ? fmt::format("+{}", tids.size() - 1) : "";
    return "  " + sanitise(thread.name, 13 - more.size()) + more;
  }
  return fmt::format("  {} threads", tids.size());
}

void add_parts(std::string_view name, const ResidentParts& parts, Bytes rss_bytes,
               std::string_view tail, Page& page) {
  page.line(fmt::format("  {:<6}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}{}", name, cell(rss_bytes),
                        cell(parts.live_bytes), cell(parts.cached_bytes), cell(parts.trimmable_bytes),
                        cell(parts.pinned_bytes), cell(parts.top_bytes), cell(parts.metadata_bytes),
                        tail));
}

void add_arenas(const Explanation& explanation, Page& page) {
  const HeapReport& heap = *explanation.heap;
  std::vector<std::size_t> order(heap.arenas.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return heap.arenas[a].rss_bytes > heap.arenas[b].rss_bytes;
  });
  Bytes hidden = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ArenaReport& arena = heap.arenas[order[i]];
    if (i >= kArenasShown) {
      hidden += arena.rss_bytes;
      continue;
    }
    add_parts(fmt::format("{}{}", arena.index, arena.consistent ? "" : "?"), arena.resident,
              arena.rss_bytes, thread_list(explanation, order[i]), page);
  }
  if (order.size() > kArenasShown) {
    page.line(
        fmt::format("  and {} more arenas: {}", order.size() - kArenasShown, format_bytes(hidden)));
  }
  if (!heap.mmapped.empty()) {
    page.line(fmt::format("  mmapped{:>10}  in {} blocks of {}", cell(heap.mmapped_rss_bytes),
                          heap.mmapped.size(), format_bytes(heap.mmapped_bytes)));
  }
}

void add_malloc(const Explanation& explanation, Page& page) {
  if (!explanation.malloc) return;
  const MallocTotals& malloc = *explanation.malloc;
  page.heading(explanation.self.estimate ? "MALLOC, resident (an estimate: read without a pause)"
                                         : "MALLOC, resident");
  page.line(
      page.dim(fmt::format("  {:<6}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}", "arena", "resident",
                           "live", "cached", "trimmable", "pinned", "top", "metadata")));
  if (explanation.heap && explanation.heap->found) add_arenas(explanation, page);
  add_parts("all", malloc.resident, malloc.rss_bytes, "", page);
  page.wrapped(
      "  ", fmt::format("handed out and not freed: {}, of which {} are resident; obtained from the "
                        "kernel: {}",
                        format_bytes(malloc.obtained.live_bytes),
                        format_bytes(malloc.resident.live_bytes), format_bytes(malloc.system_bytes)));
}

/// What stands beside a frame's name: its file, or where in a Java method it is.
std::string place_of(const Frame& frame) {
  if (frame.kind != "java") return frame.module;
  return frame.bci ? fmt::format("java, bci {}", *frame.bci) : "java";
}

/// Sites that read the same: one kind, and the same names in every frame that is shown.
bool looks_alike(const SiteLine& a, const SiteLine& b) {
  if (a.mapping != b.mapping) return false;
  const std::size_t shown = std::min(kFramesShown, a.frames.size());
  if (shown != std::min(kFramesShown, b.frames.size())) return false;
  return std::equal(
      a.frames.begin(), a.frames.begin() + static_cast<std::ptrdiff_t>(shown), b.frames.begin(),
      [](const Frame& x, const Frame& y) { return x.function == y.function && x.module == y.module; });
}

struct SiteGroup {
  SiteLine sum;
  std::size_t site_count = 0;
};

/// Bounds add up to bounds that hold the sum at least as often. Growth is known when it is of all.
void add_to_group(const SiteLine& site, SiteGroup& group) {
  SiteLine& sum = group.sum;
  sum.live_bytes += site.live_bytes;
  sum.live_bytes_low += site.live_bytes_low;
  sum.live_bytes_high += site.live_bytes_high;
  sum.requested_bytes += site.requested_bytes;
  sum.growth_bytes_per_second += site.growth_bytes_per_second;
  sum.growth_known = sum.growth_known && site.growth_known;
  ++group.site_count;
}

std::vector<SiteGroup> group_sites(const std::vector<SiteLine>& sites) {
  std::vector<SiteGroup> groups;
  for (const SiteLine& site : sites) {
    const auto alike = std::find_if(groups.begin(), groups.end(), [&](const SiteGroup& group) {
      return looks_alike(group.sum, site);
    });
    if (alike == groups.end()) {
      groups.push_back({site, 1});
    } else {
      add_to_group(site, *alike);
    }
  }
  std::stable_sort(groups.begin(), groups.end(), [](const SiteGroup& a, const SiteGroup& b) {
    return a.sum.live_bytes > b.sum.live_bytes;
  });
  return groups;
}

void add_sites(const Explanation& explanation, Page& page) {
  if (explanation.sites.empty()) return;
  page.heading(fmt::format("SITES, {} of {} with something alive", explanation.sites.size(),
                           explanation.site_count));
  std::size_t number = 0;
  for (const SiteGroup& group : group_sites(explanation.sites)) {
    const SiteLine& site = group.sum;
    std::string line = fmt::format("  #{} {} live", ++number, page.bold(format_bytes(site.live_bytes)));
    line += fmt::format(" ({} to {})", format_bytes(site.live_bytes_low),
                        format_bytes(site.live_bytes_high));
    if (site.growth_known) line += " " + format_rate(site.growth_bytes_per_second);
    if (!site.mapping) line += ", asked for " + format_bytes(site.requested_bytes);
    if (site.mapping) line += ", by mmap";
    if (group.site_count > 1) line += fmt::format(", {} sites", group.site_count);
    page.line(line);
    for (std::size_t i = 0; i < std::min(kFramesShown, site.frames.size()); ++i) {
      const Frame& frame = site.frames[i];
      page.line(fmt::format("       {}  {}", sanitise(frame.function, 60),
                            page.dim(sanitise(place_of(frame), 30))));
    }
    if (site.frames.size() > kFramesShown) {
      page.line(group.site_count > 1
                    ? std::string("       and more frames, in which they differ")
                    : fmt::format("       and {} frames more", site.frames.size() - kFramesShown));
    }
  }
}

void add_threads(const Explanation& explanation, Page& page) {
  std::vector<const ThreadLine*> order;
  for (const ThreadLine& thread : explanation.threads) {
    if (thread.allocated_bytes) order.push_back(&thread);
  }
  if (order.empty()) return;
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return *a->allocated_bytes > *b->allocated_bytes;
  });
  page.heading("THREADS, by what they allocated");
  for (std::size_t i = 0; i < std::min(kThreadsShown, order.size()); ++i) {
    const auto& stack = order[i]->stack_rss_bytes;
    page.line(fmt::format("  {:>8}  {:<18}{:>12} allocated{:>12} freed{}", order[i]->tid,
                          sanitise(order[i]->name, 16), format_bytes(*order[i]->allocated_bytes),
                          format_bytes(order[i]->freed_bytes.value_or(0)),
                          stack ? fmt::format("{:>12} stack", format_bytes(*stack)) : ""));
  }
  if (order.size() > kThreadsShown)
    page.line(fmt::format("  and {} more", order.size() - kThreadsShown));
}

void add_self(const Explanation& explanation, Page& page) {
  const auto& checks = explanation.self.checks;
  const auto good =
      std::count_if(checks.begin(), checks.end(), [](const SelfCheck& check) { return check.ok; });
  page.blank();
  page.line(page.dim(
      fmt::format("self checks {} of {} passed; target paused for {:.1f} ms, {:.1f} ms at once", good,
                  checks.size(), static_cast<double>(explanation.self.total_pause_ns) / 1e6,
                  static_cast<double>(explanation.self.pause_ns) / 1e6)));
  for (const SelfCheck& check : checks) {
    if (!check.ok) page.wrapped("  failed: ", check.name);
  }
  for (const std::string& note : explanation.notes) page.wrapped("  note: ", note);
}

}  // namespace

std::string render_text(const Explanation& explanation, const TextOptions& options) {
  Page page(options.colour, kTextColumns);
  add_head(explanation, page);
  add_verdicts(explanation, page);
  add_ledger(explanation, page);
  add_java(explanation, page);
  add_malloc(explanation, page);
  add_sites(explanation, page);
  add_threads(explanation, page);
  add_cgroup_text(explanation.cgroup, explanation.group, page);
  add_self(explanation, page);
  return page.take();
}

}  // namespace offheap
