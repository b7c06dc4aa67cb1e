// SPDX-License-Identifier: Apache-2.0
#include "oomlog/frame.h"

#include <algorithm>
#include <array>

#include "oomlog/line.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

/// The position of "hh:mm:ss" in the first `within` bytes.
std::size_t find_time_of_day(std::string_view text, std::size_t within) {
  for (std::size_t at = 0; at + 8 <= std::min(text.size(), within); ++at) {
    if (text[at + 2] == ':' && text[at + 5] == ':' && is_digit(text[at]) && is_digit(text[at + 1]) &&
        is_digit(text[at + 3]) && is_digit(text[at + 4]) && is_digit(text[at + 6]) &&
        is_digit(text[at + 7])) {
      return at;
    }
  }
  return std::string_view::npos;
}

/// "123.456789", as the kernel prints its clock, with what some vendors add after it.
bool parse_clock(std::string_view inner, LogFrame& frame) {
  inner = skip_blanks(inner);
  if (inner.starts_with('+')) return true;  // dmesg's difference to the line before: no time
  const std::size_t seconds = count_digits(inner);
  if (seconds == 0 || seconds > 12 || seconds >= inner.size() || inner[seconds] != '.') return false;
  const std::size_t fraction = count_digits(inner.substr(seconds + 1));
  if (fraction < 2 || fraction > 9) return false;
  const std::size_t length = seconds + 1 + fraction;
  const std::string_view rest = skip_blanks(inner.substr(length));
  if (!rest.empty() && rest.front() != '<' && rest.front() != '@' && rest.front() != ',') return false;
  std::string_view digits = inner;
  std::int64_t us = *eat_number(digits) * 1'000'000;
  std::int64_t unit = 100'000;
  for (std::size_t i = 0; i < std::min<std::size_t>(fraction, 6); ++i, unit /= 10)
    us += (inner[seconds + 1 + i] - '0') * unit;
  frame.clock = inner.substr(0, length);
  frame.clock_us = us;
  return true;
}

/// "T123", "C0": who printed it. "0:  swapper/0:    1" and "1234:init" are vendors' ways to say it.
bool parse_caller(std::string_view inner, LogFrame& frame) {
  std::string_view rest = skip_blanks(inner);
  if (rest.size() < 2) return false;
  if ((rest.front() == 'T' || rest.front() == 'C') && count_digits(rest.substr(1)) == rest.size() - 1) {
    const bool thread = rest.front() == 'T';
    rest.remove_prefix(1);
    const auto id = eat_number(rest);
    if (thread) frame.caller = id;
    return true;
  }
  const std::size_t digits = count_digits(rest);
  return digits > 0 && digits < rest.size() && rest[digits] == ':' && frame.clock_us.has_value();
}

/// "Di Aug 12 03:54:03 2025", "2026-07-25T14:23:17.5Z", "Nov28 12:45".
bool parse_bracketed_wall(std::string_view inner, LogFrame& frame) {
  const std::size_t time = find_time_of_day(inner, inner.size());
  if (time != std::string_view::npos) {
    if (time >= 11 && is_digit(inner[0]) && inner[4] == '-') {
      frame.wall = inner;
      return true;
    }
    std::string_view rest = inner;
    eat_token(rest);
    rest = skip_blanks(rest);
    if (rest.size() < 8 || !is_digit(inner.back())) return false;
    frame.wall = rest;
    return true;
  }
  const bool minutes = inner.size() >= 11 && inner.size() <= 13 && inner[inner.size() - 3] == ':' &&
                       is_digit(inner.back()) && !is_digit(inner.front());
  if (minutes) frame.wall = inner;
  return minutes;
}

/// A bracket at the front that belongs to the frame, taken off `text`.
bool eat_bracket(std::string_view& text, LogFrame& frame) {
  const auto end = text.find(']');
  if (text.empty() || text.front() != '[' || end == std::string_view::npos || end > 64) return false;
  const std::string_view inner = text.substr(1, end - 1);
  const bool first_clock = frame.clock.empty() && parse_clock(inner, frame);
  if (!first_clock && !parse_caller(inner, frame) &&
      (!frame.wall.empty() || !parse_bracketed_wall(inner, frame)))
    return false;
  if (first_clock && !frame.clock.empty() && frame.origin == Origin::kUnknown)
    frame.origin = Origin::kKernel;
  text.remove_prefix(end + 1);
  frame.framed = true;
  if (!eat(text, ": ")) eat(text, " ");
  return true;
}

