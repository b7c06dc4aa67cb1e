// SPDX-License-Identifier: Apache-2.0
//
// The two charts of the picture, as inline SVG: RSS over time, and ratios with their intervals.
#pragma once

#include <string>

#include "ab/summary.h"

namespace offheap::ab {

/// Moments at which the medians are drawn, and given to the script.
inline constexpr std::size_t kMedianSteps = 240;

/// `text` for an element or an attribute in double quotes: & < > " ' escaped; control characters,
/// broken UTF-8 and characters that turn the direction of writing are written out.
std::string html_text(std::string_view text);

/// "var(--e2)": entries keep their colour in every chart and table.
std::string colour_of(std::size_t entry);

/// All runs thin, those that did not finish dashed with a cross at their end; the median of each entry
/// bold. Empty where no run has a point.
std::string rss_chart(const Comparison& comparison, const Summary& summary);

/// A row an entry and metric that is judged, on a logarithmic axis. Empty where there is no ratio.
std::string ratio_chart(const Summary& summary);

}  // namespace offheap::ab
