// SPDX-License-Identifier: Apache-2.0
//
// The classifier, and the lines of a report before its victim is named.
#include "oomlog/line.h"

#include <algorithm>

#include "oomlog/line_parsers.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

constexpr std::string_view kInvoked = " invoked oom-killer:";
/// TASK_COMM_LEN - 1, with room for the escapes of /dev/kmsg.
constexpr std::size_t kCommBytes = 60;

std::string_view value_after(std::string_view text, std::string_view key, std::string_view end) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  return before(text.substr(at + key.size()), end);
}

Line parse_header(std::string_view text) {
  const auto at = text.find(kInvoked);
  if (at == std::string_view::npos || at == 0 || at > kCommBytes) return {};
  HeaderLine line;
  line.comm = text.substr(0, at);
  const std::string_view rest = text.substr(at + kInvoked.size());
  line.gfp = value_after(rest, "gfp_mask=", ", ");
  line.nodemask = value_after(rest, "nodemask=", ", ");
  // A number at the end may be cut, and order=0 needs no comma after it to be whole.
  if (const auto order = rest.find("order="); order != std::string_view::npos) {
    std::string_view number = rest.substr(order + 6);
    const auto value = eat_number(number);
    if (value && !number.empty()) line.order = value;
  }
  return line;
}

Line parse_cpuset(std::string_view text) {
  const auto mems = text.rfind(" mems_allowed=");
  const auto at = text.rfind(" cpuset=", mems);
  if (mems == std::string_view::npos || at == std::string_view::npos || at == 0 || at > kCommBytes)
    return {};
  return CpusetLine{text.substr(0, at), text.substr(at + 8, mems - at - 8)};
}

/// The kernel's version: the word before " #N".
std::string_view kernel_version(std::string_view text) {
  const auto hash = text.rfind(" #");
  if (hash == std::string_view::npos || count_digits(text.substr(hash + 2)) == 0) return {};
  const std::string_view head = text.substr(0, hash);
  const auto blank = head.rfind(' ');
  return blank == std::string_view::npos ? head : head.substr(blank + 1);
}

/// The name in "Comm: C Kdump: loaded Not tainted": up to the words that follow a name.
std::string_view comm_of_cpu(std::string_view text) {
  std::size_t end = text.size();
  for (std::string_view mark : {" Kdump: ", " Not tainted", " Tainted: ", " not tainted"})
    end = std::min(end, text.rfind(mark) == std::string_view::npos ? end : text.rfind(mark));
  return end == text.size() ? std::string_view{} : text.substr(0, end);
}

Line parse_cpu(std::string_view text) {
  CpuLine line;
  std::string_view rest = text;
  if (eat(rest, "Pid: ")) {
    line.pid = eat_number(rest);
    if (!line.pid || !eat(rest, ", comm: ")) return {};
  } else {
    if (!eat(rest, "CPU: ") || !eat_number(rest)) return {};
    const auto pid = rest.find(" PID: ");
    if (pid > 24) return {};  // npos too
    rest.remove_prefix(pid + 6);
    line.pid = eat_number(rest);
    if (!line.pid || !eat(rest, " Comm: ")) return {};
  }
  line.comm = comm_of_cpu(rest);
  line.kernel = kernel_version(rest);
  return line;
}

Line parse_limit(std::string_view text) {
  constexpr std::string_view kMiddle = " killed as a result of limit of ";
  const auto at = text.find(kMiddle);
  if (at == std::string_view::npos) return {};
  LimitLine line{text.substr(0, at), text.substr(at + kMiddle.size())};
  if (!eat(line.task_memcg, "Task in ") || !line.oom_memcg.starts_with('/')) return {};
  line.oom_memcg = before(line.oom_memcg, " ");
  return line;
}

std::optional<std::int64_t> eat_kb(std::string_view& text) {
  const auto value = eat_number(text);
  return value && eat(text, "kB, ") ? value : std::nullopt;
}

Line parse_usage(std::string_view text) {
  UsageLine line;
  if (eat(text, "memory+swap: ")) {
    line.counter = Counter::kMemorySwap;
  } else if (eat(text, "kmem: ")) {
    line.counter = Counter::kKernel;
  } else if (eat(text, "swap: ")) {
    line.counter = Counter::kSwap;
  } else if (!eat(text, "memory: ")) {
    return {};
  }
  if (!eat(text, "usage ")) return {};
  const auto usage = eat_kb(text);
  if (!usage || !eat(text, "limit ")) return {};
  const auto limit = eat_kb(text);
  if (!limit || !eat(text, "failcnt ")) return {};
  const auto failcnt = eat_number(text);
  if (!failcnt) return {};
  line.usage_kb = *usage;
  line.limit_kb = *limit;
  line.failcnt = *failcnt;
  return line;
}

Line parse_stats_head(std::string_view text) {
  if (!eat(text, "Memory cgroup stats for ")) return {};
  const auto values = text.find(": ");
  if (values != std::string_view::npos)
    return StatsHeadLine{text.substr(0, values), text.substr(values + 2)};
  if (!text.ends_with(':')) return {};
  text.remove_suffix(1);
  return StatsHeadLine{text, {}};
}

/// "anon 4096"
Line parse_stat(std::string_view text) {
  std::string_view rest = text;
  const std::string_view key = eat_token(rest);
  if (key.size() < 3 || key.size() > 40 || !std::all_of(key.begin(), key.end(), [](char c) {
        return is_lower(c) || is_digit(c) || c == '_' || c == '(' || c == ')';
      }))
    return {};
  rest = skip_blanks(rest);
  const auto value = eat_number(rest);
  if (!value || !rest.empty()) return {};
  return StatLine{key, *value};
}