/// "6,1234,567890,-;" and "6,1234,567890,-,caller=T12;" of /dev/kmsg.
bool eat_kmsg(std::string_view& text, LogFrame& frame) {
  std::string_view rest = text;
  std::array<std::string_view, 3> numbers;
  for (std::string_view& number : numbers) {
    const std::size_t digits = count_digits(rest);
    if (digits == 0 || digits > 19 || digits >= rest.size() || rest[digits] != ',') return false;
    number = rest.substr(0, digits);
    rest.remove_prefix(digits + 1);
  }
  const auto end = rest.find(';');
  if (end > 64) return false;  // npos too
  if (auto caller = rest.substr(0, end).find(",caller=T"); caller != std::string_view::npos) {
    std::string_view id = rest.substr(caller + 9, end - caller - 9);
    frame.caller = eat_number(id);
  }
  std::string_view priority = numbers[0];
  // The bits above the level are the facility; 0 is the kernel's.
  frame.origin = *eat_number(priority) / 8 == 0 ? Origin::kKernel : Origin::kOther;
  frame.wall = frame.clock = numbers[2];
  std::string_view us = numbers[2];
  frame.clock_us = eat_number(us);
  frame.framed = frame.whole_record = true;
  text = rest.substr(end + 1);
  return true;
}

/// "<6>" and RFC 5424's "<6>1 ".
bool eat_priority(std::string_view& text, LogFrame& frame) {
  if (!text.starts_with('<')) return false;
  const std::size_t digits = count_digits(text.substr(1));
  if (digits == 0 || digits > 3 || digits + 1 >= text.size() || text[digits + 1] != '>') return false;
  text.remove_prefix(digits + 2);
  if (text.starts_with("1 ") && text.size() > 6 && is_digit(text[2]) && text[6] == '-')
    text.remove_prefix(2);
  frame.framed = true;
  return true;
}

/// "kern  :warn  : " of dmesg -x, "kern: warning: " of Talos; what follows them is a bracket or a text.
bool eat_facility(std::string_view& text, LogFrame& frame) {
  constexpr std::array<std::string_view, 6> facilities = {"kern", "user",   "daemon",
                                                          "auth", "syslog", "local"};
  for (std::string_view facility : facilities) {
    std::string_view rest = text;
    if (!eat(rest, facility)) continue;
    rest = skip_blanks(rest);
    if (!eat(rest, ":")) continue;
    rest = skip_blanks(rest);
    while (!rest.empty() && is_lower(rest.front())) rest.remove_prefix(1);
    rest = skip_blanks(rest);
    if (!eat(rest, ":")) continue;
    frame.origin = facility == "kern" ? Origin::kKernel : Origin::kOther;
    frame.framed = true;
    text = skip_blanks(rest);
    return true;
  }
  return false;
}

/// "kernel: ", "kernel[0]: ", "kernel : ".
bool eat_kernel_name(std::string_view& text, LogFrame& frame) {
  std::string_view rest = text;
  if (!eat(rest, "kernel") && !eat(rest, "Kernel")) return false;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end > 12) return false;  // npos too
    rest.remove_prefix(end + 1);
  }
  rest = skip_blanks(rest);
  if (!eat(rest, ":") && !rest.starts_with("- - -")) return false;
  eat(rest, "- - - ");
  eat(rest, " ");
  frame.origin = Origin::kKernel;
  frame.framed = true;
  text = rest;
  return true;
}

/// Length of a wall time at the front: syslog's in any language, RFC 3339's, or seconds since 1970.
std::size_t wall_length(std::string_view text) {
  const std::size_t epoch = count_digits(text);
  if (epoch == 10 && text.size() > 11) {
    std::size_t length = epoch;
    if (text[length] == '.') length += 1 + count_digits(text.substr(length + 1));
    if (length < text.size() && text[length] == ' ') return length;
  }
  const std::size_t time = find_time_of_day(text, 36);
  if (time == std::string_view::npos) return 0;
  if (text.substr(0, time).find_first_of("[=(\"{;") != std::string_view::npos) return 0;
  std::size_t length = time + 8;
  if (length < text.size() && (text[length] == '.' || text[length] == ',') &&
      count_digits(text.substr(length + 1)) > 0)
    length += 1 + count_digits(text.substr(length + 1));
  const std::string_view zone = text.substr(length);
  if (zone.starts_with('Z')) {
    length += 1;
  } else if (zone.size() > 5 && (zone[0] == '+' || zone[0] == '-') &&
             count_digits(zone.substr(1)) >= 2) {
    length += zone[3] == ':' ? std::size_t{6} : std::size_t{5};
  }
  // "Mon Jan  1 00:00:00 2024 host"
  if (length + 5 < text.size() && text[length] == ' ' && count_digits(text.substr(length + 1)) == 4 &&
      text[length + 1] == '2' && text[length + 5] == ' ')
    length += 5;
  return std::min(length, text.size());
}

/// Whether `token` is what a syslog writes for another program: "containerd[12]:", "sshd:".
bool is_program(std::string_view token) {
  return token.size() > 1 && token.ends_with(':') && !token.starts_with('(');
}

