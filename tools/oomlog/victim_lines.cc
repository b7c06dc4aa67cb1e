// SPDX-License-Identifier: Apache-2.0
//
// The lines that name who dies.
#include "oomlog/line_parsers.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

/// The text between two marks of an oom-kill: line; empty when either is missing.
std::string_view between(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin == std::string_view::npos || end == std::string_view::npos || begin > end) return {};
  return text.substr(begin, end - begin);
}

/// The value after `key`, up to the first of the keys that may follow it. A value at the end of the
/// line may be cut and is none.
std::string_view value_of(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + key.size();
  std::size_t end = std::string_view::npos;
  for (std::string_view next : {",nodemask=", ",cpuset=", ",mems_allowed=", ",global_oom",
                                ",oom_memcg=", ",task_memcg=", ",task="})
    end = std::min(end, text.find(next, begin));
  return between(text, begin, end);
}

/// What begins a kill line, taken off: whose memory ran out. False = another text.
bool eat_cause(std::string_view& text, std::optional<bool>& memcg) {
  if (eat(text, "Memory cgroup out of memory")) {
    memcg = true;
  } else if (eat(text, "Out of memory") || eat(text, "Out of Memory")) {
    memcg = false;
  } else {
    return true;
  }
  eat(text, " (oom_kill_allocating_task)");
  return eat(text, ": ");
}

/// "total-vm:12kB", also "total-vm: 12kB"; a figure without its unit was cut.
std::optional<std::int64_t> kb_of(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view rest = skip_blanks(text.substr(at + key.size()));
  const auto value = eat_number(rest);
  if (!value || *value < 0 || (!eat(rest, "kB") && !eat(rest, "lB"))) return {};
  return rest.empty() || rest.front() == ',' || rest.front() == ' ' ? value : std::nullopt;
}

/// "UID:0 " with what follows it, "oom_score_adj:0" at the line's end.
std::optional<std::int64_t> plain_of(std::string_view text, std::string_view key, bool may_end) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view rest = text.substr(at + key.size());
  const auto value = eat_number(rest);
  if (!value || (rest.empty() ? !may_end : is_digit(rest.front()) || is_lower(rest.front()))) return {};
  return value;
}

/// The name in "(NAME) total-vm:", whatever the name holds.
std::string_view name_before_sizes(std::string_view text, std::string_view& sizes) {
  if (!eat(text, "(")) return {};
  if (const auto end = text.rfind(") total-vm:"); end != std::string_view::npos) {
    sizes = text.substr(end + 2);
    return text.substr(0, end);
  }
  const auto end = text.rfind(')');
  return end == std::string_view::npos ? std::string_view{} : text.substr(0, end);
}

}  // namespace

Line parse_event(std::string_view text) {
  if (!eat(text, "oom-kill:constraint=")) return {};
  EventLine line;
  std::string_view word = text.substr(0, text.find(','));
  eat(word, "CONSTRAINT_");
  if (word.size() == text.size()) return line;  // cut in the first word
  line.constraint = word;
  const auto uid = text.rfind(",uid=");
  const auto pid = uid == std::string_view::npos ? uid : text.rfind(",pid=", uid);
  if (pid == std::string_view::npos) return line;
  std::string_view number = text.substr(pid + 5, uid - pid - 5);
  line.pid = eat_number(number);
  if (!line.pid || !number.empty()) line.pid.reset();
  if (!line.pid) return line;
  number = text.substr(uid + 5);
  line.uid = eat_number(number);
  const auto memcg = text.find(",task_memcg=");
  const auto task = text.find(",task=", memcg == std::string_view::npos ? 0 : memcg);
  if (task != std::string_view::npos && task + 6 <= pid)
    line.task = text.substr(task + 6, pid - task - 6);
  const std::string_view head = text.substr(0, task == std::string_view::npos ? pid : task + 6);
  line.nodemask = value_of(head, ",nodemask=");
  line.cpuset = value_of(head, ",cpuset=");
  line.oom_memcg = value_of(head, ",oom_memcg=");
  line.task_memcg = value_of(head, ",task_memcg=");
  return line;
}

Line parse_selected(std::string_view text) {
  SelectedLine line;
  if (!eat_cause(text, line.memcg) || !eat(text, "Kill process ")) return {};
  const auto pid = eat_number(text);
  if (!pid || !eat(text, " (")) return {};
  line.pid = *pid;
  const auto score = text.rfind(") score ");
  if (score == std::string_view::npos) {
    line.cut = true;
    return line;
  }
  line.name = text.substr(0, score);
  std::string_view rest = text.substr(score + 8);
  const auto value = eat_number(rest);
  line.cut = !rest.starts_with(" or sacrifice child");
  if (rest.starts_with(' ')) line.score = value;
  return line;
}

Line parse_killed(std::string_view text) {
  KilledLine line;
  if (!eat_cause(text, line.memcg) || !eat(text, "Killed process ")) return {};
  const auto pid = eat_number(text);
  if (!pid || *pid < 0) return {};
  line.pid = *pid;
  if (eat(text, ", UID ")) {
    const auto uid = eat_number(text);
    if (eat(text, ",")) line.uid = uid;
  } else if (text.empty()) {
    return {};  // the pid itself may be cut
  }
  std::string_view sizes;
  line.name = name_before_sizes(skip_blanks(text), sizes);
  line.total_vm_kb = kb_of(sizes, "total-vm:");
  line.anon_rss_kb = kb_of(sizes, "anon-rss:");
  line.file_rss_kb = kb_of(sizes, "file-rss:");
  line.shmem_rss_kb = kb_of(sizes, "shmem-rss:");
  line.pgtables_kb = kb_of(sizes, "pgtables:");
  if (!line.uid) line.uid = plain_of(sizes, "UID:", false);
  line.adj = plain_of(sizes, "oom_score_adj:", true);
  return line;
}

Line parse_group(std::string_view text) {
  constexpr std::string_view kEnd = " are going to be killed due to memory.oom.group set";
  if (!eat(text, "Tasks in ")) return {};
  const auto end = text.rfind(kEnd);
  return end == std::string_view::npos ? Line() : Line(GroupLine{text.substr(0, end)});
}

Line parse_reaper(std::string_view text) {
  ReaperLine line;
  if (!eat(text, "oom_reaper: ")) return {};
  line.reaped = eat(text, "reaped process ");
  if (!line.reaped && !eat(text, "unable to reap pid:")) return {};
  const auto pid = eat_number(text);
  if (!pid || !eat(text, " (")) return {};
  line.pid = *pid;
  const auto end = line.reaped ? text.rfind("), now ") : text.rfind(')');
  if (end != std::string_view::npos) line.name = text.substr(0, end);
  return line;
}

}  // namespace offheap
