// SPDX-License-Identifier: Apache-2.0
//
// One thread's descriptor is found above its stack pointer by its shape; glibc's list of stacks leads
// from it to all others, running threads too, whose stack pointer the kernel does not tell. Where in
// the descriptor the stack's bounds stand is voted on, not assumed.
#include "procfs/thread_stacks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>

#include "procfs/inner_tids.h"
#include "procfs/stop.h"

namespace offheap {
namespace {

// struct pthread, x86_64: tcbhead_t's tcb and self hold its own address; list and tid have stood at
// these offsets since 2.2x.
constexpr Bytes kSelfOffset = 16;
constexpr Bytes kListOffset = 0x2c0;
constexpr Bytes kTidOffset = 0x2d0;
constexpr Bytes kDescriptorAlign = 64;
constexpr Bytes kDescriptorBytes = 0xa00;
constexpr Bytes kScanBytes = 1 << 20;  // a thread that waits is rarely deeper than this
constexpr Bytes kMostStackBytes = Bytes{64} << 30;
constexpr std::size_t kMostSteps = 200'000;  // from node to node of all lists together
constexpr std::size_t kMostOthers = 64;      // nodes of a list that are no descriptors

struct ThreadDescriptor {
  Address address = 0;
  std::uint32_t tid = 0;
};

class StackFinder {
 public:
  StackFinder(const Process& process, const MemoryReader& memory, std::span<const Mapping> mappings,
              std::vector<std::uint32_t> tids, bool may_stop)
      : process_(process),
        memory_(memory),
        mappings_(mappings),
        tids_(std::move(tids)),
        may_stop_(may_stop) {
    const auto inner = read_inner_tids(process, tids_);
    for (const std::uint32_t tid : tids_) {
      const auto own = inner.find(tid);
      tid_of_own_.emplace(own == inner.end() ? tid : own->second, tid);
    }
  }

  std::vector<ThreadStack> find() {
    if (const auto seed = find_seed()) follow_lists(*seed);
    const auto bounds_offset = vote_for_bounds();
    std::vector<ThreadStack> stacks;
    for (const auto& [address, tid] : found_) {
      auto range = tid == main_tid() ? main_stack() : bounds_at(address, bounds_offset);
      if (range && is_mapped(*range)) stacks.push_back({tid, *range, address, 0});
    }
    std::sort(stacks.begin(), stacks.end(),
              [](const auto& a, const auto& b) { return a.range.begin < b.range.begin; });
    // Whoever wrote the descriptors wrote what they say. No page is looked at twice for that.
    Address end = 0;
    std::erase_if(stacks, [&end](const ThreadStack& stack) {
      if (stack.range.begin < end) return true;
      end = stack.range.end;
      return false;
    });
    return stacks;
  }

 private:
  [[nodiscard]] std::uint32_t main_tid() const { return static_cast<std::uint32_t>(process_.pid()); }

  [[nodiscard]] const Mapping* mapping_of(Address address) const {
    const auto next = std::upper_bound(mappings_.begin(), mappings_.end(), address,
                                       [](Address a, const Mapping& m) { return a < m.range.end; });
    return next != mappings_.end() && next->range.contains(address) ? &*next : nullptr;
  }

  /// Whether all of `range` is.
  [[nodiscard]] bool is_mapped(const Range& range) const {
    const auto* mapping = mapping_of(range.begin);
    if (mapping == nullptr) return false;
    const auto* last = mappings_.data() + mappings_.size() - 1;
    while (mapping->range.end < range.end && mapping != last &&
           mapping[1].range.begin == mapping->range.end)
      ++mapping;
    return mapping->range.end >= range.end;
  }

  [[nodiscard]] std::optional<Range> main_stack() const {
    for (const auto& mapping : mappings_)
      if (mapping.path == "[stack]") return mapping.range;
    return std::nullopt;
  }

  /// The stack pointer of a thread that sits in a system call; nothing for a running one.
  [[nodiscard]] std::optional<Address> stack_pointer(std::uint32_t tid) const {
    const auto text = process_.read(fmt::format("task/{}/syscall", tid).c_str());
    if (!text) return std::nullopt;
    // "number args... sp pc", all but the first in hexadecimal; "-1 sp pc" when blocked elsewhere.
    const auto last = text->find_last_of(' ');
    const auto before =
        last == std::string::npos || last == 0 ? last : text->find_last_of(' ', last - 1);
    if (before == std::string::npos || before + 3 > last) return std::nullopt;
    Address value = 0;
    std::from_chars(text->data() + before + 3, text->data() + last, value, 16);
    return value == 0 ? std::nullopt : std::optional(value);
  }