/// Takes host and program off a line whose wall time is gone.
void eat_host(std::string_view& text, LogFrame& frame) {
  text = skip_blanks(text);
  // "| vcpu-0| I005: Guest: ": a virtual machine's console in its host's log
  if (const auto guest = text.substr(0, 64).find("Guest: "); guest != std::string_view::npos) {
    text.remove_prefix(guest + 7);
    return;
  }
  for (std::string_view stream : {"stdout F ", "stderr F ", "stdout P ", "stderr P "})
    if (eat(text, stream)) return;
  std::string_view rest = text;
  for (int token = 0; token < 6 && !rest.empty(); ++token) {
    if (starts_kernel_text(rest)) {
      text = rest;
      return;
    }
    std::string_view bracket = rest;
    LogFrame probe = frame;
    if (eat_kernel_name(rest, frame) || (rest.starts_with('[') && eat_bracket(bracket, probe))) {
      text = rest;
      return;
    }
    const std::string_view word = eat_token(rest);
    if (word == "invoked") return;
    if (is_program(word) && (token > 0 || word.ends_with("]:"))) {
      frame.origin = Origin::kOther;
      text = skip_blanks(rest);
      return;
    }
    rest = skip_blanks(rest);
  }
}

bool eat_wall(std::string_view& text, LogFrame& frame) {
  if (!frame.wall.empty()) return false;
  const std::size_t length = wall_length(text);
  if (length == 0) return false;
  frame.wall = text.substr(0, length);
  frame.framed = true;
  text.remove_prefix(length);
  // dmesg --time-format=iso has no host: the text may begin with a name of several words
  const bool dmesg = frame.wall.find(',') != std::string_view::npos && frame.wall.find('T') == 10;
  if (dmesg) {
    text = skip_blanks(text);
    frame.origin = Origin::kKernel;
    return true;
  }
  eat(text, "|");
  eat_host(text, frame);
  return true;
}

/// "host kernel: " and "host sshd[12]: " after the kernel's clock: journalctl -o short-monotonic.
void eat_host_after_clock(std::string_view& text, LogFrame& frame) {
  std::string_view rest = text;
  eat_token(rest);
  rest = skip_blanks(rest);
  if (eat_kernel_name(rest, frame)) {
    text = rest;
    return;
  }
  const std::string_view program = eat_token(rest);
  if (program.ends_with("]:") && program.find('[') != std::string_view::npos &&
      program.front() != '[' &&
      count_digits(program.substr(program.find('[') + 1)) + 2 == program.size() - program.find('[') - 1)
    frame.origin = Origin::kOther;
}

bool eat_dropped(std::string_view& text, LogFrame& frame) {
  std::string_view rest = text;
  if (!eat(rest, "** ")) return false;
  const auto count = eat_number(rest);
  if (!count || !eat(rest, " printk messages dropped **")) return false;
  frame.dropped += *count;
  frame.origin = Origin::kKernel;
  text = skip_blanks(rest);
  return true;
}

/// Marks of quoting, pasting and pretty-printed JSON.
bool eat_quoting(std::string_view& text) {
  const std::size_t size = text.size();
  text = skip_blanks(text);
  eat(text, "\xef\xbb\xbf");
  while (text.starts_with('>') || text.starts_with("| ")) text = skip_blanks(text.substr(1));
  if (text.starts_with("\"MESSAGE\"")) {
    std::string_view rest = skip_blanks(text.substr(9));
    if (eat(rest, ":")) {
      rest = skip_blanks(rest);
      eat(rest, "\"");
      text = rest;
    }
  }
  return text.size() != size;
}

}  // namespace

LogFrame parse_frame(std::string_view line) {
  LogFrame frame;
  std::string_view text = line;
  for (int step = 0; step < 12; ++step) {
    const std::string_view quoted = text;
    if (eat_quoting(text)) {
      // Table rows and stacks keep their blanks' meaning: only what is a frame after them was quoting.
      if (text.empty()) break;
      if (frame.framed) {
        std::string_view probe = text;
        LogFrame copy = frame;
        if (!eat_bracket(probe, copy)) {
          text = quoted;
          break;
        }
      }
    }
    const bool had_clock = !frame.clock.empty();
    if (eat_bracket(text, frame)) {
      if (!had_clock && !frame.clock.empty() && frame.wall.empty()) eat_host_after_clock(text, frame);
      continue;
    }
    if (eat_priority(text, frame) || eat_dropped(text, frame)) continue;
    if (frame.origin != Origin::kOther &&
        (eat_kernel_name(text, frame) ||
         (!frame.framed && (eat_kmsg(text, frame) || eat_facility(text, frame)))))
      continue;
    if (!frame.clock_us && eat_wall(text, frame)) continue;
    if (eat(text, "Guest: ")) {
      frame.framed = true;
      continue;
    }
    break;
  }
  frame.text = trim_end(skip_blanks(text));
  return frame;
}

std::size_t joined_record(std::string_view text) {
  for (std::size_t at = text.find('[', 1); at != std::string_view::npos; at = text.find('[', at + 1)) {
    const auto end = text.find(']', at);
    if (end == std::string_view::npos) return end;
    if (end - at > 64 || end - at < 8) continue;
    LogFrame frame;
    const std::string_view inner = text.substr(at + 1, end - at - 1);
    if ((parse_clock(inner, frame) && frame.clock_us) || parse_bracketed_wall(inner, frame)) return at;
  }
  return std::string_view::npos;
}

std::string unescape_log(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x' &&
        std::from_chars(text.data() + i + 2, text.data() + i + 4, value, 16).ptr ==
            text.data() + i + 4) {
      out.push_back(static_cast<char>(value));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace offheap
