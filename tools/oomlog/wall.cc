// SPDX-License-Identifier: Apache-2.0
//
// Wall times as numbers, so that logs can be put in order and loops have a period.
#include <array>
#include <cstddef>

#include "oomlog/frame.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

constexpr std::int64_t kDaySeconds = 86400;

/// Days since 1970-01-01 of a date in the Gregorian calendar.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/// "hh:mm:ss" at the front.
std::optional<std::int64_t> eat_time_of_day(std::string_view& text) {
  const auto hours = eat_number(text);
  if (!hours || !eat(text, ":")) return {};
  const auto minutes = eat_number(text);
  if (!minutes) return {};
  std::int64_t seconds = 0;
  if (eat(text, ":")) {
    const auto given = eat_number(text);
    if (!given) return {};
    seconds = *given;
  }
  if (*hours > 23 || *minutes > 59 || seconds > 60) return {};
  return *hours * 3600 + *minutes * 60 + seconds;
}

/// The month that an English name or a number before a sign such as 月 says; 0 when neither does.
std::int64_t month_of(std::string_view word) {
  constexpr std::array<std::string_view, 12> names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (word.starts_with(names[i])) return static_cast<std::int64_t>(i) + 1;
  const auto number = eat_number(word);
  return number && *number >= 1 && *number <= 12 && !word.empty() ? *number : 0;
}

std::optional<std::int64_t> seconds_of_iso(std::string_view text) {
  const auto year = eat_number(text);
  if (!year || !eat(text, "-")) return {};
  const auto month = eat_number(text);
  if (!month || !eat(text, "-")) return {};
  const auto day = eat_number(text);
  if (!day || text.empty() || *month < 1 || *month > 12 || *day < 1 || *day > 31) return {};
  text.remove_prefix(1);
  const auto time = eat_time_of_day(text);
  if (!time) return {};
  if (eat(text, ".") || eat(text, ",")) text.remove_prefix(count_digits(text));
  std::int64_t offset = 0;
  if (text.size() >= 5 && (text[0] == '+' || text[0] == '-')) {
    const bool west = text[0] == '-';
    text.remove_prefix(1);
    std::string_view hours = text.substr(0, 2);
    std::string_view minutes = text.substr(text[2] == ':' ? 3 : 2, 2);
    offset = eat_number(hours).value_or(0) * 3600 + eat_number(minutes).value_or(0) * 60;
    if (west) offset = -offset;
  }
  return days_of(*year, *month, *day) * kDaySeconds + *time - offset;
}

}  // namespace

std::optional<std::int64_t> seconds_of_wall(std::string_view wall) {
  const std::size_t digits = count_digits(wall);
  if (digits == 4 && wall.size() > 16 && wall[4] == '-') return seconds_of_iso(wall);
  std::string_view rest = wall;
  if (digits >= 10) {
    const auto seconds = eat_number(rest);
    if (!seconds || *seconds > 100'000'000'000) return {};  // /dev/kmsg's microseconds are no wall time
    return seconds;
  }
  std::string_view word = eat_token(rest);
  std::int64_t month = month_of(word);
  if (month == 0) month = month_of(word = eat_token(rest));
  if (month == 0) return {};
  rest = skip_blanks(rest);
  const auto day = eat_number(rest);
  if (!day || *day < 1 || *day > 31) return {};
  rest = skip_blanks(rest);
  const auto time = eat_time_of_day(rest);
  if (!time) return {};
  rest = skip_blanks(rest);
  const bool has_year = count_digits(rest) == 4;
  const auto year = has_year ? eat_number(rest) : std::optional<std::int64_t>(1970);
  return days_of(year.value_or(1970), month, *day) * kDaySeconds + *time;
}

}  // namespace offheap
