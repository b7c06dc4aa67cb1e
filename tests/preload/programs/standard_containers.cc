// SPDX-License-Identifier: Apache-2.0
// Strings, maps, streams and threads of the standard library work while all is sampled.
// env: OFFHEAP_SAMPLE=1
#include <future>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "check.h"

namespace {
size_t fill() {
  std::map<std::string, std::vector<int>> lists;
  for (int i = 0; i < 2000; ++i) {
    std::ostringstream name;
    name << "a name that is too long to be kept inline " << i % 97;
    lists[name.str()].push_back(i);
  }
  size_t count = 0;
  for (const auto& [name, list] : lists) count += list.size();
  return count;
}
}  // namespace

int main() {
  std::vector<std::future<size_t>> results;
  for (int i = 0; i < 4; ++i) results.push_back(std::async(std::launch::async, fill));
  for (auto& result : results) CHECK(result.get() == 2000);
}
