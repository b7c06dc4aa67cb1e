// SPDX-License-Identifier: Apache-2.0
//
// Lines in, reports out: the joiner. It attaches lines to reports by pid first, by thread or path
// second and by order last, keeps a few open reports and nothing else, and so reads a log of any
// length.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oomlog/frame.h"
#include "oomlog/line.h"
#include "oomlog/report.h"

namespace offheap {

/// A log being read. One instance a source.
///
/// Thread: one at a time. Bounds: at most kOpenReports open reports of at most kTaskRows rows each.
class OomLog {
 public:
  /// Takes the next line of a log, or a record as read from /dev/kmsg, with or without its newline, and
  /// gives the reports that are complete by now. A report is complete when no later line can belong to
  /// it: a minute of the log passed, or many lines.
  std::vector<OomReport> feed(std::string_view record);

  /// Gives what is still open, as it is: at the end of a log, or when nothing came for a while.
  std::vector<OomReport> flush();

  /// For a live log: gives the reports whose victim is named and whose last line came `quiet_us` or
  /// more before `now_us` (the kernel's clock, nearly CLOCK_MONOTONIC). What comes later about them is
  /// lost.
  std::vector<OomReport> settled(std::int64_t now_us, std::int64_t quiet_us = 1'000'000);

  /// Counts records that were overwritten before they could be read.
  void note_overwritten(std::int64_t records) { notes_.overwritten += records; }

  /// Whether the next line matters whatever it says; else a line without has_mark() may be left out.
  [[nodiscard]] bool wants_every_line() const;

  [[nodiscard]] const OomNotes& notes() const { return notes_; }

  static constexpr std::size_t kOpenReports = 8;
  static constexpr std::size_t kTaskRows = 32768;

 private:
  /// When and by which thread a line was printed.
  struct Stamp {
    LogTime time;
    std::optional<std::int64_t> caller;
  };

  struct OpenReport {
    OomReport report;
    std::vector<OomTask> rows;
    std::optional<TableHeadLine> columns;
    std::vector<OomVictim> loose;  ///< killed right after it: of its group if a group shows
    std::optional<OomVictim> selected;
    std::optional<std::int64_t> caller;
    bool selected_cut = false;
    bool has_event = false;
    bool superseded = false;  ///< a later report began: lines join it by pid, thread or path only
    bool stats_open = false;  ///< the next "key number" lines are its memory.stat
    bool panicked = false;
    std::string stats_path;
    bool limit_named = false;
    LogTime limit_time;
    std::int64_t body_lines = 0;  ///< besides the header and `Task in`
    std::uint64_t last_line = 0;
    LogTime last;
  };

  struct Orphan {
    std::int64_t pid = 0;
    std::string comm, kernel;
    std::uint64_t line = 0;
  };

  void take_pending();
  void take_record(std::string_view text);
  void take_text(std::string_view text);
  bool continues(const LogFrame& frame) const;
  void stamp(const LogFrame& frame);

  void on(std::monostate) {}
  void on(const HeaderLine& line);
  void on(const CpusetLine& line);
  void on(const CpuLine& line);
  void on(const LimitLine& line);
  void on(const UsageLine& line);
  void on(const StatsHeadLine& line);
  void on(const StatLine& line);
  void on(const PagesLine& line);
  void on(const HostLine& line);
  void on(const ZoneLine& line);
  void on(const TableHeadLine& line);
  void on(const TaskRowLine& line);
  void on(const EventLine& line);
  void on(const SelectedLine& line);
  void on(const KilledLine& line);
  void on(const GroupLine& line);
  void on(const ReaperLine& line);
  void on(const RemarkLine& line);
  void on(const PanicLine& line);
  void on(const SuppressedLine& line);
  void on(const TaskStateLine& line);
  void on(const LockLine& line);
  void on(const StackLine& line);

  OpenReport& start(bool supersede);
  OpenReport* body();  ///< the report that a line of its middle belongs to, by thread or by order
  OpenReport& body_or_new();
  OpenReport* with_victim(std::int64_t pid);
  OpenReport* with_row(std::int64_t pid);
  OpenReport* report_of_event(const EventLine& line);
  OpenReport* report_of_kill(const KilledLine& line);
  bool repeats(const KilledLine& line);
  bool keep_loose(const KilledLine& line);
  void touch(OpenReport& open);
  [[nodiscard]] bool recent(const OpenReport& open, std::int64_t seconds) const;

  void close_old();
  void finish(OpenReport& open);
  std::vector<OomReport> take_complete();

  std::deque<OpenReport> open_;
  std::vector<OomReport> complete_;
  OomNotes notes_;
  std::deque<std::int64_t> killed_;       ///< the latest victims, for lines about them that come late
  std::deque<std::int64_t> sacrificing_;  ///< selected tasks whose child died in their place
  std::optional<Orphan> orphan_;          ///< "CPU: ... PID:" without a header before it
  std::uint64_t line_number_ = 0;
  std::uint64_t wanted_until_ = 0;
  Stamp now_;
  std::string pending_;  ///< a line that may go on
  Stamp pending_stamp_;
  bool has_pending_ = false;
  bool pending_framed_ = false;
  int pending_pieces_ = 0;
};

/// Whether a line has one of the words that every line has which opens a report or follows a kill.
bool has_mark(std::string_view line);

/// The first place at or after `from` where such a word stands; npos when there is none.
std::size_t find_mark(std::string_view text, std::size_t from);

}  // namespace offheap
