// SPDX-License-Identifier: Apache-2.0
//
// A rows file that anybody may have written, through every form of a comparison.
#include <cmath>

#include "ab/report.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace offheap::ab;
  const auto comparison = read_rows({reinterpret_cast<const char*>(data), size});
  if (!comparison) {
    fuzz::require(!comparison.error().where.empty(), "an error says where");
    return 0;
  }
  fuzz::require(!comparison->rows.empty(), "a comparison has rows");
  for (const Row& row : comparison->rows)
    fuzz::require(row.entry < comparison->entries.size(), "a row is of an entry");
  const std::string text = comparison_text(*comparison, false);
  fuzz::require(text.find('\x1b') == std::string::npos, "no escape of the file reaches the terminal");
  const std::string html = comparison_html(*comparison);
  fuzz::require(html.find("nan") == std::string::npos || html.find("NaN\"") == std::string::npos,
                "no coordinate is no number");
  (void)comparison_json(*comparison);
  (void)verify_finding(*comparison, *comparison);
  return 0;
}
