// SPDX-License-Identifier: Apache-2.0
#include "host/parse.h"

#include <charconv>

namespace offheap::host {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\0'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

template <typename T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return {};
  return value;
}

/// A decimal fraction that is no NaN and no infinity, as the kernel writes them.
std::optional<double> fraction(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return {};
  return whole_number<double>(text);
}

bool is_symbol(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '$';
}

bool is_uid(std::string_view text) {
  if (text.size() != 36 && text.size() != 32) return false;
  for (const char c : text)
    if (c != '-' && c != '_' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return false;
  return true;
}

}  // namespace

std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

std::string_view take_word(std::string_view& rest) {
  const auto begin = rest.find_first_not_of(" \t");
  rest.remove_prefix(begin == std::string_view::npos ? rest.size() : begin);
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  return whole_number<std::uint64_t>(trimmed(text));
}

bool parse_loadavg(std::string_view text, HostFacts& out) {
  HostFacts found = out;
  for (double& load : found.load) {
    const auto value = fraction(take_word(text));
    if (!value) return false;
    load = *value;
  }
  const std::string_view counts = take_word(text);
  const auto slash = counts.find('/');
  if (slash == std::string_view::npos) return false;
  const auto runnable = parse_count(counts.substr(0, slash));
  const auto threads = parse_count(counts.substr(slash + 1));
  if (!runnable || !threads) return false;
  out.load = found.load;
  out.runnable = *runnable;
  out.threads = *threads;
  return true;
}

std::optional<std::uint64_t> value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    if (line.starts_with(':')) line.remove_prefix(1);
    if (!line.starts_with(' ') && !line.starts_with('\t')) continue;
    return parse_count(take_word(line));
  }
  return {};
}

void parse_meminfo(std::string_view text, HostFacts& out) {
  const auto bytes = [text](std::string_view key) {
    const std::uint64_t kib = value_of(text, key).value_or(0);
    return kib > (~Bytes{0} >> 10) ? ~Bytes{0} : kib << 10;
  };
  out.memory_total_bytes = bytes("MemTotal");
  out.memory_available_bytes = bytes("MemAvailable");
  out.swap_total_bytes = bytes("SwapTotal");
  out.swap_free_bytes = bytes("SwapFree");
  out.committed_bytes = bytes("Committed_AS");
  out.commit_limit_bytes = bytes("CommitLimit");
  out.kernel_stack_bytes = bytes("KernelStack");
  out.shmem_bytes = bytes("Shmem");
}

std::optional<Pressure> parse_pressure(std::string_view text) {
  Pressure pressure;
  bool any = false;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const std::string_view kind = take_word(line);
    std::string_view field = take_word(line);
    if (!field.starts_with("avg10=")) continue;
    field.remove_prefix(6);
    const auto value = fraction(field);
    if (!value || (kind != "some" && kind != "full")) continue;
    (kind == "some" ? pressure.some : pressure.full) = *value;
    any = true;
  }
  return any ? std::optional(pressure) : std::nullopt;
}

std::optional<TaskRow> parse_stat(std::string_view text, Bytes page_bytes) {
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  const auto pid = whole_number<int>(trimmed(text.substr(0, open)));
  std::string_view rest = trimmed(text.substr(close + 1));
  const std::string_view state = take_word(rest);
  const auto parent = whole_number<int>(take_word(rest));
  if (!pid || *pid < 0 || state.size() != 1 || !parent) return {};
  TaskRow row;
  row.pid = *pid;
  row.parent_pid = *parent;
  row.state = state.front();
  row.name = ShortText<15>(text.substr(open + 1, close - open - 1));
  constexpr int kThreads = 20;
  constexpr int kStart = 22;
  constexpr int kRss = 24;
  for (int field = 5; field <= kRss; ++field) {
    const std::string_view word = take_word(rest);
    if (field == kThreads) row.threads = whole_number<std::uint32_t>(word).value_or(0);
    if (field == kStart) row.start_ticks = parse_count(word).value_or(0);
    if (field == kRss) {
      const std::uint64_t pages = parse_count(word).value_or(0);
      row.rss_bytes = pages > ~Bytes{0} / page_bytes ? 0 : pages * page_bytes;
    }
  }
  if (row.threads == 0 && row.state != 'Z' && row.state != 'X') return {};
  return row;
}

