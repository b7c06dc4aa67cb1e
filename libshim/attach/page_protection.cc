// SPDX-License-Identifier: Apache-2.0
//
// Reads the map in pieces and looks at the first fields of each line only: "begin-end rw-p ...".
#include "libshim/attach/page_protection.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "libshim/raw_syscall.h"

namespace shim {
namespace {

/// One line of the map, as its characters arrive.
class Line {
 public:
  explicit Line(uint64_t address) : address_(address) {}

  /// True once the line is known to be the one that holds the address; then answer() has it.
  bool take(char c) {
    if (c == '\n') {
      *this = Line(address_);
      return false;
    }
    if (field_ > 2) return false;
    if (c == '-' && field_ == 0) {
      field_ = 1;
    } else if (c == ' ' && field_ == 1) {
      field_ = 2;
    } else if (field_ < 2) {
      (field_ == 0 ? begin_ : end_) = (field_ == 0 ? begin_ : end_) * 16 + digit(c);
    } else if (++flag_ == 2) {  // the second of "rwxp"
      field_ = 3;
      answer_ = c == 'w' ? Protection::kWritable : Protection::kReadOnly;
      return begin_ <= address_ && address_ < end_;
    }
    return false;
  }

  Protection answer() const { return answer_; }

 private:
  static uint64_t digit(char c) { return static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

  uint64_t address_;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
  int field_ = 0;
  int flag_ = 0;
  Protection answer_ = Protection::kUnknown;
};

}  // namespace

Protection protection_of(uint64_t address) {
  long fd = raw_syscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>("/proc/self/maps"),
                        O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return Protection::kUnknown;
  char piece[4096];
  Line line(address);
  Protection found = Protection::kUnknown;
  for (;;) {
    long length = raw_syscall(SYS_read, fd, reinterpret_cast<long>(piece), sizeof piece);
    for (long i = 0; i < length && found == Protection::kUnknown; ++i)
      if (line.take(piece[i])) found = line.answer();
    if (length <= 0 || found != Protection::kUnknown) break;
  }
  raw_syscall(SYS_close, fd);
  return found;
}

}  // namespace shim
