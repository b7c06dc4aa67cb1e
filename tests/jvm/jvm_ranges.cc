// SPDX-License-Identifier: Apache-2.0
//
// What offheap thinks of a JVM, in a form that can be compared page by page, and what the JVM answers
// to a diagnostic command:
//   jvm_ranges PID               one JSON object: owners of all resident pages as ranges, and figures
//   jvm_ranges PID COMMAND       the JVM's own text
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "attach/hotspot_attach.h"
#include "commands/look.h"

namespace offheap {
namespace {

int fail(const Error& error) {
  fmt::print(stderr, "{}: {} ({})\n", error.what, error.where, error.remedy);
  return static_cast<int>(error.code);
}

/// The resident stretches of one part, as [begin, end, owner].
void print_part(const LedgerPart& part, const MemoryReader& memory, const char*& separator) {
  const std::vector<bool> resident = memory.resident_pages(part.range);
  std::size_t first = 0;
  for (std::size_t i = 0; i <= resident.size(); ++i) {
    if (i < resident.size() && resident[i]) continue;
    if (i > first) {
      fmt::print("{}[{},{},\"{}\"]", separator, part.range.begin + first * kPageBytes,
                 part.range.begin + i * kPageBytes, owner_name(part.owner));
      separator = ",\n";
    }
    first = i + 1;
  }
}

void print_jvm(const HotspotReport& jvm) {
  if (jvm.heap)
    fmt::print(",\"heap_reserved_bytes\":{},\"heap_committed_bytes\":{}", jvm.heap->reserved_bytes,
               jvm.heap->committed_bytes);
  if (jvm.heap && jvm.heap->used_bytes) fmt::print(",\"heap_used_bytes\":{}", *jvm.heap->used_bytes);
  Bytes code_bytes = 0;
  for (const CodeHeap& heap : jvm.code_heaps) code_bytes += heap.used_bytes;
  fmt::print(",\"code_used_bytes\":{},\"gc\":\"{}\",\"thread_count\":{}", code_bytes, jvm.gc,
             jvm.threads.size());
  if (jvm.direct && jvm.direct->capacity_bytes)
    fmt::print(",\"direct_bytes\":{}", *jvm.direct->capacity_bytes);
}

int print_ranges(const Process& process) {
  const auto memory = ProcessMemory::open(process);
  if (!memory) return fail(memory.error());
  const auto look = take_look(process, {});
  if (!look) return fail(look.error());
  if (!look->jvm) return fail({ErrorCode::kUnreadable, "no JVM was read", "", ""});
  fmt::print("{{\"rss_bytes\":{},\"unknown_bytes\":{}", look->ledger.rss_bytes,
             look->ledger.rss_of(Owner::kUnknown));
  print_jvm(*look->jvm);
  fmt::print(",\"ranges\":[\n");
  const char* separator = "";
  for (const LedgerPart& part : look->ledger.parts) print_part(part, *memory, separator);
  fmt::print("]}}\n");
  return 0;
}

int print_answer(const Process& process, const std::string& command) {
  const auto attach = HotspotAttach::open(process);
  if (!attach) return fail(attach.error());
  const auto text = attach->diagnose(command);
  if (!text) return fail(text.error());
  std::fputs(text->c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace offheap

int main(int count, char** arguments) {
  if (count < 2) return 2;
  const auto process = offheap::Process::open(std::atoi(arguments[1]));
  if (!process) return offheap::fail(process.error());
  return count > 2 ? offheap::print_answer(*process, arguments[2]) : offheap::print_ranges(*process);
}
