// SPDX-License-Identifier: Apache-2.0
//
// leak and mmap-growth: something is handed out again and again and never given back. Two witnesses are
// wanted: the process's exact total must rise in each of the latest windows, and the survivors of the
// blamed sites must have been born all over them. One slope alone convicts nobody.
#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "verdict/rules.h"

namespace offheap {
namespace {

bool born_all_over(const SiteEvidence& site) {
  const Bytes sum = std::accumulate(site.born_bytes.begin(), site.born_bytes.end(), Bytes{0});
  const Bytes smallest = *std::min_element(site.born_bytes.begin(), site.born_bytes.end());
  return sum > 0 && static_cast<double>(smallest) >= kLeakBirthShare * static_cast<double>(sum);
}

struct Growers {
  std::vector<const SiteEvidence*> sites;  ///< largest first
  Bytes live_bytes = 0;
  double rate = 0;
};

/// Sites whose own growth is certain and whose survivors were born all over the windows. None can grow
/// faster than the total does, so one that seems to is being replaced as fast as it is filled.
Growers growing_sites(const Evidence& evidence, bool mapping, double total_rate) {
  Growers growers;
  for (const SiteEvidence& site : evidence.sites) {
    if (site.mapping != mapping || site.growth_low <= 0) continue;
    if (total_rate > 0 && site.growth_bytes_per_second > kGrowthOfTotal * total_rate) continue;
    if (site.live_bytes < kLeakSiteBytes || !born_all_over(site)) continue;
    growers.sites.push_back(&site);
    growers.live_bytes += site.live_bytes;
    growers.rate += site.growth_bytes_per_second;
  }
  std::stable_sort(growers.sites.begin(), growers.sites.end(),
                   [](const auto* a, const auto* b) { return a->live_bytes > b->live_bytes; });
  return growers;
}

void add_trend_lines(const Trend& trend, std::string_view what, Verdict& verdict) {
  verdict.evidence.push_back(fmt::format(
      "{} over the latest {}: {} ({} -> {} -> {} -> {}), {}", what, format_duration(trend.window_ns),
      shape_name(trend.shape), format_bytes(trend.floors_bytes[0]), format_bytes(trend.floors_bytes[1]),
      format_bytes(trend.floors_bytes[2]), format_bytes(trend.floors_bytes[3]),
      format_rate(trend.bytes_per_second)));
  if (trend.idle_ns > 0) {
    verdict.evidence.push_back(
        fmt::format("nothing has moved for the last {}", format_duration(trend.idle_ns)));
  }
}

/// Sites of one place added up: they differ only in what a line does not show.
std::vector<SiteEvidence> by_place(const std::vector<const SiteEvidence*>& sites) {
  std::vector<SiteEvidence> places;
  for (const SiteEvidence* site : sites) {
    const auto same = std::find_if(places.begin(), places.end(), [&](const SiteEvidence& place) {
      return place.place == site->place;
    });
    if (same == places.end()) {
      places.push_back(*site);
      continue;
    }
    same->live_bytes += site->live_bytes;
    same->live_low_bytes += site->live_low_bytes;
    same->live_high_bytes += site->live_high_bytes;
    same->growth_bytes_per_second += site->growth_bytes_per_second;
    same->growth_low += site->growth_low;
    same->growth_high += site->growth_high;
  }
  std::stable_sort(places.begin(), places.end(), [](const SiteEvidence& a, const SiteEvidence& b) {
    return a.live_bytes > b.live_bytes;
  });
  return places;
}

void add_site_lines(const Growers& growers, Verdict& verdict) {
  constexpr std::size_t kShown = 3;
  const std::vector<SiteEvidence> places = by_place(growers.sites);
  for (std::size_t i = 0; i < std::min(kShown, places.size()); ++i) {
    const SiteEvidence& site = places[i];
    verdict.evidence.push_back(
        fmt::format("{}: {} live (95 %: {} to {}), {} (95 %: {} to {})", site.place,
                    format_bytes(site.live_bytes), format_bytes(site.live_low_bytes),
                    format_bytes(site.live_high_bytes), format_rate(site.growth_bytes_per_second),
                    format_rate(site.growth_low), format_rate(site.growth_high)));
  }
}

/// A rise that ended longer ago than it was watched is history: a loaded data set looks the same.
bool still_rising(const Trend& trend) {
  return trend.shape == Shape::kRising && trend.idle_ns <= trend.window_ns;
}

bool is_level(Shape shape) {
  return shape == Shape::kFlat || shape == Shape::kPlateau || shape == Shape::kStep ||
         shape == Shape::kFalling;
}

/// Of what is handed out, as much as is resident: untouched pages give nothing back.
Bytes resident_part(const Evidence& evidence, Bytes live_bytes) {
  if (!evidence.malloc || evidence.malloc->obtained.live_bytes == 0) return live_bytes;
  const double share = std::min(1.0, static_cast<double>(evidence.malloc->resident.live_bytes) /
                                         static_cast<double>(evidence.malloc->obtained.live_bytes));
  return static_cast<Bytes>(share * static_cast<double>(live_bytes));
}

double leak_confidence(const Evidence& evidence, const Trend& live, const Growers& growers) {
  if (!still_rising(live)) return 0.5;
  double confidence = 0.6;
  if (!growers.sites.empty()) confidence = 0.75;
  if (!growers.sites.empty() && growers.rate >= kMostOfGrowthShare * live.bytes_per_second)
    confidence = 0.9;
  if (live.idle_ns > live.window_ns / 2) confidence -= 0.15;
  if (evidence.heap && evidence.heap->estimate && !evidence.has_shim) confidence -= 0.2;
  return confidence;
}

Verdict make_leak(const Evidence& evidence, const Trend& live, const Growers& growers) {
  Verdict verdict;
  verdict.kind = VerdictKind::kLeak;
  const bool by_site = !growers.sites.empty();
  verdict.bytes = by_site ? growers.live_bytes : live.rise_bytes;
  verdict.confidence = leak_confidence(evidence, live, growers);
  const double rate = by_site ? growers.rate : live.bytes_per_second;
  verdict.summary =
      by_site ? fmt::format("{} live from {} site{} that only grow{}: {}, mostly {}",
                            format_bytes(verdict.bytes), growers.sites.size(),
                            growers.sites.size() == 1 ? "" : "s", growers.sites.size() == 1 ? "s" : "",
                            format_rate(rate), growers.sites.front()->place)
              : fmt::format("live bytes rose by {} in {} and were never given back: {}",
                            format_bytes(verdict.bytes), format_duration(live.window_ns),
                            format_rate(rate));
  if (live.shape != Shape::kTooShort) add_trend_lines(live, "live bytes", verdict);
  add_site_lines(growers, verdict);
  verdict.predicted_saving_bytes = resident_part(evidence, verdict.bytes);
  if (verdict.predicted_saving_bytes < verdict.bytes - verdict.bytes / 10) {
    verdict.summary += fmt::format("; {} of it never touched",
                                   format_bytes(verdict.bytes - verdict.predicted_saving_bytes));
    verdict.evidence.push_back(
        fmt::format("{} handed out, of which about {} resident: the rest was never touched, so RSS "
                    "grows less than the leak",
                    format_bytes(verdict.bytes), format_bytes(verdict.predicted_saving_bytes)));
  }
  verdict.remedy =
      by_site ? "free what " + growers.sites.front()->place + " allocates, or bound what keeps it"
              : "find the site: " + how_to_record(evidence) + ", then explain again";
  verdict.proof = look_longer(evidence);
  return verdict;
}

/// Sites may grow inside a level total only as far as the total moves at all, and must do so beyond
/// doubt: of many sites that only come and go, one in forty passes a 95 % interval.
bool fits_inside(const Growers& growers, const Trend& live) {
  for (const SiteEvidence* site : growers.sites) {
    if (site->growth_low < kSureGrowthShare * site->growth_bytes_per_second) return false;
  }
  const double grown = growers.rate * static_cast<double>(live.window_ns) / 1e9;
  return grown <= static_cast<double>(live.spread_bytes + kTrendNoiseBytes);
}

void doubt_growth(const Evidence& evidence, const Trend& live, Findings& findings) {
  const std::string next = look_longer(evidence);
  if (live.shape == Shape::kTooShort && live.idle_ns >= kTrendMinSpan_ns) {
    findings.doubts.push_back(
        {fmt::format("live bytes have not moved for {}: whether they grow under load is not known",
                     format_duration(live.idle_ns)),
         next + ", with load on the target"});
  } else if (live.shape == Shape::kTooShort) {
    findings.doubts.push_back(
        {"whether live bytes grow is not known yet: too little time was watched", next});
  } else if (live.shape == Shape::kSlowing) {
    findings.doubts.push_back({fmt::format("live bytes rose by {} but each window less than the last: "
                                           "a cache being filled, or a leak "
                                           "under falling load",
                                           format_bytes(live.rise_bytes)),
                               next});
  } else if (live.shape == Shape::kUneven && live.rise_bytes > 0) {
    findings.doubts.push_back(
        {fmt::format("live bytes rose by {}, unevenly", format_bytes(live.rise_bytes)), next});
  } else if (live.shape == Shape::kRising) {
    findings.doubts.push_back(
        {fmt::format(
             "live bytes rose by {} and then nothing moved for {}: a loaded data set, or a leak whose "
             "cause has stopped",
             format_bytes(live.rise_bytes), format_duration(live.idle_ns)),
         next + ", with load on the target"});
  }
}

}  // namespace

std::string how_to_record(const Evidence& evidence) {
  const std::string attach = "`offheap attach " + evidence.target;
  if (evidence.ledger.jvm) return attach + "` (no restart), or restart under `offheap run -- CMD`";
  return "restart under `offheap run -- CMD`, or " + attach + " --inject`";
}

double share_of_rss(const Evidence& evidence, Bytes bytes) {
  if (evidence.ledger.rss_bytes == 0) return 0;
  return static_cast<double>(bytes) / static_cast<double>(evidence.ledger.rss_bytes);
}

std::string percent_of_rss(const Evidence& evidence, Bytes bytes) {
  return fmt::format("{:.0f} % of RSS", 100 * share_of_rss(evidence, bytes));
}

std::string look_longer(const Evidence& evidence) {
  if (!evidence.rss_known) return fmt::format("offheap diff {} LATER-RECORDING", evidence.target);
  return fmt::format("offheap explain {} --for 60s", evidence.target);
}

void judge_leak(const Evidence& evidence, const Trend& live, Findings& findings) {
  const bool by_total = still_rising(live);
  const Growers growers = growing_sites(evidence, false, by_total ? live.bytes_per_second : 0);
  const bool by_sites_alone = !growers.sites.empty() && is_level(live.shape) &&
                              fits_inside(growers, live) &&
                              growers.live_bytes >= finding_threshold(evidence);
  if (by_total || by_sites_alone) {
    findings.verdicts.push_back(make_leak(evidence, live, growers));
  } else {
    doubt_growth(evidence, live, findings);
  }
}

void judge_mmap_growth(const Evidence& evidence, Findings& findings) {
  const Trend trend = classify(evidence.direct_points);
  if (!still_rising(trend)) return;
  const Growers growers = growing_sites(evidence, true, trend.bytes_per_second);
  Verdict verdict;
  verdict.kind = VerdictKind::kMmapGrowth;
  verdict.bytes = growers.sites.empty() ? trend.rise_bytes : growers.live_bytes;
  verdict.confidence = growers.sites.empty() ? 0.65 : 0.9;
  const std::string place =
      growers.sites.empty() ? "the program's own mmaps" : growers.sites.front()->place;
  verdict.summary =
      fmt::format("{} mapped directly, not through malloc, by {}, and growing: {}",
                  format_bytes(verdict.bytes), place, format_rate(trend.bytes_per_second));
  add_trend_lines(trend, "directly mapped bytes", verdict);
  add_site_lines(growers, verdict);
  const Bytes resident = evidence.ledger.rss_of(Owner::kDirectMmaps);
  verdict.evidence.push_back(
      fmt::format("{} of the program's own mappings are resident", format_bytes(resident)));
  verdict.predicted_saving_bytes =
      evidence.rss_known ? std::min(verdict.bytes, resident) : verdict.bytes;
  verdict.remedy = "unmap what " + place + " maps; no allocator setting changes it";
  verdict.proof = look_longer(evidence);
  findings.verdicts.push_back(std::move(verdict));
}

}  // namespace offheap
