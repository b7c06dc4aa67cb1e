// SPDX-License-Identifier: Apache-2.0
#include "commands/watch_kmsg.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

#include "commands/look.h"

namespace offheap {

KernelLogFollower KernelLogFollower::open() {
  KernelLogFollower log;
  log.file_ = Descriptor(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (log.file_.valid()) {
    // Whether it may be read shows at the first read only.
    char record[8192];
    if (::read(log.file_.get(), record, sizeof record) >= 0 || errno == EAGAIN || errno == EPIPE) {
      ::lseek(log.file_.get(), 0, SEEK_SET);
      return log;
    }
  }
  log.missing_ = fmt::format(
      "the kernel's report is not readable: /dev/kmsg: {}; it takes root or CAP_SYSLOG, and in a "
      "container --device /dev/kmsg",
      std::generic_category().message(errno));
  log.file_ = Descriptor();
  return log;
}

void KernelLogFollower::read() {
  constexpr int kMostRecords = 20'000;
  char record[8192];
  for (int i = 0; i < kMostRecords && file_.valid(); ++i) {
    const ssize_t count = ::read(file_.get(), record, sizeof record);
    if (count < 0 && errno == EPIPE) {
      log_.note_overwritten(1);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    auto reports = log_.feed(std::string_view(record, static_cast<std::size_t>(count)));
    ready_.insert(ready_.end(), std::make_move_iterator(reports.begin()),
                  std::make_move_iterator(reports.end()));
  }
}

std::vector<OomReport> KernelLogFollower::take_reports() {
  auto settled = log_.settled(static_cast<std::int64_t>(monotonic_ns() / 1000));
  ready_.insert(ready_.end(), std::make_move_iterator(settled.begin()),
                std::make_move_iterator(settled.end()));
  return std::exchange(ready_, {});
}

}  // namespace offheap
