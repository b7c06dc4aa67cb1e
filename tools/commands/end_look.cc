// SPDX-License-Identifier: Apache-2.0
#include "commands/end_look.h"

#include <fmt/format.h>

#include "commands/gather.h"
#include "commands/look.h"
#include "ledger/malloc_totals.h"
#include "recording/reader.h"

namespace offheap {
namespace {

/// A heap of glibc's that nobody uses is still found: under another allocator it is not the one meant.
bool other_allocator_is_in_use(const Look& look) {
  if (look.snapshot) return look.snapshot->backend_kind != recording::BackendKind::kGlibc;
  return !look.ledger.foreign_allocator.empty();
}

std::optional<MallocTotals> totals_of(const Look& look, std::vector<std::string>& notes) {
  if (look.snapshot) {
    if (const auto totals = backend_totals(*look.snapshot, look.ledger.rss_of(Owner::kBackendRanges)))
      return totals;
  }
  if (!other_allocator_is_in_use(look) && look.heap && look.heap->found)
    return total_of_heap(*look.heap);
  notes.emplace_back(look.heap && other_allocator_is_in_use(look)
                         ? "this allocator's heap cannot be read from outside: free bytes are not known"
                         : "no heap was found: live and free bytes are not known");
  return {};
}

}  // namespace

ab::EndLook look_at_end(pid_t pid, bool standing) {
  ab::EndLook end;
  const auto process = Process::open(pid);
  if (!process) {
    end.notes.push_back("not seen at its end: " + process.error().what);
    return end;
  }
  LookOptions options;
  options.pause = !standing;
  const auto look = take_look(*process, options);
  if (!look) {
    end.notes.push_back(
        fmt::format("not seen at its end: {} ({})", look.error().what, look.error().remedy));
    return end;
  }
  end.values["end_rss_bytes"] = static_cast<double>(look->ledger.rss_bytes);
  const auto totals = totals_of(*look, end.notes);
  if (!totals) {
    if (look->snapshot && look->snapshot->allocated_bytes > look->snapshot->freed_bytes)
      end.values["live_bytes"] =
          static_cast<double>(look->snapshot->allocated_bytes - look->snapshot->freed_bytes);
    return end;
  }
  const ResidentParts& parts = totals->resident;
  const auto free_resident = static_cast<double>(parts.cached_bytes + parts.trimmable_bytes +
                                                 parts.pinned_bytes + parts.top_bytes);
  end.values["live_bytes"] = static_cast<double>(totals->obtained.live_bytes);
  end.values["free_resident_bytes"] = free_resident;
  if (parts.live_bytes != 0) {
    const auto live = static_cast<double>(parts.live_bytes);
    end.values["fragmentation_ratio"] = (live + free_resident) / live;
  } else {
    end.notes.emplace_back("which live bytes were resident is not known: no fragmentation ratio");
  }
  return end;
}

std::string backend_of(pid_t pid) {
  const auto process = Process::open(pid);
  if (!process) return {};
  const auto memory = ProcessMemory::open(*process);
  const auto mappings = process->read_smaps();
  if (!memory || !mappings || !find_recording(*mappings)) return {};
  const auto snapshot = read_live_recording(*memory, *mappings);
  if (!snapshot) return {};
  return snapshot->backend_name.substr(0, snapshot->backend_name.find("-0-g"));
}

}  // namespace offheap
