// SPDX-License-Identifier: Apache-2.0
#include "oomlog/cause.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/format.h"
#include "oomlog/container.h"
#include "oomlog/summary.h"

namespace offheap {
namespace {

Bytes bytes_of_kb(std::int64_t kb) { return kb <= 0 ? 0 : static_cast<Bytes>(kb) * 1024; }

/// The first of the names that memory.stat has; hierarchical figures before a group's own.
std::optional<std::int64_t> stat_of(const OomReport& report, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = report.stat.find(name);
    if (found != report.stat.end() && found->second >= 0) return found->second;
  }
  return {};
}

Bytes usage_of(const OomReport& report) {
  return report.memory ? bytes_of_kb(report.memory->usage_kb) : 0;
}

Bytes page_bytes(const OomReport& report) { return bytes_of_kb(report.page_kb.value_or(4)); }

Bytes anon_of(const OomReport& report) {
  return static_cast<Bytes>(stat_of(report, {"anon", "total_rss", "rss"}).value_or(0));
}

Bytes cache_of(const OomReport& report) {
  return static_cast<Bytes>(stat_of(report, {"file", "total_cache", "cache"}).value_or(0));
}

/// Shared memory is charged as cache. Before 4.12 its figure is missing: what is cache but on no file
/// list.
Bytes shmem_of(const OomReport& report) {
  if (const auto shmem = stat_of(report, {"total_shmem", "shmem"})) return static_cast<Bytes>(*shmem);
  const auto inactive = stat_of(report, {"total_inactive_file", "inactive_file"});
  const auto active = stat_of(report, {"total_active_file", "active_file"});
  if (!inactive || !active) return 0;
  const Bytes listed = static_cast<Bytes>(*inactive) + static_cast<Bytes>(*active);
  return cache_of(report) > listed ? cache_of(report) - listed : 0;
}

Bytes files_of(const OomReport& report) {
  const Bytes shmem = shmem_of(report);
  return cache_of(report) > shmem ? cache_of(report) - shmem : 0;
}

Bytes kernel_of(const OomReport& report) {
  if (const auto kernel = stat_of(report, {"kernel"})) return static_cast<Bytes>(*kernel);
  if (report.kernel_memory) return bytes_of_kb(report.kernel_memory->usage_kb);
  return 0;
}

Bytes stacks_of(const OomReport& report) {
  return static_cast<Bytes>(stat_of(report, {"kernel_stack"}).value_or(0));
}

Bytes sockets_of(const OomReport& report) {
  return static_cast<Bytes>(stat_of(report, {"sock"}).value_or(0));
}

Bytes locked_of(const OomReport& report) {
  return static_cast<Bytes>(stat_of(report, {"total_unevictable", "unevictable"}).value_or(0));
}

Bytes largest_of(const OomReport& report) {
  return report.biggest.empty()
             ? 0
             : static_cast<Bytes>(std::max<std::int64_t>(report.biggest[0].rss_pages, 0)) *
                   page_bytes(report);
}

struct ShareRule {
  const char* kind;
  double threshold;  ///< of the usage
  Bytes (*bytes)(const OomReport&);
  const char* sentence;
  const char* evidence;
  const char* remedy;
};

constexpr double kMost = 0.5;
constexpr double kOneTask = 0.3;

/// In this order: a kind that is part of another comes before it.
constexpr std::array<ShareRule, 7> kShares = {{
    {"thread-stacks", 0.25, stacks_of, "kernel stacks of threads", "memory.stat kernel_stack",
     "bound the number of threads (pids.max), or raise the limit"},
    {"socket-buffers", kMost, sockets_of, "socket buffers: data that nobody reads", "memory.stat sock",
     "find the peer that does not read; bound the send buffers"},
    {"tmpfs", kMost, shmem_of, "shared memory: tmpfs, /dev/shm, memfd or shared mappings",
     "memory.stat shmem", "empty or bound the tmpfs (size=, emptyDir sizeLimit), or raise the limit"},
    {"kernel-memory", kMost, kernel_of,
     "kernel memory: thread stacks, socket buffers, page tables, slabs",
     "kmem usage, or memory.stat kernel",
     "count threads, sockets and open files of the container; the process heap is not the cause"},
    {"page-cache", kMost, files_of,
     "page cache that could not be dropped in time: dirty, under writeback, or in active use",
     "memory.stat cache without shmem",
     "write less at once (dirty limits, direct I/O), or raise the limit"},
    {"locked-memory", kMost, locked_of, "locked memory: mlock, ramfs", "memory.stat unevictable",
     "bound what is locked"},
    {"heap", kMost, anon_of, "anonymous memory: heaps, stacks, private mappings",
     "memory.stat rss or anon",
     "offheap explain names the owner of it in a living process; or raise the limit"},
}};

std::string percent(double share) { return fmt::format("{:.0f} %", share * 100); }

/// Kernel memory is one figure on v1: the report's shape tells threads from the rest.
void refine_kernel(const OomReport& report, OomCause& cause) {
  if (cause.kind != "kernel-memory") return;
  const bool small = report.task_count > 0 && largest_of(report) < usage_of(report) / 4;
  if (report.through_fork)
    cause.notes.emplace_back("the memory was asked for by a fork or a new thread: count threads first");
  else if (small)
    cause.notes.push_back(
        fmt::format("the table lists processes, not threads: {} of them, the largest {} resident; "
                    "thousands of threads or sockets do not show there",
                    report.task_count, format_bytes(largest_of(report))));
}

/// Files of a tmpfs outlive whoever is killed; what processes map is freed with the last of them.
void refine_shmem(const OomReport& report, OomCause& cause) {
  if (cause.kind != "tmpfs") return;
  const Bytes mapped = static_cast<Bytes>(report.rss_shmem_pages_sum) * page_bytes(report);
  if (mapped <= cause.bytes / 2) {
    cause.notes.emplace_back(
        "killing a process does not free a tmpfs: it stays until files or mount go");
    return;
  }
  cause.kind = "shared-memory";
  cause.evidence += ", rss_shmem of the task table";
  cause.notes.push_back(
      fmt::format("processes map {} of it", format_bytes(std::min(mapped, cause.bytes))));
}

void refine_heap(const OomReport& report, OomCause& cause) {
  if (cause.kind != "heap" || report.task_count < 2 || !report.page_kb) return;
  const Bytes usage = usage_of(report);
  const Bytes all = static_cast<Bytes>(report.rss_pages_sum) * page_bytes(report);
  const Bytes one = largest_of(report);
  const bool many =
      usage > 0 && static_cast<double>(one) < kOneTask * static_cast<double>(usage) && all > usage / 2;
  if (!many) return;
  cause.kind = "many-processes";
  cause.summary += fmt::format("; {} processes hold {} together, the largest only {}",
                               report.task_count, format_bytes(all), format_bytes(one));
  cause.evidence += ", task table";
  cause.remedy = "bound the number of workers, or raise the limit";
}

bool judge_manual(const OomReport& report, OomCause& cause) {
  if (report.order != -1) return false;
  cause.kind = "manual";
  cause.summary = "somebody asked for it: SysRq-f, not a shortage";
  cause.evidence = "order=-1";
  cause.remedy = "none; see who has access to the console or /proc/sysrq-trigger";
  return true;
}

/// A limit on memory and swap together that was hit before the one on memory.
void note_swap_limit(const OomReport& report, OomCause& cause) {
  if (report.memory_swap && report.memory && !is_no_limit(report.memory_swap->limit_kb) &&
      report.memory_swap->usage_kb >=
          report.memory_swap->limit_kb - report.memory_swap->limit_kb / 1000 &&
      report.memory->usage_kb < report.memory->limit_kb - report.memory->limit_kb / 1000) {
    cause.notes.push_back(fmt::format(
        "the limit on memory and swap together was hit ({}), not the one on memory ({} of {})",
        format_bytes(bytes_of_kb(report.memory_swap->limit_kb)), format_bytes(usage_of(report)),
        format_bytes(bytes_of_kb(report.memory->limit_kb))));
  }
  if (report.swap && report.swap->limit_kb > 0 && !is_no_limit(report.swap->limit_kb) &&
      report.swap->usage_kb >= report.swap->limit_kb)
    cause.notes.emplace_back("the cgroup's swap limit was reached too");
}

bool judge_limit(const OomReport& report, OomCause& cause) {
  const Bytes usage = usage_of(report);
  if (usage == 0) return false;
  for (const ShareRule& rule : kShares) {
    const Bytes bytes = rule.bytes(report);
    const double share = static_cast<double>(bytes) / static_cast<double>(usage);
    if (share <= rule.threshold) continue;
    cause.kind = rule.kind;
    cause.bytes = bytes;
    cause.share = share;
    cause.summary = fmt::format("{} of {} ({}) is {}", format_bytes(bytes), format_bytes(usage),
                                percent(share), rule.sentence);
    cause.evidence = rule.evidence;
    cause.remedy = rule.remedy;
    refine_kernel(report, cause);
    refine_shmem(report, cause);
    refine_heap(report, cause);
    return true;
  }
  return false;
}

/// From the victim's own sizes, where the report has no memory.stat.
bool judge_victim(const OomVictim& victim, Bytes whole, OomCause& cause) {
  const Bytes anon = bytes_of_kb(victim.anon_rss_kb.value_or(0));
  const Bytes shmem = bytes_of_kb(victim.shmem_rss_kb.value_or(0));
  const Bytes most = std::max(anon, shmem);
  if (whole == 0 || static_cast<double>(most) <= kMost * static_cast<double>(whole)) return false;
  cause.kind = shmem > anon ? "shared-memory" : "heap";
  cause.bytes = most;
  cause.share = static_cast<double>(most) / static_cast<double>(whole);
  cause.summary =
      fmt::format("the victim holds {} of {} ({}) as {}", format_bytes(most), format_bytes(whole),
                  percent(cause.share), shmem > anon ? "shared memory" : "anonymous memory");
  cause.evidence = "kill line";
  cause.remedy =
      shmem > anon ? "bound its shared memory" : "offheap explain names the owner in a living process";
  return true;
}

Bytes host_pages(const OomReport& report, const char* name) {
  const auto found = report.host.pages.find(name);
  return found == report.host.pages.end() || found->second < 0
             ? 0
             : static_cast<Bytes>(found->second) * page_bytes(report);
}

bool judge_placement(const OomReport& report, OomCause& cause) {
  const std::string word = constraint_word(report);
  if (word != "cpuset" && word != "mempolicy") return false;
  cause.kind = "numa";
  cause.summary = fmt::format(
      "the nodes that a {} allows ran out{}; other nodes had {} free",
      word == "cpuset" ? "cpuset" : "memory policy",
      report.nodemask.empty() || report.nodemask == "(null)" ? "" : " (" + report.nodemask + ")",
      format_bytes(host_pages(report, "free")));
  cause.evidence = "oom-kill: constraint, Mem-Info free";
  cause.remedy = "widen the nodes that are allowed, or do not bind (numactl --preferred)";
  return true;
}

bool judge_order(const OomReport& report, OomCause& cause) {
  const bool free =
      report.host.zone_min_kb > 0 && report.host.zone_free_kb > 2 * report.host.zone_min_kb;
  if (!report.order || *report.order < 2 || !free) return false;
  cause.kind = "fragmentation";
  cause.summary = fmt::format("{} pages in a row were asked for and there were none, with {} free",
                              std::int64_t{1} << std::min<std::int64_t>(*report.order, 20),
                              format_bytes(bytes_of_kb(report.host.zone_free_kb)));
  cause.evidence = fmt::format("order={}, Node free and min", *report.order);
  cause.remedy = "raise vm.min_free_kbytes; find the driver that asks for so many";
  return true;
}

struct HostRule {
  const char* kind;
  const char* page;
  const char* sentence;
  const char* remedy;
};

constexpr std::array<HostRule, 3> kHostShares = {{
    {"tmpfs", "shmem", "shared memory: tmpfs, /dev/shm, shared mappings", "empty or bound the tmpfs"},
    {"kernel-memory", "slab_unreclaimable", "unreclaimable slab: the kernel's own objects",
     "slabtop; a driver or a leak in the kernel"},
    {"page-tables", "pagetables", "page tables", "huge pages for large shared mappings"},
}};

bool judge_host(const OomReport& report, const OomVictim& victim, OomCause& cause) {
  const Bytes ram =
      report.host.ram_pages ? static_cast<Bytes>(*report.host.ram_pages) * page_bytes(report) : 0;
  if (ram > 0) {
    for (const HostRule& rule : kHostShares) {
      const Bytes bytes = host_pages(report, rule.page);
      const double share = static_cast<double>(bytes) / static_cast<double>(ram);
      if (share <= kMost / 2) continue;
      cause = {rule.kind,
               fmt::format("{} of {} RAM ({}) is {}", format_bytes(bytes), format_bytes(ram),
                           percent(share), rule.sentence),
               fmt::format("Mem-Info {}", rule.page),
               rule.remedy,
               bytes,
               share,
               {}};
      return true;
    }
  }
  if (judge_victim(victim, ram, cause)) return true;
  const Bytes all = static_cast<Bytes>(report.rss_pages_sum) * page_bytes(report);
  const Bytes named = all + host_pages(report, "shmem") + host_pages(report, "slab_unreclaimable") +
                      host_pages(report, "slab_reclaimable");
  if (ram > 0 && report.task_count > 0 && named < ram / 2) {
    cause.kind = "unaccounted";
    cause.bytes = ram - named;
    cause.share = static_cast<double>(ram - named) / static_cast<double>(ram);
    cause.summary = fmt::format(
        "processes, tmpfs and slab make only {} of {} RAM: the rest is memory of drivers, "
        "huge pages, or a leak in the kernel",
        format_bytes(named), format_bytes(ram));
    cause.evidence = "task table, Mem-Info";
    cause.remedy = "look at HugePages_Total, GPU and network drivers, /proc/vmallocinfo";
    return true;
  }
  if (ram > 0 && all > ram / 2) {
    cause.kind = "many-processes";
    cause.bytes = all;
    cause.share = static_cast<double>(all) / static_cast<double>(ram);
    cause.summary =
        fmt::format("{} processes hold {} of {} RAM ({}), none of them most of it", report.task_count,
                    format_bytes(all), format_bytes(ram), percent(cause.share));
    cause.evidence = "task table";
    cause.remedy = "limit the groups that may grow, or give the machine more memory";
    return true;
  }
  return false;
}

void note_who(const OomReport& report, const OomVictim& victim, OomCause& cause) {
  if (!report.invoker.empty() && !victim.name.empty() && report.invoker != victim.name)
    cause.notes.push_back(fmt::format("{} asked for memory, {} died", report.invoker, victim.name));
  const Bytes largest = largest_of(report);
  const Bytes own = bytes_of_kb(victim.anon_rss_kb.value_or(0)) +
                    bytes_of_kb(victim.file_rss_kb.value_or(0)) +
                    bytes_of_kb(victim.shmem_rss_kb.value_or(0));
  if (!report.biggest.empty() && victim.pid && report.biggest[0].pid != *victim.pid &&
      own < largest / 2)
    cause.notes.push_back(fmt::format("{} (pid {}) is larger: {} resident against {}",
                                      report.biggest[0].name, report.biggest[0].pid,
                                      format_bytes(largest), format_bytes(own)));
  if (report.host.swap_total_kb && *report.host.swap_total_kb > 0 && report.host.swap_free_kb &&
      *report.host.swap_free_kb < *report.host.swap_total_kb / 100)
    cause.notes.emplace_back("the machine's swap was full");
}

}  // namespace

OomCause judge_oom(const OomReport& report, const OomVictim& victim) {
  OomCause cause;
  const bool by_limit = constraint_word(report) == "memcg";
  const bool decided =
      judge_manual(report, cause) || judge_placement(report, cause) ||
      (by_limit ? judge_limit(report, cause) || judge_victim(victim, usage_of(report), cause)
                : judge_order(report, cause) || judge_host(report, victim, cause));
  if (!decided) {
    cause.kind = "undecided";
    cause.summary =
        by_limit
            ? "the log has no memory.stat of the cgroup, or none of its figures is most of the usage"
            : "the log does not say what the machine's memory was used for";
    cause.remedy = "keep the whole report (dmesg, not grep) of the next one";
  }
  note_swap_limit(report, cause);
  note_who(report, victim, cause);
  return cause;
}

}  // namespace offheap
