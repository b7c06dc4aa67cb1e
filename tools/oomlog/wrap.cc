// SPDX-License-Identifier: Apache-2.0
//
// Lines that a mail, a terminal or a vendor's log broke, and lines in frames of unknown form.
#include <algorithm>
#include <array>

#include "oomlog/line.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

/// Words with which a kernel's line begins; "C invoked" and "C cpuset=" begin with a name instead.
constexpr std::array<std::string_view, 16> kBeginnings = {"Memory cgroup out of memory",
                                                          "Memory cgroup stats for ",
                                                          "Out of memory",
                                                          "Out of Memory",
                                                          "Killed process ",
                                                          "Kill process ",
                                                          "oom-kill:constraint=",
                                                          "oom_reaper: ",
                                                          "oom_kill_process: ",
                                                          "Task in /",
                                                          "Tasks in /",
                                                          "Tasks state (memory",
                                                          "memory: usage ",
                                                          "memory+swap: usage ",
                                                          "OOM victim ",
                                                          "Kernel panic - not syncing: "};

/// Columns of a task table that may stand at a break.
bool is_column(std::string_view word) {
  constexpr std::array<std::string_view, 17> columns = {
      "uid",       "tgid",    "total_vm", "rss",      "rss_anon",       "rss_file",
      "rss_shmem", "nr_ptes", "nr_pmds",  "swapents", "pgtables_bytes", "oom_score_adj",
      "name",      "cpu",     "oom_adj",  "]",        "nr_puds"};
  return std::find(columns.begin(), columns.end(), word) != columns.end();
}

std::string_view last_word(std::string_view text) {
  const auto blank = text.rfind(' ');
  return blank == std::string_view::npos ? text : text.substr(blank + 1);
}

bool is_row(std::string_view text) {
  return text.starts_with('[') && is_digit(skip_blanks(text.substr(1)).substr(0, 1).empty()
                                               ? ' '
                                               : skip_blanks(text.substr(1)).front());
}

bool is_head(std::string_view text) {
  return text.starts_with('[') && skip_blanks(text.substr(1)).starts_with("pid ");
}

}  // namespace

bool starts_kernel_text(std::string_view text) {
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [&](std::string_view beginning) { return text.starts_with(beginning); });
}

std::size_t find_kernel_text(std::string_view line) {
  std::size_t found = std::string_view::npos;
  for (std::string_view beginning : kBeginnings) found = std::min(found, line.find(beginning));
  if (found == std::string_view::npos || found == 0 || found > 160) return found;
  const std::string_view frame = line.substr(0, found);
  // "name[12]: " before it is another program that repeats the words; so are quotes and assignments.
  const bool repeated = frame.find("]: ") != std::string_view::npos ||
                        frame.find_first_of("=\"'(") != std::string_view::npos ||
                        frame.find("essage:") != std::string_view::npos ||
                        frame.find("OOMKilling") != std::string_view::npos;
  const char last = frame.back();
  const bool separated = last == ' ' || last == ':' || last == ']' || last == '|' || last == ';' ||
                         last == '\t' || last == '>';
  return repeated || !separated ? std::string_view::npos : found;
}

bool may_continue(std::string_view text) {
  if (text.ends_with(" invoked oom-killer:")) return true;
  if (text.find(" invoked oom-killer: ") != std::string_view::npos)
    return text.find("oom_score_adj=") == std::string_view::npos;
  if (text.starts_with("oom-kill:")) return text.find(",uid=") == std::string_view::npos;
  if (text.starts_with("CPU: ") || text.starts_with("Pid: "))
    return text.find(" #") == std::string_view::npos && text.find("omm: ") != std::string_view::npos;
  if (text.starts_with("Task in /")) return text.find(" limit of /") == std::string_view::npos;
  if (text.starts_with("Memory cgroup stats for /"))
    return !text.ends_with(':') && text.find(": ") == std::string_view::npos;
  if (text.find("Killed process ") != std::string_view::npos)
    return text.find("oom_score_adj:") == std::string_view::npos && !text.ends_with(").");
  if (text.find("Kill process ") != std::string_view::npos)
    return text.find("sacrifice child") == std::string_view::npos;
  if (is_head(text)) return !text.ends_with(" name");
  if (is_row(text)) {
    const std::string_view word = last_word(text);
    return !word.empty() && count_digits(word) == word.size();
  }
  return false;
}

bool continues_text(std::string_view text, std::string_view piece) {
  if (piece.size() > 400 || piece.starts_with("...") || piece.starts_with("(.") ||
      starts_kernel_text(piece) || piece.find(" invoked oom-killer") != std::string_view::npos)
    return false;
  const auto has = [piece](std::string_view word) {
    return piece.find(word) != std::string_view::npos;
  };
  if (text.find(" invoked oom-killer:") != std::string_view::npos)
    return has("gfp_mask=") || has("order=") || has("nodemask=") || has("_adj=");
  if (text.starts_with("oom-kill:")) return has("=") || has(",");
  if (text.starts_with("CPU: ") || text.starts_with("Pid: ")) return has(" #");
  if (text.starts_with("Task in /")) return has("limit") || has("/") || has("killed");
  if (text.find("Killed process ") != std::string_view::npos)
    return has("total-vm:") || has("rss") || has("kB") || has("UID:") || piece.starts_with('(');
  if (text.find("Kill process ") != std::string_view::npos) return has("score") || has("sacrifice");
  if (is_head(text)) return has("name") || has("rss") || has("adj") || has("swapents");
  if (is_row(text)) return is_digit(piece.front()) || piece.front() == '-';
  return has(":");
}

bool broken_in_word(std::string_view text, std::string_view piece) {
  if (text.empty() || piece.empty() || text.ends_with(' ') || piece.front() == ' ') return true;
  if (text.starts_with("oom-kill:") || piece.front() == ':' || piece.front() == ',') return true;
  if (is_head(text)) return !is_column(last_word(text));
  if (text.find("Killed process ") == std::string_view::npos) return false;
  const std::string_view word = last_word(text);
  const bool whole = word.ends_with(',') || word.ends_with(')') || word.ends_with("kB") ||
                     word == "process" || count_digits(word) == word.size() || word.starts_with("UID:");
  return !whole;
}

}  // namespace offheap
