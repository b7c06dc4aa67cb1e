// SPDX-License-Identifier: Apache-2.0
#include "host/own_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "base/format.h"
#include "host/files.h"
#include "host/parse.h"

namespace offheap::host {
namespace {

constexpr std::size_t kMostBytes = std::size_t{8} << 20;
constexpr std::size_t kLeastBytes = std::size_t{384} << 10;
constexpr std::size_t kStackBytes = 64 * 1024;
constexpr Bytes kComfortBytes = Bytes{16} << 20;  ///< with less room it rather leaves the group
constexpr std::size_t kHeapShare = 16;  ///< the heap touched beforehand is a 16th of the block

bool write_file(const char* path, std::string_view text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t written = ::write(fd, text.data(), text.size());
  ::close(fd);
  return written == static_cast<ssize_t>(text.size());
}

struct OwnGroup {
  std::string mount;
  std::optional<Bytes> room_bytes;  ///< nothing: no limit
  bool known = false;
};

/// The least room of the own memory cgroup and those above it.
OwnGroup own_group() {
  static std::array<std::byte, 100 * 1024> first_block;  // there is no other yet
  Arena arena(first_block);
  Files files(arena);
  OwnGroup own;
  std::string unified;
  files.each_line(AT_FDCWD, "/proc/self/mountinfo", [&](std::string_view line) {
    if (own.mount.empty()) own.mount = cgroup_mount_point(line, "memory");
    if (unified.empty()) unified = cgroup_mount_point(line, "cgroup2");
  });
  const bool v1 = !own.mount.empty();
  if (!v1) own.mount = unified;
  const auto text = files.read(AT_FDCWD, "/proc/self/cgroup");
  if (own.mount.empty() || !text) return own;
  own.known = true;
  std::string path(memory_group(*text, v1 ? 1 : 2));
  for (;;) {
    const std::string group = own.mount + path + "/";
    const auto number = [&](const char* name) -> std::optional<Bytes> {
      const auto value = files.read(AT_FDCWD, (group + name).c_str());
      return value ? parse_group_limit(*value) : std::nullopt;
    };
    const auto limit = number(v1 ? "memory.limit_in_bytes" : "memory.max");
    const auto usage = number(v1 ? "memory.usage_in_bytes" : "memory.current");
    if (limit && usage) {
      const Bytes room = *limit - std::min(*limit, *usage);
      own.room_bytes = std::min(own.room_bytes.value_or(room), room);
    }
    if (path.empty() || path == "/") return own;
    path.resize(path.rfind('/'));
  }
}

/// A block that is there to the last page, or none: a page that comes later may never come.
std::span<std::byte> take_block(std::size_t size) {
  void* block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return {};
  // Locking says when the pages are not to be had, where touching them would hang or kill.
  if (::mlock(block, size) != 0 && errno != EPERM && ::geteuid() == 0) {
    ::munmap(block, size);
    return {};
  }
  std::memset(block, 0, size);
  return {static_cast<std::byte*>(block), size};
}

/// A heap that small texts come from without asking the system: freed memory that malloc keeps.
void touch_heap(std::size_t bytes) {
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 0);
  void* heap = std::malloc(bytes);
  if (heap) std::memset(heap, 1, bytes);
  // The optimizer may leave out what nobody reads.
  asm volatile("" : : "r"(heap) : "memory");
  std::free(heap);
}

void touch_stack() {
  std::array<char, kStackBytes> stack;
  std::memset(stack.data(), 1, stack.size());
  asm volatile("" : : "r"(stack.data()) : "memory");
}

void leave_group(OwnMemory& own, Bytes room_bytes) {
  own.left_group = own.root_group >= 0 && ::write(own.root_group, "0", 1) == 1;
  own.notes.push_back(fmt::format("its own cgroup has {} of room left: offheap {}",
                                  format_bytes(room_bytes),
                                  own.left_group ? "went to the root cgroup" : "keeps to less memory"));
}

}  // namespace

std::size_t block_size_for(std::optional<Bytes> room_bytes) {
  if (!room_bytes) return kMostBytes;
  return std::clamp<std::size_t>(*room_bytes / 2 / 4096 * 4096, kLeastBytes, kMostBytes);
}

OwnMemory take_own_memory() {
  OwnMemory own;
  own.spared = write_file("/proc/self/oom_score_adj", "-1000");
  OwnGroup group = own_group();
  own.room_bytes = group.room_bytes;
  if (group.known)
    own.root_group = ::open((group.mount + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
  if (group.room_bytes && *group.room_bytes < kComfortBytes) {
    leave_group(own, *group.room_bytes);
    if (own.left_group) group.room_bytes.reset();
  }
  std::size_t size = block_size_for(group.room_bytes);
  own.block = take_block(size);
  while (own.block.empty() && size > kLeastBytes)
    own.block = take_block(size = std::max(size / 2, kLeastBytes));
  touch_heap(own.block.size() / kHeapShare);
  touch_stack();
  // The whole program where there is room for it: no page of it is to be read from a disk in distress.
  own.locked =
      (!group.room_bytes && ::mlockall(MCL_CURRENT) == 0) || ::mlockall(MCL_CURRENT | MCL_ONFAULT) == 0;
  if (!own.locked) own.notes.emplace_back("its own memory is not locked: that takes CAP_IPC_LOCK");
  if (!own.spared)
    own.notes.emplace_back(
        "the OOM killer may choose offheap: to rule that out takes CAP_SYS_RESOURCE");
  return own;
}

void step_aside(OwnMemory& own) {
  if (own.left_group || own.root_group < 0) return;
  const OwnGroup group = own_group();
  // Not known: not even the files that say it can be opened.
  if (group.known && (!group.room_bytes || *group.room_bytes >= kComfortBytes)) return;
  leave_group(own, group.room_bytes.value_or(0));
}

}  // namespace offheap::host