  /// The descriptor at `address`, if there is one: of a living thread, or of a dead one (tid 0).
  [[nodiscard]] std::optional<ThreadDescriptor> descriptor_at(Address address) const {
    if (address % 16 != 0) return std::nullopt;
    const auto tcb = memory_.read_value<Address>(address);
    const auto self = memory_.read_value<Address>(address + kSelfOffset);
    const auto tid = memory_.read_value<std::int32_t>(address + kTidOffset);
    if (!tcb || !self || !tid || *tcb != address || *self != address) return std::nullopt;
    // A thread that died before its stack was cached has tid 0 or, from 2.34 on, -1.
    const auto own = *tid <= 0 ? tid_of_own_.end() : tid_of_own_.find(static_cast<std::uint32_t>(*tid));
    return ThreadDescriptor{address, own == tid_of_own_.end() ? 0 : own->second};
  }

  /// Any descriptor: of a thread that waits in the kernel or, when all run, of one that is asked.
  [[nodiscard]] std::optional<Address> find_seed() const {
    if (const auto waiting = find_waiting_thread()) return waiting;
    if (!may_stop_) return std::nullopt;
    const auto pointer = read_thread_pointer(process_, tids_.back());
    return pointer && descriptor_at(*pointer) ? pointer : std::nullopt;
  }

