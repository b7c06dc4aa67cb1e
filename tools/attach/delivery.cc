// SPDX-License-Identifier: Apache-2.0
//
// Everything is made with mkdir or O_EXCL and used through descriptors: nothing that lies in the
// target's directories already, links above all, is ever opened or followed.
#include "attach/delivery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "attach/target_files.h"

namespace offheap {
namespace {

struct Place {
  Descriptor directory;
  std::string path;  ///< as the target sees it
};

std::string random_name() {
  std::uint64_t number = 0;
  (void)!::getrandom(&number, sizeof number, 0);
  return fmt::format(".offheap-{:016x}", number);
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool same_directory(const Descriptor& one, const Descriptor& other) {
  struct stat a {};
  struct stat b {};
  return ::fstat(one.get(), &a) == 0 && ::fstat(other.get(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

/// The working directory, if the link's text is its path as the target sees it: it leads back there.
void add_working_directory(const Process& process, std::vector<Place>* places) {
  auto directory = open_working_directory(process);
  const auto path = read_link(process.directory_fd(), "cwd");
  if (!directory || !path || path->front() != '/') return;
  const auto again = open_directory_in_target(process, *path);
  if (again && same_directory(*directory, *again))
    places->push_back({std::move(*directory), *path == "/" ? "" : *path});
}

Result<std::vector<Place>> find_places(const Process& process) {
  if (auto root = open_directory_in_target(process, "/"); !root) return root.error();
  std::vector<Place> places;
  for (const char* path : {"/tmp", "/dev/shm", "/var/tmp"}) {
    if (auto directory = open_directory_in_target(process, path))
      places.push_back({std::move(*directory), path});
  }
  add_working_directory(process, &places);
  return places;
}

bool allows_code(const Descriptor& directory) {
  struct statvfs status {};
  return ::fstatvfs(directory.get(), &status) != 0 || (status.f_flag & ST_NOEXEC) == 0;
}

}  // namespace

DeliveredFile::DeliveredFile(Descriptor parent, std::string parent_path, std::string directory_name,
                             std::string file_name)
    : parent_(std::move(parent)),
      directory_name_(std::move(directory_name)),
      file_name_(std::move(file_name)),
      path_(fmt::format("{}/{}/{}", parent_path, directory_name_, file_name_)) {}

DeliveredFile::DeliveredFile(DeliveredFile&&) noexcept = default;

DeliveredFile::~DeliveredFile() {
  const int code = errno;
  if (directory_.valid()) ::unlinkat(directory_.get(), file_name_.c_str(), 0);
  if (directory_.valid()) ::unlinkat(parent_.get(), directory_name_.c_str(), AT_REMOVEDIR);
  errno = code;
}

bool DeliveredFile::create(std::string_view bytes) {
  if (::mkdirat(parent_.get(), directory_name_.c_str(), 0700) != 0) return false;
  directory_ = Descriptor(::openat(parent_.get(), directory_name_.c_str(),
                                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!directory_.valid() || ::fstat(directory_.get(), &status) != 0) return false;
  if (status.st_uid != ::geteuid()) {  // not the one that was made just now
    errno = EEXIST;
    return false;
  }
  const Descriptor file(::openat(directory_.get(), file_name_.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700));
  // Readable for the target's user, whatever our umask is; opened only once it is whole.
  return file.valid() && write_all(file.get(), bytes) && ::fchmod(file.get(), 0755) == 0 &&
         ::fchmod(directory_.get(), 0755) == 0;
}

Result<DeliveredFile> DeliveredFile::deliver(const Process& process, std::string_view name,
                                             std::string_view bytes) {
  auto places = find_places(process);
  if (!places) return places.error();
  std::string reasons;
  for (Place& place : *places) {
    const std::string shown = place.path.empty() ? "/" : place.path;
    if (!allows_code(place.directory)) {
      reasons += fmt::format("; {} is mounted noexec", shown);
      continue;
    }
    DeliveredFile file(std::move(place.directory), place.path, random_name(), std::string(name));
    if (file.create(bytes)) return file;
    reasons += fmt::format("; {}: {}", shown, std::strerror(errno));
  }
  return Error{ErrorCode::kUnreadable,
               "the target has no directory where a library can be put for it" + reasons,
               fmt::format("/proc/{}/root", process.pid()),
               "give the container a writable /tmp from which code may be mapped (docker: --tmpfs "
               "/tmp:exec; Kubernetes: an emptyDir at /tmp)"};
}

}  // namespace offheap
