// SPDX-License-Identifier: Apache-2.0
//
// One line on stderr while something takes over a second; nothing where stderr is no terminal.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "base/format.h"

namespace offheap {

class Progress {
 public:
  explicit Progress(std::string_view what) : what_(what), terminal_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done_ns, std::uint64_t total_ns) {
    constexpr std::uint64_t kQuiet_ns = 1'000'000'000;
    if (!terminal_ || total_ns <= kQuiet_ns) return;
    shown_ = true;
    const auto line =
        fmt::format("\r\x1b[K{} {} of {}", what_, format_duration(done_ns), format_duration(total_ns));
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  }

 private:
  std::string_view what_;
  bool terminal_;
  bool shown_ = false;
};

}  // namespace offheap
