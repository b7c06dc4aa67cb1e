// SPDX-License-Identifier: Apache-2.0
//
// Feeding: frames off, broken lines joined, joined lines broken, then the classifier; and when a report
// is given out. What each line does to a report is in joiner.cc.
#include "oomlog/oom_log.h"

#include <algorithm>
#include <utility>

#include "oomlog/finish.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

constexpr std::size_t kLineBytes = 65536;  ///< of a longer line only the beginning is looked at
constexpr std::int64_t kOpenSeconds = 60;
constexpr std::uint64_t kOpenLines = 20000;
constexpr std::uint64_t kBodyLines = 2000;

/// A copy without colours and NULs; most lines have neither and are not copied.
std::string without_controls(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\0') continue;
    if (line[i] != '\x1b') {
      out.push_back(line[i]);
      continue;
    }
    if (i + 1 < line.size() && line[i + 1] == '[') {
      ++i;
      while (i + 1 < line.size() && (is_digit(line[i + 1]) || line[i + 1] == ';')) ++i;
      ++i;  // the letter that ends the sequence
    }
  }
  return out;
}

/// Whether a number or a name ends the line, of which a part may be missing.
bool ends_in_word(std::string_view text) {
  return !text.empty() && text.back() != ':' && text.back() != ')' && text.back() != '.';
}

}  // namespace

void OomLog::stamp(const LogFrame& frame) {
  // A line without a time was printed with the line before it.
  if (!frame.wall.empty()) now_.time.wall = frame.wall;
  if (frame.clock_us) {
    now_.time.clock = frame.clock;
    now_.time.clock_us = frame.clock_us;
  } else if (!frame.wall.empty()) {
    now_.time.clock.clear();
    now_.time.clock_us.reset();
  }
  now_.caller = frame.caller;
}

bool OomLog::continues(const LogFrame& frame) const {
  if (!has_pending_ || pending_pieces_ >= 4 || frame.framed || frame.text.empty()) return false;
  const bool surely_cut =
      pending_.ends_with(',') || pending_.ends_with("oom-killer:") || pending_.starts_with("oom-kill:");
  if (!pending_framed_ && !surely_cut) return false;
  return continues_text(pending_, frame.text);
}

std::vector<OomReport> OomLog::feed(std::string_view record) {
  ++line_number_;
  const bool finished = record.ends_with('\n');
  while (!record.empty() && (record.back() == '\n' || record.back() == '\r')) record.remove_suffix(1);
  std::string_view line = record.substr(0, kLineBytes);
  std::string clean;
  if (line.find('\x1b') != std::string_view::npos || line.find('\0') != std::string_view::npos) {
    clean = without_controls(line);
    line = clean;
  }
  // A record of several lines, as /dev/kmsg gives it: the text, then " KEY=value" lines.
  if (const auto end = line.find('\n'); end != std::string_view::npos) line = line.substr(0, end);
  LogFrame frame = parse_frame(line);
  notes_.printk_dropped += frame.dropped;
  if (frame.origin == Origin::kOther) {
    take_pending();
    close_old();
    return take_complete();
  }
  if (continues(frame)) {
    if (!broken_in_word(pending_, frame.text)) pending_ += ' ';
    pending_ += frame.text;
    ++pending_pieces_;
    has_pending_ = may_continue(pending_);
    if (!has_pending_) {
      has_pending_ = true;
      take_pending();
    }
    return take_complete();
  }
  take_pending();
  if (frame.origin == Origin::kUnknown && !starts_kernel_text(frame.text)) {
    const auto begin = find_kernel_text(line);
    if (begin != std::string_view::npos && begin > 0) frame.text = trim_end(line.substr(begin));
  }
  stamp(frame);
  if (!finished && ends_in_word(frame.text)) {
    // The log may end here in the middle of a number: whatever has no unit after it does not count.
    pending_ = frame.text.substr(0, frame.text.find_last_of(" ,") + 1);
    pending_stamp_ = now_;
    has_pending_ = true;
    pending_pieces_ = 4;
    if (frame.whole_record) pending_ = frame.text;
    return take_complete();
  }
  if (!frame.whole_record && may_continue(frame.text)) {
    pending_ = frame.text;
    pending_stamp_ = now_;
    has_pending_ = true;
    pending_framed_ = frame.framed;
    pending_pieces_ = 0;
    return take_complete();
  }
  take_record(frame.text);
  return take_complete();
}

