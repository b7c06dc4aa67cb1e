// SPDX-License-Identifier: Apache-2.0
#include "watch/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

namespace offheap {
namespace {

constexpr const char* kLockName = "lock";
constexpr const char* kStateName = "state.json";
constexpr std::string_view kPartial = ".partial.";
constexpr Bytes kBlockBytes = 4096;

Error store_error(std::string what, const std::string& where, int code) {
  return {ErrorCode::kUnreadable, fmt::format("{}: {}", what, std::generic_category().message(code)),
          where, "name a directory that this user may write: --store DIR"};
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

template <typename Take>
void for_each_name(int directory, const Take& take) {
  const Descriptor again(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again.valid()) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(::dup(again.get())), ::closedir);
  if (!stream) return;
  while (const dirent* item = ::readdir(stream.get())) take(std::string(item->d_name));
}

}  // namespace

Result<Store> Store::open_for_agent(const std::string& directory, Bytes bound_bytes) {
  std::error_code problem;
  const std::filesystem::path path(directory);
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), problem);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return store_error("the store cannot be made", directory, errno);
  Descriptor descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!descriptor.valid()) return store_error("the store cannot be opened", directory, errno);
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0 || status.st_uid != ::geteuid())
    return Error{ErrorCode::kUnreadable, "the store belongs to somebody else", directory,
                 "name a directory of this user: --store DIR"};
  ::fchmod(descriptor.get(), 0700);
  Store store(directory, std::move(descriptor), bound_bytes);
  const auto locked = store.take_lock();
  if (!locked) return locked.error();
  store.remove_partial();
  return store;
}

Result<Store> Store::open_for_reading(const std::string& directory) {
  Descriptor descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid()) {
    return Error{ErrorCode::kUnreadable,
                 fmt::format("the store cannot be read: {}", std::generic_category().message(errno)),
                 directory, "name the directory that `offheap watch` writes, as its user: --store DIR"};
  }
  return Store(directory, std::move(descriptor), 0);
}

Result<bool> Store::take_lock() {
  lock_ = Descriptor(
      ::openat(directory_.get(), kLockName, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock_.valid()) return store_error("the store cannot be written", path_, errno);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(lock_.get(), F_SETLK, &lock) == 0) return true;
  if (errno != EACCES && errno != EAGAIN)
    return store_error("the store cannot be locked", path_, errno);
  lock.l_type = F_WRLCK;
  ::fcntl(lock_.get(), F_GETLK, &lock);
  return Error{ErrorCode::kUsage,
               lock.l_pid > 0
                   ? fmt::format("another offheap watch (pid {}) holds this store", lock.l_pid)
                   : "another offheap watch, of another pid namespace, holds this store",
               path_, "stop it, or name another directory: --store DIR"};
}

void Store::remove_partial() const {
  for_each_name(directory_.get(), [this](const std::string& name) {
    if (name.find(kPartial) != std::string::npos) ::unlinkat(directory_.get(), name.c_str(), 0);
  });
}

std::vector<StoreEntry> Store::list() const {
  std::vector<StoreEntry> entries;
  for_each_name(directory_.get(), [&](const std::string& name) {
    auto entry = parse_entry_name(name);
    struct stat status {};
    if (!entry || ::fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (!S_ISREG(status.st_mode)) return;
    entry->bytes = (static_cast<Bytes>(status.st_size) + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    entries.push_back(std::move(*entry));
  });
  std::sort(entries.begin(), entries.end(), [](const StoreEntry& a, const StoreEntry& b) {
    return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.name < b.name;
  });
  return entries;
}

Result<std::string> Store::read(const std::string& name) const {
  const Descriptor file(
      ::openat(directory_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0)
    return store_error("the file cannot be read", path_ + "/" + name, errno);
  if (!S_ISREG(status.st_mode) || static_cast<Bytes>(status.st_size) > kMostBytes)
    return Error{ErrorCode::kUnreadable, "this is no file of a store", path_ + "/" + name, ""};
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::read(file.get(), text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  text.resize(done);
  return text;
}

bool Store::try_write(const std::string& name, std::string_view text) const {
  const std::string partial = fmt::format("{}{}{}", name, kPartial, ::getpid());
  const Descriptor file(::openat(directory_.get(), partial.c_str(),
                                 O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return false;
  // A name that holds half a file would be believed: the data must be there before the name is.
  if (write_all(file.get(), text) && ::fsync(file.get()) == 0 &&
      ::renameat(directory_.get(), partial.c_str(), directory_.get(), name.c_str()) == 0)
    return true;
  const int code = errno;
  ::unlinkat(directory_.get(), partial.c_str(), 0);
  errno = code;
  return false;
}

Result<Bytes> Store::write(const std::string& name, std::string_view text) {
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i) {
    if (try_write(name, text)) return static_cast<Bytes>(text.size());
    if (errno != ENOSPC && errno != EDQUOT) break;
    const auto entries = list();
    if (entries.empty() || entries.front().name == name) {
      errno = ENOSPC;
      break;
    }
    // Twice as much each time: deleting one small file after the other does not make room.
    const std::size_t count = std::min(entries.size(), std::size_t{1} << i);
    for (std::size_t k = 0; k < count; ++k) remove(entries[k].name);
    errno = ENOSPC;
  }
  return store_error("the store cannot be written", path_ + "/" + name, errno);
}

std::size_t Store::drop_above_bound() {
  const auto entries = list();
  const std::size_t count = count_to_drop(entries, bound_bytes_);
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < count; ++i)
    if (remove(entries[i].name)) ++dropped;
  return dropped;
}

bool Store::remove(const std::string& name) {
  return ::unlinkat(directory_.get(), name.c_str(), 0) == 0;
}

StoreState Store::read_state() const {
  const auto text = read(kStateName);
  return text ? parse_state(*text) : StoreState{};
}

Result<Bytes> Store::write_state(const StoreState& state) {
  return write(kStateName, state_text(state));
}

}  // namespace offheap
