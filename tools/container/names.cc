// SPDX-License-Identifier: Apache-2.0
#include "container/names.h"

#include <algorithm>

#include "base/format.h"

namespace offheap {
namespace {

constexpr std::size_t kShown = 8;
constexpr std::size_t kShortId = 12;

std::string describe(const NamedContainer& container) {
  std::string text = container.container.id.substr(0, kShortId);
  if (!container.names.empty()) text += " " + container.names.front();
  if (container.group.empty() && !container.state.empty()) text += " (" + container.state + ")";
  return text;
}

std::string list_of(const std::vector<NamedContainer>& containers,
                    const std::vector<std::size_t>& chosen) {
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, chosen.size()); ++i)
    text += (i == 0 ? "" : ", ") + describe(containers[chosen[i]]);
  if (chosen.size() > kShown) text += fmt::format(" and {} more", chosen.size() - kShown);
  return text;
}

template <typename Test>
std::vector<std::size_t> those(const std::vector<NamedContainer>& containers, Test&& test) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < containers.size(); ++i)
    if (test(containers[i])) found.push_back(i);
  return found;
}

std::string percent_of(Bytes part, Bytes whole) {
  return fmt::format("{:.0f} %",
                     whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

Result<std::size_t> match_container(std::string_view text,
                                    const std::vector<NamedContainer>& containers,
                                    const std::string& looked_at) {
  auto found = those(containers, [&](const auto& c) { return c.container.id == text; });
  if (found.empty()) {
    found = those(containers, [&](const NamedContainer& c) {
      return std::find(c.names.begin(), c.names.end(), text) != c.names.end();
    });
  }
  if (found.empty())
    found = those(containers, [&](const auto& c) { return c.container.id.starts_with(text); });
  if (found.size() == 1) return found.front();
  if (!found.empty()) {
    return Error{ErrorCode::kUsage, "more than one container has that name", std::string(text),
                 "give more of its id: " + list_of(containers, found)};
  }
  const auto all = those(containers, [](const auto&) { return true; });
  return Error{ErrorCode::kUsage, "neither a pid nor a recording nor a container", std::string(text),
               fmt::format("looked at {}{}", looked_at,
                           all.empty() ? "" : "; there are " + list_of(containers, all))};
}

MainProcess choose_main_process(const std::vector<ProcessUse>& processes) {
  const ProcessUse* first = nullptr;
  const ProcessUse* largest = &processes.front();
  Bytes all = 0;
  for (const ProcessUse& process : processes) {
    all += process.own_bytes();
    if (process.own_bytes() > largest->own_bytes()) largest = &process;
    // Where the group has no pid 1 of its own (a shared pid namespace), the oldest is its first.
    const bool leads = process.namespace_pid == 1;
    if (!first || (leads && first->namespace_pid != 1) ||
        (leads == (first->namespace_pid == 1) && process.start_ticks < first->start_ticks)) {
      first = &process;
    }
  }
  if (processes.size() == 1) return {first->pid, {}};
  const bool most = largest != first && largest->own_bytes() > all / 2;
  const ProcessUse& chosen = most ? *largest : *first;
  std::string why = fmt::format(
      "{} processes; this one is {}, with {} of their anonymous and shared memory", processes.size(),
      most ? "not the first but the largest" : "the first", percent_of(chosen.own_bytes(), all));
  if (most) why += fmt::format(" (the first is pid {} {})", first->pid, first->command);
  return {chosen.pid, why + "; --all explains every one"};
}

}  // namespace offheap