std::optional<std::int64_t> number_of(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view rest = text.substr(at + key.size());
  return eat_number(rest);
}

/// The figures of the whole machine.
Line parse_host(std::string_view text) {
  constexpr std::array<std::string_view, 9> pages = {
      "active_anon:", "active_file:", "unevictable:", "slab_reclaimable:",       "slab_unreclaimable:",
      "mapped:",      "free:",        "dirty:",       "kernel_misc_reclaimable:"};
  for (std::string_view key : pages)
    if (text.starts_with(key)) return PagesLine{text};
  if (text.starts_with("Free swap")) {
    const auto value = number_of(text, "= ");
    return value ? Line(HostLine{HostFigure::kSwapFreeKb, *value}) : Line();
  }
  if (text.starts_with("Total swap")) {
    const auto value = number_of(text, "= ");
    return value ? Line(HostLine{HostFigure::kSwapTotalKb, *value}) : Line();
  }
  if (text.starts_with("Node ") && text.find(" free:") != std::string_view::npos) {
    const auto free = number_of(text, " free:");
    const auto min = number_of(text, " min:");
    return free && min ? Line(ZoneLine{*free, *min}) : Line();
  }
  std::string_view rest = text;
  const auto count = eat_number(rest);
  if (count && rest == " pages RAM") return HostLine{HostFigure::kRamPages, *count};
  if (count && rest == " pages reserved") return HostLine{HostFigure::kReservedPages, *count};
  return {};
}

Line parse_remark(std::string_view text) {
  if (text.starts_with("Tasks state (")) return RemarkLine{Remark::kTasksState};
  if (text.starts_with("Mem-Info:") || text.starts_with("Mem-info:"))
    return RemarkLine{Remark::kMemInfo};
  if (text.starts_with("Out of memory and no killable processes"))
    return RemarkLine{Remark::kNoKillable};
  if (text.starts_with("OOM victim ") && text.find(" is already exiting") != std::string_view::npos)
    return RemarkLine{Remark::kAlreadyExiting};
  if (text.find("soft lockup - CPU#") != std::string_view::npos) return RemarkLine{Remark::kSoftLockup};
  if (text.starts_with("cgroup: fork rejected by pids controller"))
    return RemarkLine{Remark::kForkRejected};
  constexpr std::string_view kPanic = "Kernel panic - not syncing: ";
  if (text.starts_with(kPanic)) return PanicLine{text.substr(kPanic.size())};
  constexpr std::string_view kSuppressed = "oom_kill_process: ";
  if (text.starts_with(kSuppressed)) {
    std::string_view rest = text.substr(kSuppressed.size());
    const auto count = eat_number(rest);
    if (count && rest.starts_with(" callbacks suppressed")) return SuppressedLine{*count};
  }
  return {};
}

/// "1 lock held by atd/636:"
Line parse_lock(std::string_view text) {
  std::string_view rest = text;
  if (!eat_number(rest) || (!eat(rest, " lock held by ") && !eat(rest, " locks held by "))) return {};
  const auto slash = rest.rfind('/');
  if (slash == std::string_view::npos || !rest.ends_with(':')) return {};
  rest.remove_prefix(slash + 1);
  const auto pid = eat_number(rest);
  return pid ? Line(LockLine{*pid}) : Line();
}

/// "a.out           D13056  9261   6927 0x00100084": from the right a flag word, the parent, the pid.
Line parse_task_state(std::string_view text) {
  const auto flags = text.rfind(" 0x");
  if (flags == std::string_view::npos || flags < 24) return {};
  std::string_view rest = trim_end(text.substr(0, flags));
  std::array<std::string_view, 2> numbers;
  for (std::string_view& number : numbers) {
    rest = trim_end(rest);
    const auto blank = rest.rfind(' ');
    if (blank == std::string_view::npos) return {};
    number = rest.substr(blank + 1);
    if (number.empty() || count_digits(number) != number.size()) return {};
    rest = rest.substr(0, blank);
  }
  const auto state = rest.find_first_of("DRSTZtXI", 15);
  if (rest.size() < 16 || state == std::string_view::npos || rest[state - 1] != ' ') return {};
  const auto pid = eat_number(numbers[1]);
  return pid ? Line(TaskStateLine{*pid, rest[state]}) : Line();
}

/// "filemap_fault+0x10e/0x1650", also after "[<ffffffff81>] " and "? ".
Line parse_stack(std::string_view text) {
  const auto plus = text.find("+0x");
  if (plus == std::string_view::npos || text.find("/0x", plus) == std::string_view::npos) return {};
  const std::string_view head = text.substr(0, plus);
  const auto blank = head.rfind(' ');
  return StackLine{blank == std::string_view::npos ? head : head.substr(blank + 1)};
}

bool is_something(const Line& line) { return line.index() != 0; }

}  // namespace

Line classify(std::string_view text, const std::optional<TableHeadLine>& columns) {
  if (text.empty()) return {};
  if (text.front() == '[') {
    if (auto line = parse_table_line(text, columns); is_something(line)) return line;
  }
  if (text.find(kInvoked) != std::string_view::npos) return parse_header(text);
  for (auto* parse : {parse_event, parse_killed, parse_selected, parse_reaper, parse_group, parse_limit,
                      parse_usage, parse_stats_head, parse_cpu, parse_remark, parse_stat, parse_host,
                      parse_lock, parse_stack, parse_cpuset, parse_task_state}) {
    if (auto line = parse(text); is_something(line)) return line;
  }
  return {};
}

}  // namespace offheap
