// SPDX-License-Identifier: Apache-2.0
//
// The thread descriptors of this very process, with words of them and of glibc's lists shown otherwise:
// bounds, tids, links to descriptors that nobody made, in circles too. Whatever they say, stacks are
// mapped memory, none lies in another, and no thread is one that the kernel does not list.
//
//   input = patches of 16 bytes: place, kind, element (2), offset (4), value (8)
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "fuzz.h"
#include "patched_memory.h"
#include "procfs/process_memory.h"
#include "procfs/thread_stacks.h"

namespace {

using offheap::Address;
using offheap::Bytes;

constexpr std::size_t kThreads = 4;
constexpr Bytes kDescriptorBytes = 0xa00;
constexpr Bytes kListOffset = 0x2c0;

/// Shaped as dead threads' descriptors: each names itself and the next.
struct alignas(64) Forged {
  std::array<std::uint64_t, kDescriptorBytes / 8> words{};
};
std::array<Forged, 32> forged;

Address address_of(const void* thing) { return reinterpret_cast<Address>(thing); }

void forge() {
  for (std::size_t i = 0; i < forged.size(); ++i) {
    auto& words = forged[i].words;
    const Address next = address_of(&forged[(i + 1) % forged.size()]) + kListOffset;
    words[0] = words[2] = address_of(&forged[i]);
    words[kListOffset / 8] = words[kListOffset / 8 + 1] = next;
  }
}

/// Threads that wait in the kernel for as long as this process lives.
void start_threads() {
  static std::array<int, 2> never{};
  fuzz::require(pipe(never.data()) == 0, "a pipe can be made");
  const auto wait = [](void*) -> void* {
    char byte = 0;
    (void)!read(never[0], &byte, 1);
    return nullptr;
  };
  for (std::size_t i = 0; i < kThreads; ++i) {
    pthread_t thread{};
    fuzz::require(pthread_create(&thread, nullptr, wait, nullptr) == 0, "a thread can be made");
  }
  usleep(100'000);  // until they wait
}

/// This process, once it has what the fuzzer needs.
offheap::Process open_prepared() {
  forge();
  start_threads();
  return fuzz::whole(offheap::Process::open(getpid()));
}

/// This process as it was read before anything was shown otherwise.
struct Self {
  Self() {
    const auto stacks = fuzz::whole(offheap::find_thread_stacks(process, memory, mappings, false));
    for (const auto& stack : stacks)
      if (stack.thread_pointer != 0) descriptors.push_back(stack.thread_pointer);
    fuzz::require(descriptors.size() > kThreads, "all threads are found while nothing is changed");
    for (const Forged& one : forged) descriptors.push_back(address_of(&one));
  }

  static const Self& get() {
    static const Self self;
    return self;
  }

  offheap::Process process = open_prepared();
  offheap::ProcessMemory memory = fuzz::whole(offheap::ProcessMemory::open(process));
  std::vector<offheap::Mapping> mappings = fuzz::whole(process.read_smaps());
  std::vector<std::uint32_t> tids = fuzz::whole(process.read_thread_ids());
  std::vector<Address> descriptors;
};

/// Kinds: a word of a descriptor; a link of one, to another; bounds, which stand behind the links.
void show(fuzz::PatchedMemory& memory, const Self& self, const fuzz::PatchInput& patch) {
  const Address descriptor = self.descriptors[patch.place % self.descriptors.size()];
  const Address other = self.descriptors[patch.element % self.descriptors.size()];
  const Address behind =
      descriptor + kListOffset + patch.offset % ((kDescriptorBytes - kListOffset) / 8) * 8;
  switch (patch.kind % 4) {
    case 0:
      return memory.show(descriptor + patch.offset % (kDescriptorBytes / 8) * 8, patch.value);
    case 1:
      return memory.show(descriptor + kListOffset + patch.offset % 2 * 8, other + kListOffset);
    case 2:  // a begin somewhere in a mapping
      return memory.show(behind, self.mappings[patch.element % self.mappings.size()].range.begin +
                                     patch.value % 0x10000);
    default:  // a size
      return memory.show(behind, patch.value % (Bytes{1} << 37));
  }
}

Bytes mapped_bytes(std::span<const offheap::Mapping> mappings) {
  Bytes sum = 0;
  for (const auto& mapping : mappings) sum += mapping.range.size();
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Self& self = Self::get();
  fuzz::PatchedMemory memory(self.memory);
  for (const fuzz::PatchInput& patch : fuzz::read_patches({data, size})) show(memory, self, patch);
  const auto stacks = offheap::find_thread_stacks(self.process, memory, self.mappings, false);
  fuzz::require(stacks.ok(), "this process's threads can be listed");
  fuzz::require(size >= sizeof(fuzz::PatchInput) || stacks->size() > kThreads, "all threads are found");
  Address end = 0;
  for (const offheap::ThreadStack& stack : *stacks) {
    fuzz::require(stack.range.begin >= end && stack.range.begin < stack.range.end,
                  "stacks ascend and none lies in another");
    end = stack.range.end;
    fuzz::require(stack.rss_bytes <= stack.range.size() + 2 * offheap::kPageBytes,
                  "a stack's resident bytes fit in it");
    fuzz::require(
        stack.tid == 0 || std::find(self.tids.begin(), self.tids.end(), stack.tid) != self.tids.end(),
        "a thread is one that the kernel lists");
  }
  // What a thread is searched for from its stack pointer, and each stack once.
  fuzz::require(
      memory.bytes_looked_at() <= mapped_bytes(self.mappings) + (kThreads + 1) * (Bytes{1} << 20),
      "no page is looked at for every descriptor that claims it");
  return 0;
}
