// SPDX-License-Identifier: Apache-2.0
// Exceptions cross many frames in four threads while every allocation is sampled.
// env: OFFHEAP_SAMPLE=1
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

namespace {
[[gnu::noinline]] int descend(int depth) {
  std::string local(opaque(100), 'x');
  if (depth == 0) throw std::runtime_error(local);
  return descend(depth - 1) + static_cast<int>(local.size());
}

void throw_often() {
  int caught = 0;
  for (int i = 0; i < 1000; ++i) {
    try {
      descend(i % 40);
    } catch (const std::runtime_error& error) {
      caught += std::string(error.what()).size() == 100;
    }
  }
  CHECK(caught == 1000);
}
}  // namespace

int main() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(throw_often);
  for (auto& thread : threads) thread.join();
}