std::string_view parse_wait_channel(std::string_view text) {
  text = trimmed(text);
  if (text.empty() || text == "0") return {};
  for (const char c : text)
    if (!is_symbol(c)) return {};
  return text;
}

ShortText<120> parse_stack(std::string_view text, int most) {
  std::array<char, 120> joined{};
  std::size_t used = 0;
  const auto append = [&](std::string_view part) {
    const std::size_t count = std::min(part.size(), joined.size() - used);
    std::copy_n(part.begin(), count, joined.begin() + static_cast<std::ptrdiff_t>(used));
    used += count;
  };
  while (!text.empty() && most > 0) {
    // "[<0>] io_schedule+0x46/0x70"
    std::string_view line = take_line(text);
    const auto close = line.find("] ");
    if (close == std::string_view::npos) continue;
    line.remove_prefix(close + 2);
    std::size_t length = 0;
    while (length < line.size() && is_symbol(line[length])) ++length;
    if (length == 0) continue;
    if (used > 0) append(" < ");
    append(line.substr(0, length));
    --most;
  }
  return ShortText<120>(std::string_view(joined.data(), used));
}

std::string_view memory_group(std::string_view text, int version) {
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    std::string_view controllers = line.substr(first + 1, second - first - 1);
    bool wanted = version == 2 && controllers.empty() && line.starts_with("0:");
    while (version == 1 && !controllers.empty() && !wanted) {
      const auto comma = controllers.find(',');
      wanted = controllers.substr(0, comma) == "memory";
      controllers.remove_prefix(comma == std::string_view::npos ? controllers.size() : comma + 1);
    }
    if (!wanted) continue;
    std::string_view path = line.substr(second + 1);
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
    return path;
  }
  return {};
}

std::string_view cgroup_mount_point(std::string_view line, std::string_view controller) {
  const auto separator = line.find(" - ");
  if (separator == std::string_view::npos) return {};
  std::string_view after = line.substr(separator + 3);
  const std::string_view type = take_word(after);
  take_word(after);  // the source
  std::string_view options = take_word(after);
  bool wanted = controller == "cgroup2" && type == "cgroup2";
  while (!wanted && type == "cgroup" && !options.empty()) {
    const auto comma = options.find(',');
    wanted = options.substr(0, comma) == controller;
    options.remove_prefix(comma == std::string_view::npos ? options.size() : comma + 1);
  }
  if (!wanted) return {};
  std::string_view before = line.substr(0, separator);
  for (int i = 0; i < 4; ++i) take_word(before);
  return take_word(before);
}

std::optional<Bytes> parse_group_limit(std::string_view text) {
  const auto value = parse_count(text);
  constexpr Bytes kNoLimitFrom = Bytes{1} << 62;
  if (!value || *value >= kNoLimitFrom) return {};
  return value;
}

ShortText<40> pod_uid_of(std::string_view path) {
  std::size_t at = 0;
  while ((at = path.find("pod", at)) != std::string_view::npos) {
    at += 3;
    for (const std::size_t length : {std::size_t{36}, std::size_t{32}}) {
      const std::string_view uid = path.substr(at, length);
      if (uid.size() != length || !is_uid(uid)) continue;
      std::array<char, 40> dashed{};
      std::transform(uid.begin(), uid.end(), dashed.begin(), [](char c) { return c == '_' ? '-' : c; });
      return ShortText<40>(std::string_view(dashed.data(), length));
    }
  }
  return {};
}

std::optional<PodDirectory> parse_pod_directory(std::string_view name) {
  const auto first = name.find('_');
  const auto last = name.rfind('_');
  if (first == std::string_view::npos || first == last || first == 0) return {};
  const PodDirectory found{name.substr(0, first), name.substr(first + 1, last - first - 1),
                           name.substr(last + 1)};
  if (found.pod.empty() || !is_uid(found.uid)) return {};
  return found;
}

}  // namespace offheap::host
