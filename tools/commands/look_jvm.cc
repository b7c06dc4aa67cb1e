// SPDX-License-Identifier: Apache-2.0
#include "commands/look_jvm.h"

#include <algorithm>
#include <array>

#include "base/ranges.h"
#include "ledger/elf_spans.h"

namespace offheap {
namespace {

Owner owner_of(JavaPart part) {
  constexpr std::array<Owner, 7> owners = {
      Owner::kJavaHeap, Owner::kJavaCodeCache, Owner::kJavaMetaspace, Owner::kJavaClassSpace,
      Owner::kJavaCds,  Owner::kJavaGc,        Owner::kJava};
  return owners[static_cast<std::size_t>(part)];
}

Claim claim_of(const JavaRange& range) { return {range.range, owner_of(range.part), range.label}; }

/// Thread ids of the target's namespace as this one has them.
std::map<std::uint32_t, std::uint32_t> outer_tids(const Look& look) {
  std::map<std::uint32_t, std::uint32_t> outer;
  for (const auto& [host, inner] : look.inner_tids) outer[inner] = host;
  return outer;
}

void use_java_threads(Look& look) {
  const auto outer = outer_tids(look);
  std::set<std::uint32_t> known;
  for (const ThreadStack& stack : look.stacks) known.insert(stack.tid);
  std::map<std::uint32_t, ThreadName*> names;
  for (ThreadName& thread : look.threads) names[thread.tid] = &thread;
  for (JavaThreadInfo& thread : look.jvm->threads) {
    const auto host = outer.find(thread.tid);
    if (host != outer.end()) thread.tid = host->second;
    const auto name = names.find(thread.tid);
    if (name == names.end()) continue;  // it has ended meanwhile
    if (!thread.name.empty()) name->second->name = thread.name;
    if (thread.stack.size() != 0 && !known.contains(thread.tid))
      look.stacks.push_back({thread.tid, thread.stack, 0, 0});
  }
}

bool may_be_inferred(const Mapping& mapping) {
  return mapping.readable && mapping.writable && !mapping.shared && mapping.inode == 0 &&
         mapping.rss_bytes != 0 && (mapping.path.empty() || mapping.path.starts_with("[anon:"));
}

/// What of `mappings` no range of `claimed`, which is sorted, holds.
std::vector<Range> unowned_parts(const std::vector<Mapping>& mappings,
                                 const std::vector<Range>& claimed) {
  std::vector<Range> parts;
  auto next = claimed.begin();
  for (const Mapping& mapping : mappings) {
    if (!may_be_inferred(mapping)) continue;
    Address at = mapping.range.begin;
    while (next != claimed.end() && next->end <= at) ++next;
    for (auto claim = next; claim != claimed.end() && claim->begin < mapping.range.end; ++claim) {
      if (claim->begin > at) parts.push_back({at, claim->begin});
      at = std::max(at, claim->end);
    }
    if (at < mapping.range.end) parts.push_back({at, mapping.range.end});
  }
  return parts;
}

}  // namespace

std::unique_ptr<Hotspot> read_jvm(const Process& process, const MemoryReader& memory, Look& look) {
  if (libjvm_path(look.mappings).empty()) return nullptr;
  auto hotspot = Hotspot::find(memory, look.mappings, open_libjvm(process, memory, look.mappings));
  if (!hotspot) {
    look.notes.push_back(
        "the JVM's structures could not be read: its anonymous memory is one owner, java");
    return nullptr;
  }
  look.jvm = hotspot->read();
  use_java_threads(look);
  return hotspot;
}

std::vector<Claim> claims_of_jvm(const HotspotReport& report) {
  std::vector<Claim> claims;
  for (const JavaRange& range : report.ranges) claims.push_back(claim_of(range));
  return claims;
}

std::vector<Claim> infer_jvm_claims(const Hotspot& hotspot, const Look& look,
                                    const MemoryReader& memory, const std::vector<Claim>& claims) {
  const bool ranges_known = look.snapshot && !look.snapshot->backend_ranges.empty();
  const bool foreign = std::any_of(look.mappings.begin(), look.mappings.end(), [](const Mapping& m) {
    return !allocator_of_library(m.path).empty();
  });
  if (!look.heap || (foreign && !ranges_known)) return {};
  std::vector<Range> claimed;
  claimed.reserve(claims.size());
  for (const Claim& claim : claims) claimed.push_back(claim.range);
  for (const ElfSpan& span : find_elf_files(look.mappings, memory).spans) claimed.push_back(span.range);
  std::vector<Claim> inferred;
  for (const JavaRange& range : hotspot.infer(unowned_parts(look.mappings, merged(std::move(claimed)))))
    inferred.push_back(claim_of(range));
  return inferred;
}

}  // namespace offheap
