// SPDX-License-Identifier: Apache-2.0
//
// Recordings on disk.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>

#include "recording/reader.h"

namespace offheap {
namespace {

// What a reader is ready to load; the rest of a longer file is ignored.
constexpr std::size_t kMaxFileBytes = sizeof(recording::Recording);

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Error file_error(const std::string& path, std::string what, std::string remedy = {}) {
  return {ErrorCode::kUnreadable, std::move(what), path, std::move(remedy)};
}

Error open_error(const std::string& path, int error_number) {
  std::string reason = std::generic_category().message(error_number);
  switch (error_number) {
    case ENOENT:
      return file_error(path, "there is no such recording");
    case ELOOP:
      return file_error(path, "the recording is a symbolic link", "name the file itself");
    case EACCES:
    case EPERM:
      return file_error(path, "the recording may not be read", "run offheap as the recording's owner");
    default:
      return file_error(path, fmt::format("the recording cannot be opened: {}", reason));
  }
}

/// The file's first bytes, `limit` at most.
Result<std::vector<std::byte>> read_file_start(const std::string& path, std::size_t limit) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return open_error(path, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return open_error(path, errno);
  if (S_ISDIR(status.st_mode))
    return file_error(path, "this is a directory, not a recording", "name one of the files in it");
  if (!S_ISREG(status.st_mode)) return file_error(path, "this is no regular file");
  std::vector<std::byte> bytes(std::min<std::size_t>(limit, static_cast<std::size_t>(status.st_size)));
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t count = read(file.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return file_error(path,
                        fmt::format("reading failed: {}", std::generic_category().message(errno)));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

RecordingListEntry list_entry(const std::string& path) {
  RecordingListEntry entry;
  entry.path = path;
  auto snapshot = read_recording_file(path);
  if (!snapshot) {
    entry.problem = snapshot.error().what;
    return entry;
  }
  entry.readable = true;
  entry.pid = snapshot->pid;
  entry.command = snapshot->command;
  entry.process_start_ticks = snapshot->process_start_ticks;
  entry.start_realtime_ns = snapshot->start_realtime_ns;
  return entry;
}

}  // namespace

Result<Snapshot> read_recording_file(const std::string& path) {
  auto bytes = read_file_start(path, kMaxFileBytes);
  if (!bytes) return bytes.error();
  auto snapshot = parse_recording(*bytes);
  if (snapshot) return snapshot;
  Error error = snapshot.error();
  error.where = path;
  return error;
}

Result<std::vector<RecordingListEntry>> list_recordings(const std::string& directory) {
  std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(directory.c_str()), closedir);
  if (!stream)
    return Error{
        ErrorCode::kUnreadable,
        fmt::format("the directory cannot be read: {}", std::generic_category().message(errno)),
        directory, ""};
  std::vector<RecordingListEntry> entries;
  while (const dirent* item = readdir(stream.get())) {
    std::string_view name = item->d_name;
    if (name.ends_with(".offheap"))
      entries.push_back(list_entry(fmt::format("{}/{}", directory, name)));
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    if (a.start_realtime_ns != b.start_realtime_ns) return a.start_realtime_ns > b.start_realtime_ns;
    return a.path < b.path;
  });
  return entries;
}

}  // namespace offheap
