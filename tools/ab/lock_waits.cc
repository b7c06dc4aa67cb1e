// SPDX-License-Identifier: Apache-2.0
#include "ab/lock_waits.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "glibc_heap/locate.h"
#include "ledger/ledger.h"

namespace offheap::ab {
namespace {

constexpr std::size_t kMostThreads = 512;
constexpr std::size_t kStackWords = 32;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_libc(std::string_view path) {
  const auto name = file_name(path);
  return name.starts_with("libc.so") || name.starts_with("libc-2.") || name.starts_with("libpthread") ||
         name.starts_with("ld-linux") || name.starts_with("ld-2.");
}

bool is_allocator(std::string_view path) {
  return file_name(path).starts_with("libshim") || !allocator_of_library(file_name(path)).empty();
}

bool holds(const std::vector<Range>& ranges, Address address) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [address](const Range& range) { return range.contains(address); });
}

/// The main arena, looked for in libc's data only: elsewhere it would be a long search.
Address find_main_arena(const MemoryReader& memory, const std::vector<Mapping>& mappings) {
  std::vector<Mapping> of_libc;
  for (const Mapping& mapping : mappings) {
    const bool bss =
        mapping.path.empty() && !of_libc.empty() && of_libc.back().range.end == mapping.range.begin;
    if (is_libc(mapping.path) || bss || mapping.path == "[heap]") of_libc.push_back(mapping);
  }
  const auto found = locate_malloc(memory, of_libc);
  return found && !found->arenas.empty() ? found->arenas.front() : 0;
}

}  // namespace

std::optional<FutexWait> parse_futex_wait(std::string_view text) {
  // number, six arguments, stack pointer, instruction pointer
  std::array<std::uint64_t, 9> words{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    std::string_view word = text.substr(0, end);
    const int base = i == 0 ? 10 : 16;
    if (i != 0) {
      if (!word.starts_with("0x")) return {};
      word.remove_prefix(2);
    }
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), words[i], base);
    if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size()) return {};
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  if (words[0] != SYS_futex) return {};
  return FutexWait{words[1], words[2], words[3], words[4], words[7], words[8]};
}

AllocatorMap AllocatorMap::of(const std::vector<Mapping>& mappings) {
  AllocatorMap map;
  bool after_allocator = false;
  Address end = 0;
  for (const Mapping& mapping : mappings) {
    const bool allocator = is_allocator(mapping.path) ||
                           (mapping.path.empty() && after_allocator && mapping.range.begin == end);
    if (mapping.executable) {
      auto& code = allocator ? map.code : is_libc(mapping.path) ? map.libc_code : map.other_code;
      code.push_back(mapping.range);
    } else if (allocator && mapping.writable) {
      map.data.push_back(mapping.range);
    }
    after_allocator = allocator;
    end = mapping.range.end;
  }
  return map;
}

bool is_allocator_wait(const AllocatorMap& map, const FutexWait& wait, bool names_itself,
                       std::span<const Address> stack_words) {
  if (map.main_arena != 0 && wait.word == map.main_arena) return true;
  if (names_itself || holds(map.data, wait.word)) return true;
  // Condition variables, joins and semaphores wait with a bitset: their callers are not asked for,
  // since what is left on a stack from earlier calls would speak for them.
  constexpr std::uint64_t kContended = 2;
  const bool mutex =
      (wait.operation & FUTEX_CMD_MASK) == FUTEX_WAIT && wait.value == kContended && wait.timeout == 0;
  if (!mutex) return false;
  if (holds(map.code, wait.code)) return true;
  if (holds(map.other_code, wait.code)) return false;
  for (const Address word : stack_words) {
    if (holds(map.code, word)) return true;
    if (holds(map.other_code, word)) return false;
  }
  return false;
}

LockWaits::LockWaits(Process process) : process_(std::move(process)) {
  if (auto memory = ProcessMemory::open(process_))
    memory_ = std::make_unique<ProcessMemory>(std::move(*memory));
}

LockWaits::~LockWaits() = default;

void LockWaits::refresh_threads() {
  const auto tids = process_.read_thread_ids();
  if (!tids) return;
  std::map<std::uint32_t, Descriptor> threads;
  for (const std::uint32_t tid : *tids) {
    if (threads.size() >= kMostThreads) break;
    if (const auto known = threads_.find(tid); known != threads_.end()) {
      threads.emplace(tid, std::move(known->second));
      continue;
    }
    Descriptor file(::openat(process_.directory_fd(), fmt::format("task/{}/syscall", tid).c_str(),
                             O_RDONLY | O_CLOEXEC));
    if (file.valid()) threads.emplace(tid, std::move(file));
  }
  threads_ = std::move(threads);
  threads_per_sampled_ =
      threads_.empty()
          ? 1
          : std::max(1.0, static_cast<double>(tids->size()) / static_cast<double>(threads_.size()));
}

void LockWaits::refresh_map() {
  const auto text = process_.read("maps");
  if (!text) return;
  const auto mappings = parse_smaps(*text);
  if (!mappings) return;
  const Address main_arena = map_.main_arena;
  map_ = AllocatorMap::of(*mappings);
  map_.main_arena = main_arena != 0 ? main_arena : find_main_arena(*memory_, *mappings);
  map_is_read_ = true;
}

bool LockWaits::is_allocators(const FutexWait& wait) const {
  bool names_itself = false;
  // sizeof(heap_info), before the arena at the start of a heap: 32, or 48 since 2.35.
  for (const Bytes heap_info : {Bytes{32}, Bytes{48}})
    names_itself |= memory_->read_value<Address>(wait.word - heap_info) == wait.word;
  std::array<Address, kStackWords> words{};
  const auto got = memory_->read(wait.stack, std::as_writable_bytes(std::span(words)));
  return is_allocator_wait(map_, wait, names_itself, std::span(words).first(got / sizeof(Address)));
}

LockWaits::Count LockWaits::sample(bool refresh) {
  Count count;
  if (!memory_) return count;
  if (refresh || threads_.empty()) refresh_threads();
  if (refresh && map_.main_arena == 0) map_is_read_ = false;
  std::array<char, 256> text{};
  for (const auto& [tid, file] : threads_) {
    const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
    const auto wait =
        got > 0 ? parse_futex_wait({text.data(), static_cast<std::size_t>(got)}) : std::nullopt;
    if (!wait) continue;
    if (!map_is_read_) refresh_map();
    (is_allocators(*wait) ? count.allocator : count.other) += threads_per_sampled_;
  }
  return count;
}

}  // namespace offheap::ab
