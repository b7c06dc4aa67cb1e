// SPDX-License-Identifier: Apache-2.0
//
// Thread stacks against what the threads themselves say: where they are, whose they are, how much of
// them was touched. STACKS_TARGET in the environment names another build of the program, for another
// glibc.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "procfs/process_memory.h"
#include "procfs/thread_stacks.h"
#include "property/heap_child.h"

namespace offheap {
namespace {

struct SaidThread {
  std::string kind;
  std::uint32_t tid = 0;
  Address address = 0;
  Bytes touched = 0;
};

std::vector<SaidThread> read_said(const Child& child) {
  std::vector<SaidThread> said;
  for (std::string line = child.read_line(); !line.empty() && line != "done";
       line = child.read_line()) {
    SaidThread thread;
    std::istringstream(line) >> thread.kind >> thread.tid >> thread.address >> thread.touched;
    said.push_back(thread);
  }
  return said;
}

const ThreadStack* stack_at(const std::vector<ThreadStack>& stacks, Address address) {
  const auto found = std::find_if(stacks.begin(), stacks.end(),
                                  [&](const ThreadStack& s) { return s.range.contains(address); });
  return found == stacks.end() ? nullptr : &*found;
}

TEST(StacksOfAProcess, LiveAndKept_AreFoundAndMeasured) {
  const char* other = std::getenv("STACKS_TARGET");
  Child child({other != nullptr ? other : STACKS_TARGET});
  const auto said = read_said(child);
  ASSERT_EQ(said.size(), 17U);
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  const auto mappings = process->read_smaps();
  const auto stacks = find_thread_stacks(*process, *memory, *mappings);
  ASSERT_TRUE(stacks.ok());
  EXPECT_EQ(stacks->size(), said.size());
  for (const auto& thread : said) {
    SCOPED_TRACE(thread.kind + " " + std::to_string(thread.tid));
    const auto* stack = stack_at(*stacks, thread.address);
    ASSERT_NE(stack, nullptr);
    EXPECT_LT(stack->rss_bytes, stack->range.size());
    if (thread.kind == "ended") {
      // glibc gives back what lay below the last frame and keeps the rest.
      EXPECT_EQ(stack->tid, 0U);
      EXPECT_GT(stack->rss_bytes, 0U);
      continue;
    }
    constexpr Bytes kOwnFrames = 64 << 10;  // descriptor, static TLS and the frames above
    EXPECT_EQ(stack->tid, thread.tid);
    EXPECT_GE(stack->rss_bytes, thread.touched);
    EXPECT_LE(stack->rss_bytes, thread.touched + kOwnFrames);
  }
}

TEST(StacksOfAProcess, MainThread_HasTheKernelsOwnFigure) {
  const char* other = std::getenv("STACKS_TARGET");
  Child child({other != nullptr ? other : STACKS_TARGET});
  ASSERT_EQ(read_said(child).size(), 17U);
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  const auto mappings = process->read_smaps();
  const auto stacks = find_thread_stacks(*process, *memory, *mappings);
  ASSERT_TRUE(stacks.ok());
  for (const auto& mapping : *mappings) {
    if (mapping.path != "[stack]") continue;
    const auto* stack = stack_at(*stacks, mapping.range.begin);
    ASSERT_NE(stack, nullptr);
    EXPECT_EQ(stack->tid, static_cast<std::uint32_t>(child.pid()));
    EXPECT_EQ(stack->rss_bytes, mapping.rss_bytes);
    return;
  }
  FAIL() << "no [stack]";
}

}  // namespace
}  // namespace offheap