void OomLog::take_pending() {
  if (!has_pending_) return;
  has_pending_ = false;
  const std::string text = std::exchange(pending_, {});
  const Stamp later = std::exchange(now_, pending_stamp_);
  take_record(text);
  now_ = later;
}

/// A record, which rsyslog may have put on one line ("#012") and a terminal may have joined to the
/// next.
void OomLog::take_record(std::string_view text) {
  close_old();
  while (!text.empty()) {
    const auto newline = text.find("#012");
    std::string_view part = text.substr(0, newline);
    text = newline == std::string_view::npos ? std::string_view{} : text.substr(newline + 4);
    const auto joined = part.size() > 1 ? joined_record(part) : std::string_view::npos;
    take_text(trim_end(skip_blanks(part.substr(0, joined))));
    if (joined == std::string_view::npos) continue;
    const LogFrame frame = parse_frame(part.substr(joined));
    stamp(frame);
    take_text(frame.text);
  }
}

void OomLog::take_text(std::string_view text) {
  const OpenReport* open = body();
  const Line line = classify(text, open ? open->columns : std::nullopt);
  std::visit([this](const auto& kind) { on(kind); }, line);
}

std::vector<OomReport> OomLog::flush() {
  take_pending();
  for (OpenReport& open : open_) finish(open);
  open_.clear();
  return take_complete();
}

std::vector<OomReport> OomLog::settled(std::int64_t now_us, std::int64_t quiet_us) {
  take_pending();
  for (auto it = open_.begin(); it != open_.end();) {
    const auto& last = it->last.clock_us;
    if (it->report.victims.empty() || !last || now_us - *last < quiet_us) {
      ++it;
      continue;
    }
    finish(*it);
    it = open_.erase(it);
  }
  return take_complete();
}

bool OomLog::wants_every_line() const {
  if (has_pending_ || line_number_ < wanted_until_) return true;
  return std::any_of(open_.begin(), open_.end(), [this](const OpenReport& open) {
    const bool reading = open.panicked ? !open.report.panic_pid : open.report.victims.empty();
    return reading && !open.superseded && line_number_ - open.last_line < kBodyLines;
  });
}

void OomLog::close_old() {
  while (!open_.empty()) {
    OpenReport& oldest = open_.front();
    const bool over = open_.size() > kOpenReports || line_number_ - oldest.last_line > kOpenLines ||
                      !recent(oldest, kOpenSeconds);
    if (!over) return;
    finish(oldest);
    open_.pop_front();
  }
}

void OomLog::finish(OpenReport& open) {
  OomReport& report = open.report;
  if (report.victims.empty() && open.selected) {
    const bool child =
        std::find(sacrificing_.begin(), sacrificing_.end(), *open.selected->pid) != sacrificing_.end();
    if (open.selected_cut || child) {
      report.selected_only_pid = open.selected->pid;
      notes_.selected_without_kill.push_back(*open.selected->pid);
    } else {
      report.victims.push_back(*open.selected);
    }
  }
  if (report.victims.empty() && open.limit_named && report.has_header && open.body_lines == 0) {
    // A log that was filtered down to these two lines says that a task was killed, but not which.
    OomVictim victim;
    victim.source = VictimSource::kLimit;
    victim.time = open.limit_time;
    report.victims.push_back(std::move(victim));
  }
  if (report.group) {
    for (OomVictim& victim : open.loose) report.victims.push_back(std::move(victim));
    open.loose.clear();
  }
  finish_report(report, open.rows);
  if (report.page_kb) notes_.page_kb = notes_.page_kb ? notes_.page_kb : report.page_kb;
  const bool says_something = !report.victims.empty() || report.has_header || open.limit_named ||
                              !report.panic.empty() || report.no_killable || report.selected_only_pid;
  if (says_something) complete_.push_back(std::move(report));
  for (OomVictim& victim : open.loose) {
    OomReport alone;
    alone.memcg_kill = true;
    alone.time = victim.time;
    alone.victims.push_back(std::move(victim));
    complete_.push_back(std::move(alone));
  }
}

std::vector<OomReport> OomLog::take_complete() { return std::exchange(complete_, {}); }

}  // namespace offheap
