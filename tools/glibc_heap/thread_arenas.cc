// SPDX-License-Identifier: Apache-2.0
//
// Static TLS of each thread, read once, and two votes over its words.
#include "glibc_heap/thread_arenas.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "glibc_heap/tcache.h"

namespace offheap {
namespace {

constexpr Bytes kTlsBytes = 4096;  // below the thread pointer; libc is among the first to get its share
constexpr std::size_t kTlsWords = kTlsBytes / sizeof(Address);

struct ThreadTls {
  std::uint32_t tid;
  std::array<Address, kTlsWords> words;  ///< up to the thread pointer
};

std::vector<ThreadTls> read_tls(const MemoryReader& memory, std::span<const ThreadStack> threads) {
  std::vector<ThreadTls> all;
  for (const auto& thread : threads) {
    if (thread.tid == 0 || thread.thread_pointer <= kTlsBytes) continue;
    ThreadTls tls{thread.tid, {}};
    const auto bytes = std::as_writable_bytes(std::span(tls.words));
    const Address begin = thread.thread_pointer - kTlsBytes;
    // What lies below static TLS may not be resident; never fault it in.
    const auto resident = memory.resident_pages({begin, thread.thread_pointer});
    Address from = begin;
    if (!resident.empty() && !resident.front())
      from = std::min(thread.thread_pointer, align_up(begin + 1, kPageBytes));
    if (from == thread.thread_pointer) continue;
    if (memory.read(from, bytes.subspan(from - begin)) == thread.thread_pointer - from)
      all.push_back(tls);
  }
  return all;
}

/// The word that most threads agree is a `kind`, by `is_one`; kTlsWords when there is none.
template <typename Predicate>
std::size_t vote(const std::vector<ThreadTls>& all, Predicate is_one) {
  std::array<std::size_t, kTlsWords> votes{};
  std::unordered_map<Address, bool> asked;  // threads share most of their words, and a look is a call
  asked.emplace(0, false);
  for (const auto& tls : all) {
    for (std::size_t i = 0; i < kTlsWords; ++i) {
      const auto [word, fresh] = asked.try_emplace(tls.words[i], false);
      if (fresh) word->second = is_one(word->first);
      if (word->second) ++votes[i];
    }
  }
  const auto most = std::max_element(votes.begin(), votes.end());
  return *most == 0 ? kTlsWords : static_cast<std::size_t>(most - votes.begin());
}

}  // namespace

ThreadArenas find_thread_arenas(const MemoryReader& memory, const MallocLocation& location,
                                std::span<const ThreadStack> threads) {
  ThreadArenas result;
  const auto all = read_tls(memory, threads);
  const std::set<Address> arenas(location.arenas.begin(), location.arenas.end());
  const auto arena_word = vote(all, [&](Address word) { return arenas.contains(word); });
  const auto tcache_word = vote(
      all, [&](Address word) { return read_tcache(memory, word, location.tcache_count).has_value(); });
  for (const auto& tls : all) {
    if (arena_word < kTlsWords && arenas.contains(tls.words[arena_word]))
      result.arena_of.emplace(tls.tid, tls.words[arena_word]);
    if (tcache_word < kTlsWords && read_tcache(memory, tls.words[tcache_word], location.tcache_count))
      result.tcaches.push_back(tls.words[tcache_word]);
  }
  std::sort(result.tcaches.begin(), result.tcaches.end());
  result.tcaches.erase(std::unique(result.tcaches.begin(), result.tcaches.end()), result.tcaches.end());
  return result;
}

}  // namespace offheap
