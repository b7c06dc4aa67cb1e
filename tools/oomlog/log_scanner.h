// SPDX-License-Identifier: Apache-2.0
//
// Finds the few lines of a text that matter and feeds them to the joiner.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oomlog/oom_log.h"
#include "oomlog/reader.h"

namespace offheap {

class LogScanner {
 public:
  explicit LogScanner(std::string source) { contents_.source = std::move(source); }

  /// Takes the next piece of a text. Gives how much of it is used up: the rest, the beginning of a
  /// line, is to come again before what follows it. With `last` all is used.
  std::size_t take(std::string_view text, bool last);

  /// Takes one record that is whole.
  void take_record(std::string_view record);

  void note_overwritten(std::int64_t records) { log_.note_overwritten(records); }

  LogContents finish();

 private:
  void feed(std::string_view line);
  void feed_before(std::string_view text, std::size_t line_begin, std::size_t fed_to);
  void keep(std::vector<OomReport>&& reports);

  LogContents contents_;
  OomLog log_;
};

}  // namespace offheap
