// SPDX-License-Identifier: Apache-2.0
//
// The host itself: the verdict, its figures, what stops fork, and what to do.
#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "host/screen_parts.h"
#include "render/page.h"

namespace offheap::host {
namespace {

constexpr std::size_t kMostFindings = 4;

std::string uptime(double seconds) {
  if (seconds >= 2 * 86400) return fmt::format("{:.0f}d", seconds / 86400);
  if (seconds >= 2 * 3600) return fmt::format("{:.0f}h", seconds / 3600);
  return fmt::format("{:.0f}min", seconds / 60);
}

std::string pressure_text(const HostFacts& host) {
  if (!host.memory_pressure) return "psi not known to this kernel";
  return fmt::format(
      "psi of 10 s: memory {:.0f} % some {:.0f} % full, io {:.0f} % full, cpu {:.0f} % some",
      host.memory_pressure->some, host.memory_pressure->full,
      host.io_pressure.value_or(Pressure{}).full, host.cpu_pressure.value_or(Pressure{}).some);
}

}  // namespace

Section title_part(const HostLook& look) {
  // By hand: gmtime_r() would open the file of the time zone, and take memory for it.
  const std::int64_t of_day_s = look.taken_unix_s % 86400;
  Section section;
  section.lines.push_back(
      fit(fmt::format("offheap host   {}  {}  up {}  taken {:02}:{:02}:{:02} UTC in {:.2f} s, {:.2f} s "
                      "between two looks",
                      look.host.name, look.host.kernel, uptime(look.host.uptime_s), of_day_s / 3600,
                      of_day_s / 60 % 60, of_day_s % 60, static_cast<double>(look.taken_ns) / 1e9,
                      static_cast<double>(look.between_looks_ns) / 1e9)));
  return section;
}

Section verdict_part(const std::vector<Finding>& findings, bool all) {
  Section section;
  std::string headline;
  for (std::size_t i = 0; i < std::min<std::size_t>(findings.size(), 5); ++i)
    headline += (i == 0 ? "" : "; ") + findings[i].headline;
  if (findings.size() > 5) headline += fmt::format("; {} more", findings.size() - 5);
  if (findings.empty()) headline = "nothing is in trouble that can be seen from here";
  add_wrapped(section.lines, "VERDICT ", headline + ".", 2);
  section.least = section.lines.size() + std::min<std::size_t>(findings.size(), 2);
  const std::size_t most = all ? kEverything : kMostFindings;
  for (std::size_t i = 0; i < std::min(findings.size(), most); ++i)
    add_wrapped(section.lines, fmt::format("{:>2} ", i + 1), findings[i].text, all ? 4 : 2);
  return section;
}

Section host_part(const HostLook& look) {
  const HostFacts& host = look.host;
  const auto growth =
      static_cast<std::int64_t>(host.threads) - static_cast<std::int64_t>(host.threads_before);
  Section section;
  section.least = 4;
  section.lines.push_back(
      fit(fmt::format("HOST    load {:.2f} / {:.2f} / {:.2f} on {} cpus   running {}  D {}  Z {}  "
                      "threads {} ({:+})",
                      host.load[0], host.load[1], host.load[2], host.cpus, host.runnable,
                      with_commas(look.totals.d_threads), with_commas(look.totals.zombies),
                      with_commas(host.threads), growth)));
  section.lines.push_back(fit(fmt::format(
      "        memory {} available of {}   swap {} of {}   committed {} (limit {})",
      short_bytes(host.memory_available_bytes), short_bytes(host.memory_total_bytes),
      short_bytes(host.swap_total_bytes - std::min(host.swap_total_bytes, host.swap_free_bytes)),
      short_bytes(host.swap_total_bytes), short_bytes(host.committed_bytes),
      host.overcommit == 2 ? short_bytes(host.commit_limit_bytes) : std::string("off"))));
  std::string kills = "        OOM kills since boot: ";
  kills += host.oom_kills ? with_commas(*host.oom_kills) : "not counted by this kernel";
  if (look.log_kills) kills += fmt::format(" (kernel log shows {})", with_commas(*look.log_kills));
  section.lines.push_back(fit(kills));
  section.lines.push_back(fit("        " + pressure_text(host)));
  return section;
}

Section fork_part(const HostLook& look, bool all) {
  Section section;
  const auto limits = fork_limits(look);
  const std::size_t most = all ? kEverything : 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(limits.size(), most); ++i) {
    const ForkLimit& limit = limits[i];
    text += fmt::format("{}{}{} {} of {} ({:.0f} %)", i == 0 ? "" : ";  ", limit.name,
                        limit.group == kNoGroup ? "" : " of " + group_label(look, limit.group),
                        limit.bytes ? short_bytes(limit.used) : with_commas(limit.used),
                        limit.bytes ? short_bytes(limit.limit) : with_commas(limit.limit),
                        100 * limit.closeness());
  }
  if (!text.empty()) add_wrapped(section.lines, "FORK    ", text, all ? 8 : 2);
  return section;
}

Section next_part(const std::vector<Finding>& findings, bool all) {
  Section section;
  const std::size_t most = all ? kEverything : kMostFindings;
  std::size_t number = 0;
  for (std::size_t i = 0; i < std::min(findings.size(), most); ++i) {
    const auto same = [&](const Finding& other) { return other.next == findings[i].next; };
    const auto before = findings.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(findings.begin(), before, same)) continue;
    ++number;
    add_wrapped(section.lines, fmt::format("{} {} ", number == 1 ? "NEXT  " : "      ", number),
                findings[i].next, 2);
  }
  if (findings.empty()) section.lines.emplace_back("NEXT    nothing; --watch goes on looking");
  section.least = std::min<std::size_t>(section.lines.size(), 3);
  return section;
}

Section notes_part(const HostLook& look, bool all) {
  Section section;
  const std::size_t most = all ? kEverything : 4;
  for (std::size_t i = 0; i < std::min(look.notes.size(), most); ++i)
    add_wrapped(section.lines, i == 0 ? "NOTE    " : "        ", look.notes[i], 2);
  section.hidden = look.notes.size() - std::min(look.notes.size(), most);
  section.rows = "notes: --all";
  return section;
}

}  // namespace offheap::host
