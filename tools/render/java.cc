// SPDX-License-Identifier: Apache-2.0
#include "render/java.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "render/sanitise.h"

namespace offheap {
namespace {

/// Flags that say how memory is bounded or how the JVM may be reached; others only if somebody set
/// them.
constexpr std::array kFlagsShown = {"MaxHeapSize",           "InitialHeapSize",
                                    "MaxRAMPercentage",      "MaxDirectMemorySize",
                                    "MaxMetaspaceSize",      "CompressedClassSpaceSize",
                                    "ReservedCodeCacheSize", "ThreadStackSize",
                                    "UseCompressedOops",     "UseContainerSupport",
                                    "AlwaysPreTouch",        "UseTransparentHugePages",
                                    "NativeMemoryTracking",  "DisableAttachMechanism",
                                    "ReduceSignalUsage",     "EnableDynamicAgentLoading"};

bool is_shown(const std::string& name, const VmFlag& flag) {
  if (flag.set_by_user || (name.starts_with("Use") && name.ends_with("GC"))) return true;
  return std::find(kFlagsShown.begin(), kFlagsShown.end(), name) != kFlagsShown.end();
}

Json flags_json(const VmFlags& flags) {
  Json json = Json::object();
  for (const auto& [name, flag] : flags) {
    if (!is_shown(name, flag)) continue;
    std::visit([&json, &key = name](const auto& value) { json[key] = value; }, flag.value);
  }
  return json;
}

Json user_flags_json(const VmFlags& flags) {
  Json json = Json::array();
  for (const auto& [name, flag] : flags)
    if (flag.set_by_user) json.push_back(name);
  return json;
}

Json heap_json(const HotspotReport& java, Bytes rss_bytes) {
  if (!java.heap) return nullptr;
  return Json{{"used_bytes", or_null(java.heap->used_bytes)},
              {"committed_bytes", java.heap->committed_bytes},
              {"reserved_bytes", java.heap->reserved_bytes},
              {"rss_bytes", rss_bytes}};
}

Json code_json(const HotspotReport& java, Bytes rss_bytes) {
  Json json{{"used_bytes", 0}, {"committed_bytes", 0}, {"reserved_bytes", 0}, {"rss_bytes", rss_bytes}};
  json["heaps"] = Json::array();
  CodeHeap sum;
  for (const CodeHeap& heap : java.code_heaps) {
    sum.used_bytes += heap.used_bytes;
    sum.committed_bytes += heap.committed_bytes;
    sum.reserved_bytes += heap.reserved_bytes;
    json["heaps"].push_back({{"name", heap.name},
                             {"used_bytes", heap.used_bytes},
                             {"committed_bytes", heap.committed_bytes},
                             {"reserved_bytes", heap.reserved_bytes}});
  }
  json["used_bytes"] = sum.used_bytes;
  json["committed_bytes"] = sum.committed_bytes;
  json["reserved_bytes"] = sum.reserved_bytes;
  return json;
}

Json area_json(const std::optional<MetaspaceArea>& area, Bytes rss_bytes) {
  if (!area) return nullptr;
  return Json{{"committed_bytes", area->committed_bytes},
              {"reserved_bytes", area->reserved_bytes},
              {"rss_bytes", rss_bytes}};
}

Json direct_json(const std::optional<DirectMemory>& direct) {
  if (!direct) return nullptr;
  return Json{{"limit_bytes", direct->limit_bytes},
              {"reserved_bytes", or_null(direct->reserved_bytes)},
              {"capacity_bytes", or_null(direct->capacity_bytes)},
              {"count", or_null(direct->count)}};
}

std::string of_most(Bytes bytes, Bytes most) {
  return fmt::format("{} of {}", format_bytes(bytes), format_bytes(most));
}

void add_heap(const HotspotReport& java, Bytes rss_bytes, Page& page) {
  if (!java.heap) return;
  page.line(fmt::format("  heap          {:>11} resident, {} in use, {} committed",
                        format_bytes(rss_bytes),
                        java.heap->used_bytes ? format_bytes(*java.heap->used_bytes) : "?",
                        of_most(java.heap->committed_bytes, java.heap->reserved_bytes)));
}

void add_direct(const HotspotReport& java, Page& page) {
  if (!java.direct) return;
  const DirectMemory& direct = *java.direct;
  if (direct.reserved_bytes) {
    page.line(fmt::format("  direct        {:>11} in {} buffers (blocks of malloc), limit {}",
                          format_bytes(*direct.reserved_bytes), direct.count.value_or(0),
                          format_bytes(direct.limit_bytes)));
  } else {
    page.line(fmt::format("  direct        {:>11}  limit {}", "?", format_bytes(direct.limit_bytes)));
  }
}

}  // namespace

Json java_json(const Explanation& explanation) {
  if (!explanation.java) return nullptr;
  const HotspotReport& java = *explanation.java;
  const Ledger& ledger = explanation.ledger;
  Json json{{"version", java.version}, {"release", java.release}, {"gc", java.gc}};
  json["heap"] = heap_json(java, ledger.rss_of(Owner::kJavaHeap));
  json["code_cache"] = code_json(java, ledger.rss_of(Owner::kJavaCodeCache));
  json["metaspace"] = area_json(java.metaspace, ledger.rss_of(Owner::kJavaMetaspace));
  json["class_space"] = area_json(java.class_space, ledger.rss_of(Owner::kJavaClassSpace));
  json["direct"] = direct_json(java.direct);
  // Null where the count was cut short.
  json["class_count"] = java.classes.complete ? Json(java.classes.class_count) : Json(nullptr);
  json["loader_count"] = java.classes.complete ? Json(java.classes.loader_count) : Json(nullptr);
  json["thread_count"] = java.threads.size();
  json["flags"] = flags_json(java.flags);
  json["flags_set"] = user_flags_json(java.flags);
  return json;
}

void add_java(const Explanation& explanation, Page& page) {
  if (!explanation.java) return;
  const HotspotReport& java = *explanation.java;
  const Ledger& ledger = explanation.ledger;
  std::string heading = fmt::format("JVM {} {}, {} Java threads", sanitise(java.release, 40), java.gc,
                                    java.threads.size());
  if (java.classes.complete) {
    heading +=
        fmt::format(", {} classes of {} loaders", java.classes.class_count, java.classes.loader_count);
  }
  page.heading(heading);
  add_heap(java, ledger.rss_of(Owner::kJavaHeap), page);
  CodeHeap code;
  for (const CodeHeap& heap : java.code_heaps) {
    code.used_bytes += heap.used_bytes;
    code.reserved_bytes += heap.reserved_bytes;
  }
  page.line(fmt::format("  code cache    {:>11} resident, {} in use",
                        format_bytes(ledger.rss_of(Owner::kJavaCodeCache)),
                        of_most(code.used_bytes, code.reserved_bytes)));
  if (java.metaspace) {
    page.line(fmt::format("  metaspace     {:>11} resident, {} committed",
                          format_bytes(ledger.rss_of(Owner::kJavaMetaspace)),
                          format_bytes(java.metaspace->committed_bytes)));
  }
  if (java.class_space) {
    page.line(
        fmt::format("  class space   {:>11} resident, {} committed",
                    format_bytes(ledger.rss_of(Owner::kJavaClassSpace)),
                    of_most(java.class_space->committed_bytes, java.class_space->reserved_bytes)));
  }
  add_direct(java, page);
}

}  // namespace offheap