  [[nodiscard]] std::optional<Address> find_waiting_thread() const {
    for (const auto tid : tids_) {
      if (tid == main_tid()) continue;
      const auto sp = stack_pointer(tid);
      const auto* mapping = sp ? mapping_of(*sp) : nullptr;
      if (mapping == nullptr) continue;
      if (const auto found = scan_upward(*sp, mapping->range.end, tid)) return found;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Address> scan_upward(Address from, Address end, std::uint32_t tid) const {
    from = from / kPageBytes * kPageBytes;
    end = std::min(end, from + kScanBytes);
    const auto resident = memory_.resident_pages({from, end});
    std::array<std::byte, kPageBytes> page{};
    for (std::size_t i = 0; i < resident.size(); ++i) {
      const Address base = from + i * kPageBytes;
      if (!resident[i] || memory_.read(base, page) != page.size()) continue;
      for (Bytes offset = 0; offset < kPageBytes; offset += kDescriptorAlign) {
        Address tcb = 0;
        std::memcpy(&tcb, page.data() + offset, sizeof tcb);
        if (tcb != base + offset) continue;
        const auto found = descriptor_at(base + offset);
        if (found && found->tid == tid) return found->address;
      }
    }
    return std::nullopt;
  }

  /// Follows one circular list from `node`; returns the node that is no descriptor: the list's head.
  std::optional<Address> follow(Address node) {
    const Address first = node;
    std::optional<Address> head;
    std::size_t others = 0;  // the head, and threads that are just being made
    for (; steps_ < kMostSteps && others < kMostOthers; ++steps_) {
      if (const auto descriptor = descriptor_at(node - kListOffset)) {
        if (!found_.emplace(descriptor->address, descriptor->tid).second) break;  // been here
      } else {
        head = node;
        ++others;
      }
      const auto next = memory_.read_value<Address>(node);
      if (!next || *next == first || *next == 0) break;
      node = *next;
    }
    return head;
  }

  /// The heads of used, user and cached stacks stand near each other: in _rtld_global from 2.34 on,
  /// before in libpthread's data and bss. Which is which does not matter, as the descriptors say what
  /// they are.
  void follow_lists(Address seed) {
    const auto head = follow(seed + kListOffset);
    if (!head) return;
    const Range around = data_around(*head);
    std::vector<Address> words(around.size() / sizeof(Address));
    words.resize(memory_.read(around.begin, std::as_writable_bytes(std::span(words))) /
                 sizeof(Address));
    for (std::size_t i = 0; i < words.size(); ++i) {
      const Address candidate = around.begin + i * sizeof(Address);
      if (candidate != *head && is_list_head(candidate, words[i])) follow(words[i]);
    }
  }

  /// Writable memory next to `address`, the bss that follows a library's data included.
  [[nodiscard]] Range data_around(Address address) const {
    constexpr Bytes kNeighbourhood = 32 << 10;
    const auto is_data = [&](Address at) {
      const auto* mapping = mapping_of(at);
      return mapping != nullptr && mapping->readable && mapping->writable;
    };
    const Address page = address / kPageBytes * kPageBytes;
    Range range{page, page + kPageBytes};
    while (page - range.begin < kNeighbourhood && is_data(range.begin - 1)) range.begin -= kPageBytes;
    while (range.end - page < kNeighbourhood && is_data(range.end)) range.end += kPageBytes;
    return range;
  }

  /// Whether a list of descriptors whose first node is `next` hangs at `candidate`.
  [[nodiscard]] bool is_list_head(Address candidate, Address next) const {
    if (next == candidate || next % 8 != 0 || next < kListOffset || mapping_of(next) == nullptr)
      return false;
    const auto back = memory_.read_value<Address>(next + sizeof(Address));
    return back && *back == candidate && descriptor_at(next - kListOffset);
  }

  /// {stackblock, stackblock_size} at `offset` of the descriptor, if they can be a stack around it.
  [[nodiscard]] std::optional<Range> bounds_at(Address descriptor, Bytes offset) const {
    const auto words = memory_.read_value<std::array<std::uint64_t, 2>>(descriptor + offset);
    if (!words) return std::nullopt;
    const auto [begin, size] = *words;
    if (begin == 0 || size == 0 || size > kMostStackBytes) return std::nullopt;
    const Range range{begin, begin + size};
    return range.contains(descriptor) ? std::optional(range) : std::nullopt;
  }

  /// A stack that glibc mapped consists of whole pages; only one of the user's own need not.
  static bool is_whole_pages(const Range& range) {
    return range.begin % kPageBytes == 0 && range.end % kPageBytes == 0;
  }

  [[nodiscard]] Bytes vote_for_bounds() const {
    constexpr std::size_t kVoters = 16;
    std::map<Bytes, std::size_t> votes;
    std::size_t voters = 0;
    for (const auto& [address, tid] : found_) {
      if (tid == main_tid() || ++voters > kVoters) continue;
      for (Bytes offset = kTidOffset; offset < kDescriptorBytes; offset += 8)
        if (const auto range = bounds_at(address, offset); range && is_whole_pages(*range))
          ++votes[offset];
    }
    const auto most = std::max_element(
        votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == votes.end() ? 0 : most->first;
  }

  const Process& process_;
  const MemoryReader& memory_;
  std::span<const Mapping> mappings_;
  std::vector<std::uint32_t> tids_;                    // as we see them, ascending
  std::map<std::uint32_t, std::uint32_t> tid_of_own_;  // by what stands in the descriptors
  bool may_stop_;
  std::size_t steps_ = 0;
  std::map<Address, std::uint32_t> found_;
};

/// Where no descriptor was found the main thread's stack is still known: it is the kernel's own
/// mapping.
void add_main_stack(std::vector<ThreadStack>& stacks, std::span<const Mapping> mappings,
                    std::uint32_t pid) {
  const auto is_main = [pid](const ThreadStack& stack) { return stack.tid == pid; };
  if (std::any_of(stacks.begin(), stacks.end(), is_main)) return;
  for (const auto& mapping : mappings)
    if (mapping.path == "[stack]") stacks.push_back({pid, mapping.range, 0, 0});
}

void measure(std::vector<ThreadStack>& stacks, const MemoryReader& memory) {
  for (auto& stack : stacks) {
    const auto pages = memory.resident_pages(stack.range);
    stack.rss_bytes = static_cast<Bytes>(std::count(pages.begin(), pages.end(), true)) * kPageBytes;
  }
}

}  // namespace

Result<std::vector<ThreadStack>> find_thread_stacks(const Process& process, const MemoryReader& memory,
                                                    std::span<const Mapping> mappings, bool may_stop) {
  const auto threads = process.read_thread_ids();
  if (!threads) return threads.error();
  auto stacks = StackFinder(process, memory, mappings, *threads, may_stop).find();
  add_main_stack(stacks, mappings, static_cast<std::uint32_t>(process.pid()));
  measure(stacks, memory);
  return stacks;
}

}  // namespace offheap
