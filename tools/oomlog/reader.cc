// SPDX-License-Identifier: Apache-2.0
#include "oomlog/reader.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "oomlog/export_format.h"
#include "oomlog/log_scanner.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

struct GzClose {
  void operator()(gzFile file) const { gzclose(file); }
};
using GzFile = std::unique_ptr<gzFile_s, GzClose>;

Error unreadable(const std::string& path, int error) {
  return {ErrorCode::kUnreadable, "cannot read the log", path,
          error == EACCES || error == EPERM
              ? "it needs read permission on the file: try as root or as a member of group adm"
              : std::string(std::strerror(error))};
}

/// Why the beginning of a file is no log; empty when it may be one.
std::string no_text(std::string_view head) {
  if (head.starts_with("\xff\xfe") || head.starts_with("\xfe\xff"))
    return "it is UTF-16, not a plain text: convert it, iconv -f UTF-16 -t UTF-8";
  if (head.starts_with("\x28\xb5\x2f\xfd")) return "it is compressed: zstd -dc FILE | offheap oom -";
  if (head.starts_with("\xfd"
                       "7zXZ"))
    return "it is compressed: xz -dc FILE | offheap oom -";
  if (head.starts_with("BZh")) return "it is compressed: bzip2 -dc FILE | offheap oom -";
  if (head.starts_with("LPKSHHRH"))
    return "it is a journal file: journalctl -k -o short-monotonic --file FILE | offheap oom -";
  const auto zeros = static_cast<std::size_t>(std::count(head.begin(), head.end(), '\0'));
  if (head.size() >= 64 && zeros > head.size() / 4) return "it is binary: give a text log, gzip or not";
  return {};
}

GzFile open_log(const std::string& path, int& error) {
  const int fd = path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  error = errno;
  if (fd < 0) return {};
  gzFile file = gzdopen(fd, "rb");
  if (file == nullptr) {
    ::close(fd);
    return {};
  }
  gzbuffer(file, kChunk);
  return GzFile(file);
}

/// Keeps the unfinished last line of `text` for the next chunk.
template <typename Sink>
Result<std::uint64_t> read_chunks(const std::string& path, gzFile file, Sink&& sink) {
  std::string buffer;
  std::uint64_t total = 0;
  while (true) {
    const std::size_t kept = buffer.size();
    buffer.resize(kept + kChunk);
    const int count = gzread(file, buffer.data() + kept, kChunk);
    if (count < 0) {
      int code = 0;
      const std::string why = gzerror(file, &code);
      return Error{ErrorCode::kUnreadable, "cannot read the log", path,
                   code == Z_ERRNO ? std::strerror(errno) : "the gzip stream is damaged: " + why};
    }
    buffer.resize(kept + static_cast<std::size_t>(count));
    total += static_cast<std::uint64_t>(count);
    const bool last = count == 0;
    const std::size_t used = sink(std::string_view(buffer), last);
    buffer.erase(0, used);
    if (last) return total;
  }
}

}  // namespace

Result<LogContents> read_log(const std::string& path) {
  int error = 0;
  const GzFile file = open_log(path, error);
  if (!file) return unreadable(path, error);
  LogScanner scanner(path);
  ExportReader journal(scanner);
  bool first = true;
  bool is_export = false;
  std::string refused;
  const auto total =
      read_chunks(path, file.get(), [&](std::string_view text, bool last) -> std::size_t {
        if (first) {
          refused = no_text(text.substr(0, 4096));
          is_export = is_journal_export(text);
          first = false;
        }
        if (!refused.empty()) return text.size();
        return is_export ? journal.take(text, last) : scanner.take(text, last);
      });
  if (!total) return total.error();
  if (!refused.empty()) return Error{ErrorCode::kUsage, "no text log", path, refused};
  LogContents contents = scanner.finish();
  contents.bytes = *total;
  return contents;
}

Result<LogContents> read_kmsg() {
  const std::string path = "/dev/kmsg";
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    const bool right = errno == EPERM || errno == EACCES;
    return Error{ErrorCode::kUnreadable, "cannot read the kernel's log", path,
                 right ? "it needs CAP_SYSLOG (root), or sysctl kernel.dmesg_restrict=0 and read "
                         "permission on the device; without: journalctl -k | offheap oom -"
                       : std::string(std::strerror(errno))};
  }
  LogScanner scanner(path);
  std::array<char, 16384> record;
  std::int64_t expected = -1;
  while (true) {
    const ssize_t size = ::read(fd, record.data(), record.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EPIPE) continue;  // counted by the gap in the sequence numbers
    if (size <= 0) break;
    std::string_view text(record.data(), static_cast<std::size_t>(size));
    std::string_view rest = text;
    const bool numbered = eat_number(rest) && eat(rest, ",");
    if (const auto sequence = numbered ? eat_number(rest) : std::nullopt) {
      if (expected >= 0 && *sequence > expected) scanner.note_overwritten(*sequence - expected);
      expected = *sequence + 1;
    }
    scanner.take_record(text);
  }
  ::close(fd);
  return scanner.finish();
}

}  // namespace offheap
