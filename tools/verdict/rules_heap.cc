// SPDX-License-Identifier: Apache-2.0
//
// retention, fragmentation and unobserved-allocator: what the allocator holds without need, told apart
// by whether it can be given back. Free is not returnable: only whole free pages are.
#include <algorithm>

#include "base/format.h"
#include "verdict/rules.h"

namespace offheap {
namespace {

bool is_backend(const Evidence& evidence, std::string_view name) {
  return evidence.allocator.find(name) != std::string::npos;
}

/// A process under another allocator has a glibc heap too, a small one; then the backend's figures
/// count.
bool is_glibc(const Evidence& evidence) {
  return evidence.heap && evidence.heap->found && !evidence.backend;
}

/// Resident malloc bytes that only huge pages keep; judged there, not here.
Bytes huge_part(const Evidence& evidence) {
  Bytes sum = 0;
  for (Owner owner : {Owner::kMallocArenas, Owner::kMallocMmapped, Owner::kBackendRanges}) {
    sum += evidence.huge_zero_bytes[static_cast<std::size_t>(owner)];
  }
  return sum;
}

/// How far the heap's figures may be trusted.
double heap_confidence(const Evidence& evidence) {
  if (!is_glibc(evidence)) return evidence.malloc->open_bytes < finding_threshold(evidence) ? 0.8 : 0.4;
  if (evidence.heap->estimate) return 0.6;
  const bool consistent = std::all_of(evidence.heap->arenas.begin(), evidence.heap->arenas.end(),
                                      [](const ArenaReport& arena) { return arena.consistent; });
  return consistent ? 0.95 : 0.6;
}

std::string parts_line(const ResidentParts& parts, Bytes rss_bytes) {
  return fmt::format(
      "{} resident = {} live + {} cached + {} trimmable + {} pinned + {} top + {} metadata",
      format_bytes(rss_bytes), format_bytes(parts.live_bytes), format_bytes(parts.cached_bytes),
      format_bytes(parts.trimmable_bytes), format_bytes(parts.pinned_bytes),
      format_bytes(parts.top_bytes), format_bytes(parts.metadata_bytes));
}

void add_pin_lines(const Evidence& evidence, Verdict& verdict) {
  constexpr std::size_t kShown = 3;
  for (std::size_t i = 0; i < std::min(kShown, evidence.pins.size()); ++i) {
    const PinEvidence& pin = evidence.pins[i];
    const std::string blocks = pin.block.block_count == 1
                                   ? fmt::format("one {} block", pin.block.cached ? "cached" : "live")
                                   : fmt::format("{} {} blocks", pin.block.block_count,
                                                 pin.block.cached ? "cached" : "live or cached");
    verdict.evidence.push_back(
        fmt::format("{} of {} at {:#x} in arena {} pin{} {}: free() alone cannot give it back{}",
                    blocks, format_bytes(pin.block.usable_bytes), pin.block.address, pin.arena,
                    pin.block.block_count == 1 ? "s" : "", format_bytes(pin.block.freed_if_gone_bytes),
                    pin.place.empty() ? "" : "; " + pin.place));
  }
}

void add_open_line(const Evidence& evidence, Verdict& verdict) {
  if (evidence.malloc->open_bytes < finding_threshold(evidence)) return;
  verdict.evidence.push_back(
      fmt::format("{} more were freed after the allocator's last statistics: retention or "
                  "fragmentation, which a look while the program allocates will tell",
                  format_bytes(evidence.malloc->open_bytes)));
}

struct Remedy {
  std::string text;
  Bytes saving_bytes = 0;
};

Remedy glibc_retention_remedy(const Evidence& evidence, const ResidentParts& parts) {
  if (parts.trimmable_bytes >= std::max(parts.top_bytes, parts.cached_bytes)) {
    std::string trim = evidence.ledger.jvm
                           ? fmt::format("jcmd {} System.trim_native_heap", evidence.target)
                           : std::string("call malloc_trim(0) after the peak");
    return {trim + "; for good: MALLOC_TRIM_THRESHOLD_=131072, or fewer arenas", parts.trimmable_bytes};
  }
  if (parts.top_bytes >= parts.cached_bytes) {
    return {
        "malloc_trim does not give back the tops of secondary arenas: run with MALLOC_ARENA_MAX=2 and "
        "MALLOC_TRIM_THRESHOLD_=131072",
        parts.top_bytes};
  }
  return {"thread caches hold it: GLIBC_TUNABLES=glibc.malloc.tcache_count=0, or fewer threads",
          parts.cached_bytes};
}

Remedy retention_remedy(const Evidence& evidence, const ResidentParts& parts) {
  if (is_glibc(evidence)) return glibc_retention_remedy(evidence, parts);
  const bool pages = parts.trimmable_bytes >= parts.cached_bytes;
  const Bytes saving = pages ? parts.trimmable_bytes : parts.cached_bytes;
  if (is_backend(evidence, "jemalloc")) {
    if (!pages) return {"MALLOC_CONF=lg_tcache_max:12, or fewer threads", saving};
    return {
        "MALLOC_CONF=background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0: without the thread "
        "an idle "
        "process never decays",
        saving};
  }
  if (is_backend(evidence, "tcmalloc")) {
    if (!pages) return {"TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES=4194304", saving};
    return {"TCMALLOC_RELEASE_RATE=10, or call MallocExtension ReleaseFreeMemory after the peak",
            saving};
  }
  return {"use the allocator's own purge", saving};
}

std::string trim_proof(const Evidence& evidence) {
  if (!is_glibc(evidence)) return fmt::format("offheap explain {} after the change", evidence.target);
  if (evidence.ledger.jvm) {
    return fmt::format("jcmd {0} System.trim_native_heap && offheap explain {0}", evidence.target);
  }
  return fmt::format("gdb -p {0} -batch -ex 'call (int)malloc_trim(0)' && offheap explain {0}",
                     evidence.target);
}

std::string fragmentation_remedy(const Evidence& evidence) {
  const std::string other = is_backend(evidence, "jemalloc") ? "tcmalloc" : "jemalloc";
  const std::size_t arenas = evidence.heap ? evidence.heap->arenas.size() : 0;
  std::string text;
  if (!evidence.pins.empty() && !evidence.pins.front().place.empty()) {
    text = "allocate the pinning blocks (" + evidence.pins.front().place +
           ") before the short-lived ones, or apart from them; ";
  }
  if (arenas > 4) text += fmt::format("{} arenas: MALLOC_ARENA_MAX=2; ", arenas);
  return text +
         fmt::format("another allocator may pack better: offheap run --backend {} -- CMD", other);
}

}  // namespace

void judge_retention(const Evidence& evidence, Findings& findings) {
  if (!evidence.malloc) return;
  const ResidentParts& parts = evidence.malloc->resident;
  const Bytes held = parts.trimmable_bytes + parts.top_bytes + parts.cached_bytes;
  const Bytes bytes = held - std::min(held, huge_part(evidence));
  if (bytes < finding_threshold(evidence)) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kRetention;
  verdict.bytes = bytes;
  verdict.confidence = heap_confidence(evidence);
  verdict.summary = fmt::format(
      "{} freed by the program but kept by {}: {} trimmable + {} in tops of secondary arenas + {} in "
      "thread caches",
      format_bytes(held), evidence.allocator.empty() ? "the allocator" : evidence.allocator,
      format_bytes(parts.trimmable_bytes), format_bytes(parts.top_bytes),
      format_bytes(parts.cached_bytes));
  verdict.evidence.push_back(parts_line(parts, evidence.malloc->rss_bytes));
  add_pin_lines(evidence, verdict);
  if (evidence.backend && !is_glibc(evidence)) {
    verdict.evidence.push_back(
        fmt::format("the allocator's own count: {} allocated, {} in whole free pages",
                    format_bytes(evidence.backend->allocated_bytes),
                    format_bytes(evidence.backend->page_free_bytes)));
  }
  add_open_line(evidence, verdict);
  Remedy remedy = retention_remedy(evidence, parts);
  verdict.remedy = std::move(remedy.text);
  verdict.predicted_saving_bytes = remedy.saving_bytes;
  verdict.proof = trim_proof(evidence);
  findings.verdicts.push_back(std::move(verdict));
}

void doubt_stale_statistics(const Evidence& evidence, Findings& findings) {
  if (!evidence.malloc) return;
  const Bytes open = evidence.malloc->open_bytes;
  if (open < finding_threshold(evidence)) return;
  Doubt doubt;
  doubt.why = fmt::format(
      "{} were freed after {}'s last statistics and are still resident: retention if they lie in whole "
      "pages, fragmentation if live blocks lie between them",
      format_bytes(open), evidence.allocator);
  doubt.next = look_longer(evidence) + ", while the program allocates: that refreshes the statistics";
  doubt.holds_memory = true;
  findings.doubts.push_back(std::move(doubt));
}

void judge_fragmentation(const Evidence& evidence, Findings& findings) {
  if (!evidence.malloc) return;
  const ResidentParts& parts = evidence.malloc->resident;
  const Bytes held = parts.trimmable_bytes + parts.top_bytes + parts.cached_bytes;
  const Bytes huge = huge_part(evidence);
  const Bytes open = evidence.malloc->open_bytes;
  const Bytes sure = parts.pinned_bytes - open;
  const Bytes bytes = sure - std::min(sure, huge - std::min(huge, held));
  if (bytes < finding_threshold(evidence)) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kFragmentation;
  verdict.bytes = bytes;
  verdict.confidence = heap_confidence(evidence) - 0.05;
  verdict.summary = fmt::format(
      "{} free, but on pages that also hold live blocks: {} % of the heap's {} resident; malloc_trim "
      "cannot give "
      "it back",
      format_bytes(sure), evidence.malloc->rss_bytes == 0 ? 0 : 100 * sure / evidence.malloc->rss_bytes,
      format_bytes(evidence.malloc->rss_bytes));
  verdict.evidence.push_back(parts_line(parts, evidence.malloc->rss_bytes));
  add_pin_lines(evidence, verdict);
  add_open_line(evidence, verdict);
  verdict.remedy = fragmentation_remedy(evidence);
  // What another allocator would need cannot be told from here; what the listed blocks hold can.
  for (const PinEvidence& pin : evidence.pins)
    verdict.predicted_saving_bytes += pin.block.freed_if_gone_bytes;
  verdict.predicted_saving_bytes = std::min(verdict.predicted_saving_bytes, sure);
  verdict.proof = "offheap run --backend jemalloc -- CMD, then offheap explain at the same point";
  findings.verdicts.push_back(std::move(verdict));
}

void judge_unobserved_allocator(const Evidence& evidence, Findings& findings) {
  if (!evidence.rss_known || evidence.malloc) return;
  if (evidence.has_shim && !evidence.program_has_own_malloc) return;
  const std::string& library = evidence.ledger.foreign_allocator;
  if (evidence.heap_unread && library.empty() && !evidence.program_has_own_malloc) return;
  const Bytes bytes =
      evidence.ledger.rss_of(Owner::kBackendRanges) + evidence.ledger.rss_of(Owner::kUnknown);
  const bool most =
      static_cast<double>(bytes) >= kUnobservedShare * static_cast<double>(evidence.ledger.rss_bytes);
  if (bytes < finding_threshold(evidence) || !most) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kUnobservedAllocator;
  verdict.bytes = bytes;
  verdict.confidence = evidence.program_has_own_malloc || !library.empty() ? 0.85 : 0.6;
  const std::string who = !library.empty()                  ? library + " (its library is mapped)"
                          : evidence.program_has_own_malloc ? "a malloc inside the program"
                                                            : "an allocator that is not glibc's";
  verdict.summary =
      fmt::format("{} anonymous memory belongs to {}, whose inside cannot be read from here",
                  format_bytes(bytes), who);
  verdict.evidence.push_back(
      "no glibc arena holds it, no thread's stack, no file, and no recording is present");
  verdict.remedy =
      library.empty()
          ? "a program with its own allocator must be asked for its own statistics; without one, "
            "`offheap run -- CMD` records its mmaps"
          : "restart under `offheap run -- CMD`: the recording counts what goes through " + library;
  verdict.proof = fmt::format("offheap doctor {}", evidence.target);
  findings.verdicts.push_back(std::move(verdict));
}

}  // namespace offheap
