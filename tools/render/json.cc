// SPDX-License-Identifier: Apache-2.0
#include "render/json.h"

#include <algorithm>

#include "render/java.h"

#include "render/cgroup_text.h"

namespace offheap {
namespace {

Json resident_json(const ResidentParts& parts, Bytes rss_bytes) {
  return Json{{"live_bytes", parts.live_bytes},
              {"cached_bytes", parts.cached_bytes},
              {"trimmable_bytes", parts.trimmable_bytes},
              {"pinned_bytes", parts.pinned_bytes},
              {"top_bytes", parts.top_bytes},
              {"metadata_bytes", parts.metadata_bytes},
              {"rss_bytes", rss_bytes}};
}

Json obtained_json(const ObtainedParts& parts) {
  return Json{{"live_bytes", parts.live_bytes},
              {"cached_bytes", parts.cached_bytes},
              {"free_bytes", parts.free_bytes},
              {"metadata_bytes", parts.metadata_bytes}};
}

Json target_json(const TargetLine& target) {
  Json json{{"pid", target.pid}, {"command", target.command}};
  json["container"] = container_json(target.container);
  json["jvm"] = target.jvm
                    ? Json{{"version", or_null(target.jvm_version)}, {"gc", or_null(target.jvm_gc)}}
                    : Json(nullptr);
  json["libc"] = target.libc;
  json["allocator"] = target.allocator;
  json["shim"] = target.has_shim
                     ? Json{{"backend", target.shim_backend}, {"sample_bytes", target.sample_bytes}}
                     : Json(nullptr);
  json["age_ns"] = target.age_ns;
  return json;
}

Json ledger_json(const Ledger& ledger) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < kOwnerCount; ++i) {
    rows.push_back({{"owner", owner_name(static_cast<Owner>(i))},
                    {"rss_bytes", ledger.owners[i].rss_bytes},
                    {"anon_huge_bytes", ledger.owners[i].anon_huge_bytes},
                    {"swap_bytes", ledger.owners[i].swap_bytes}});
  }
  return rows;
}

Json details_json(const Ledger& ledger) {
  constexpr std::size_t kShown = 200;
  Json rows = Json::array();
  for (std::size_t i = 0; i < std::min(kShown, ledger.details.size()); ++i) {
    const LedgerDetail& detail = ledger.details[i];
    rows.push_back({{"owner", owner_name(detail.owner)},
                    {"label", detail.label},
                    {"rss_bytes", detail.rss_bytes},
                    {"parts", detail.part_count}});
  }
  return rows;
}

Json arena_json(const ArenaReport& arena, const std::vector<std::uint32_t>& threads) {
  Json json{{"index", arena.index}, {"address", arena.address}, {"system_bytes", arena.system_bytes}};
  json.update(resident_json(arena.resident, arena.rss_bytes));
  json["obtained"] = obtained_json(arena.obtained);
  json["live_blocks"] = arena.live_block_count;
  json["cached_blocks"] = arena.cached_block_count;
  json["free_chunks"] = arena.free_chunk_count;
  json["attached_threads"] = arena.attached_threads;
  json["swapped_bytes"] = arena.swapped_bytes;
  json["threads"] = threads;
  json["consistent"] = arena.consistent;
  json["pinning"] = Json::array();
  for (const PinningBlock& block : arena.pinning) {
    json["pinning"].push_back({{"address", block.address},
                               {"usable_bytes", block.usable_bytes},
                               {"freed_if_gone_bytes", block.freed_if_gone_bytes},
                               {"cached", block.cached}});
  }
  return json;
}

Json malloc_json(const Explanation& explanation) {
  if (!explanation.malloc) return nullptr;
  Json json = resident_json(explanation.malloc->resident, explanation.malloc->rss_bytes);
  json["open_bytes"] = explanation.malloc->open_bytes;
  json["system_bytes"] = explanation.malloc->system_bytes;
  json["obtained"] = obtained_json(explanation.malloc->obtained);
  json["arenas"] = Json::array();
  if (!explanation.heap) return json;
  const HeapReport& heap = *explanation.heap;
  for (std::size_t i = 0; i < heap.arenas.size(); ++i) {
    const bool known = i < explanation.arena_threads.size();
    json["arenas"].push_back(arena_json(
        heap.arenas[i], known ? explanation.arena_threads[i] : std::vector<std::uint32_t>{}));
  }
  json["mmapped"] = {{"count", heap.mmapped.size()},
                     {"bytes", heap.mmapped_bytes},
                     {"rss_bytes", heap.mmapped_rss_bytes}};
  json["estimate"] = heap.estimate;
  return json;
}

Json backend_json(const recording::BackendStatistics& backend) {
  return Json{
      {"allocated_bytes", backend.allocated_bytes}, {"active_bytes", backend.active_bytes},
      {"resident_bytes", backend.resident_bytes},   {"mapped_bytes", backend.mapped_bytes},
      {"retained_bytes", backend.retained_bytes},   {"metadata_bytes", backend.metadata_bytes},
      {"cached_bytes", backend.cached_bytes},       {"central_free_bytes", backend.central_free_bytes},
      {"page_free_bytes", backend.page_free_bytes}, {"arena_count", backend.arena_count}};
}

Json threads_json(const std::vector<ThreadLine>& threads) {
  Json rows = Json::array();
  for (const ThreadLine& thread : threads) {
    rows.push_back({{"tid", thread.tid},
                    {"name", thread.name},
                    {"allocated_bytes", or_null(thread.allocated_bytes)},
                    {"freed_bytes", or_null(thread.freed_bytes)},
                    {"stack_rss_bytes", or_null(thread.stack_rss_bytes)}});
  }
  return rows;
}

Json site_json(const SiteLine& site) {
  Json json{{"live_bytes", site.live_bytes},
            {"requested_bytes", site.requested_bytes},
            {"live_bytes_low", site.live_bytes_low},
            {"live_bytes_high", site.live_bytes_high}};
  json["growth_bytes_per_second"] =
      site.growth_known ? Json(site.growth_bytes_per_second) : Json(nullptr);
  json["growth_low"] = site.growth_known ? Json(site.growth_low) : Json(nullptr);
  json["growth_high"] = site.growth_known ? Json(site.growth_high) : Json(nullptr);
  json["live_count"] = site.live_count;
  json["sample_count"] = site.sample_count;
  json["kind"] = site.mapping ? "mmap" : "malloc";
  json["truncated"] = site.truncated;
  json["allocated_by"] = site.allocated_by.empty() ? Json(nullptr) : Json(site.allocated_by);
  json["frames"] = Json::array();
  for (const Frame& frame : site.frames) {
    Json line{{"function", frame.function}, {"module", frame.module}, {"kind", frame.kind}};
    if (frame.bci) line["bci"] = *frame.bci;
    json["frames"].push_back(std::move(line));
  }
  return json;
}

Json verdicts_json(const std::vector<Verdict>& verdicts) {
  Json rows = Json::array();
  for (const Verdict& verdict : verdicts) {
    rows.push_back({{"kind", verdict_name(verdict.kind)},
                    {"bytes", verdict.bytes},
                    {"confidence", verdict.confidence},
                    {"summary", verdict.summary},
                    {"remedy", verdict.remedy},
                    {"predicted_saving_bytes", verdict.predicted_saving_bytes},
                    {"evidence", verdict.evidence},
                    {"proof", verdict.proof}});
  }
  return rows;
}

Json self_json(const SelfLine& self, const Ledger& ledger) {
  Json json{{"pause_ns", self.pause_ns},
            {"total_pause_ns", self.total_pause_ns},
            {"estimate", self.estimate},
            {"settled_bytes", ledger.settled_bytes}};
  json["checks"] = Json::array();
  for (const SelfCheck& check : self.checks)
    json["checks"].push_back({{"name", check.name}, {"ok", check.ok}});
  json["losses"] = {{"live_sample_full", self.losses.live_sample_full_count},
                    {"site_full", self.losses.site_full_count},
                    {"thread_full", self.losses.thread_full_count},
                    {"direct_mapping_full", self.losses.direct_mapping_full_count},
                    {"module_full", self.losses.module_full_count},
                    {"backend_range_full", self.losses.backend_range_full_count},
                    {"arena_full", self.losses.arena_full_count},
                    {"java_name_full", self.losses.java_name_full_count},
                    {"reentrant", self.losses.reentrant_count}};
  json["samples"] = {{"count", self.cost.sample_count},
                     {"timed_count", self.cost.sample_timed_count},
                     {"timed_ns", self.cost.sample_ns}};
  return json;
}

Json watch_json(const std::optional<WatchLine>& watch) {
  if (!watch) return nullptr;
  Json json{{"watched_ns", watch->watched_ns}, {"rss_growth_bytes", watch->rss_growth_bytes}};
  json["owners"] = Json::array();
  for (const OwnerGrowth& owner : watch->owners) {
    json["owners"].push_back({{"owner", owner_name(owner.owner)}, {"growth_bytes", owner.bytes}});
  }
  return json;
}

}  // namespace

Json to_json(const Explanation& explanation) {
  Json json{{"schema", "offheap.explain/1"}};
  json["target"] = target_json(explanation.target);
  json["rss_bytes"] = explanation.rss_known ? Json(explanation.ledger.rss_bytes) : Json(nullptr);
  json["ledger"] = explanation.rss_known ? ledger_json(explanation.ledger) : Json::array();
  json["details"] = details_json(explanation.ledger);
  json["malloc"] = malloc_json(explanation);
  json["java"] = java_json(explanation);
  json["backend"] = explanation.backend ? backend_json(*explanation.backend) : Json(nullptr);
  json["threads"] = threads_json(explanation.threads);
  json["sites"] = Json::array();
  for (const SiteLine& site : explanation.sites) json["sites"].push_back(site_json(site));
  json["site_count"] = explanation.site_count;
  json["cgroup"] = cgroup_json(explanation.cgroup, explanation.group);
  json["watch"] = watch_json(explanation.watch);
  json["verdicts"] = verdicts_json(explanation.verdicts);
  json["notes"] = explanation.notes;
  json["self"] = self_json(explanation.self, explanation.ledger);
  return json;
}

std::string json_text(const Json& document) {
  // ASCII only: a terminal may act on some of what is beyond it.
  return document.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace offheap
